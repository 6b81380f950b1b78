"""docs/study_nginx.conf in a real nginx, on loopback ports and without rights, before a real `hlf study serve`."""

import re
import ssl
import subprocess
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from hlf.study.running.studies import new_invite
from study_programs import HLF, quiet_port, wait_for
from study_server import make_study, program

SITE = Path(__file__).resolve().parent.parent / "docs/study_nginx.conf"


class Proxied:
    """A study behind nginx.

    Attributes:
        url: of the proxy, over HTTPS.
        plain: of the proxy, over HTTP.
        direct: of the study's own server.
        invite: a link's path.
        logs: what nginx wrote.
    """

    def __init__(self, folder: Path, ports: list[int], study) -> None:
        self.folder = folder
        self.url, self.plain, self.direct = (
            f"{scheme}://127.0.0.1:{port}" for scheme, port in zip(("https", "http", "http"), ports, strict=True)
        )
        self.invite = f"/join/{new_invite(study.storage(), study, '', one_use=False)}"

    def client(self, address: str = "127.0.0.1") -> httpx.Client:
        """A browser at one of this machine's addresses."""
        trust = ssl.create_default_context(cafile=self.folder / "fullchain.pem")
        transport = httpx.HTTPTransport(local_address=address, verify=trust)
        return httpx.Client(transport=transport, base_url=self.url)

    @property
    def logs(self) -> str:
        return "".join(p.read_text() for p in self.folder.glob("*.log"))


def make_certificate(folder: Path) -> None:
    openssl = program("openssl", "openssl")
    names = ["-subj", "/CN=study.example.org", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files]
    subprocess.run(command, check=True, capture_output=True)


def write_site(folder: Path, https: int, http: int, server: int) -> Path:
    """The page's site inside a configuration that needs no rights, on ports of its own."""
    site = SITE.read_text()
    for told, own in {
        "127.0.0.1:8000": f"127.0.0.1:{server}",
        "listen 80;": f"listen 127.0.0.1:{http};",
        "listen 443 ssl;": f"listen 127.0.0.1:{https} ssl;",
        "/etc/ssl/study": str(folder),
        "/var/log/nginx": str(folder),
    }.items():
        assert told in site
        site = site.replace(told, own)
    (folder / "site.conf").write_text(site)
    places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{name}_temp_path {folder}/{name};\n" for name in places)
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/start.log;\n"
        f"events {{}}\nhttp {{\naccess_log {folder}/access.log;\n{temporary}include {folder}/site.conf;\n}}\n"
    )
    return folder / "nginx.conf"


@contextmanager
def proxied(tmp_path: Path, *options: str):
    """A study on a server of its own behind the page's nginx site."""
    nginx = program("nginx", "nginx", "usr/sbin/nginx")
    make_certificate(tmp_path)
    https, http, port = (quiet_port() for _ in range(3))
    configuration = write_site(tmp_path, https, http, port)
    command = [nginx, "-c", configuration, "-p", tmp_path, "-e", tmp_path / "start.log"]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0 and "warn" not in tested.stderr, tested.stderr
    study = make_study(tmp_path)
    serve = [
        HLF,
        "study",
        "serve",
        study.path,
        "--port",
        str(port),
        "--public-url",
        "https://study.example.org",
        *options,
    ]
    processes = [subprocess.Popen(words, stdout=subprocess.DEVNULL) for words in (serve, command)]
    found = Proxied(tmp_path, [https, http, port], study)
    try:
        wait_for(lambda: found.client().get("/static/icon.svg").status_code == 200)
        yield found
    finally:
        for process in processes:
            process.terminate()
            process.wait(20)


TRUST = ("--trusted-proxy", "127.0.0.1")


def test_people_take_part_through_the_proxy(tmp_path: Path) -> None:
    with proxied(tmp_path, *TRUST) as site, site.client() as client:
        joined = client.get(site.invite)
        assert joined.status_code == 303 and joined.headers["location"] == "/"
        cookie = joined.headers["set-cookie"]
        assert re.search(r"; *secure", cookie, re.I) and re.search(r"; *httponly", cookie, re.I)
        shown = client.get("/")
        assert shown.status_code == 200 and "max-age" in shown.headers["strict-transport-security"]
        assert shown.headers["server"] == "nginx" and shown.headers["cache-control"] == "no-store"
        state = client.get("/api/state").json()
        size = {"viewport_w": 1440, "viewport_h": 900, "dpr": 1, "screen_w": 1440, "screen_h": 900, "css_w": 700}
        body = {"consent_hash": state["consent"]["hash"], "device": {**size, "touch": False}}
        agreed = client.post("/api/consent", json=body, headers={"x-csrf-token": state["csrf"]})
        assert agreed.status_code == 200 and agreed.json()["phase"] == "practice"
        assert client.get("/image/practice/1/a").content.startswith(b"\x89PNG")
        # whoever comes without encryption is sent to the public name
        moved = httpx.get(site.plain + site.invite)
        assert moved.status_code == 301 and moved.headers["location"] == f"https://study.example.org{site.invite}"
    assert site.invite not in site.logs and "127.0.0.1" not in (tmp_path / "study.log").read_text()
    assert not (tmp_path / "access.log").read_text()


@pytest.mark.parametrize("options", [TRUST, ()], ids=["trusted", "not trusted"])
def test_limits_count_by_the_address_that_a_trusted_proxy_tells(tmp_path: Path, options: tuple[str, ...]) -> None:
    with proxied(tmp_path, *options) as site:
        with site.client("127.0.0.2") as client:
            guesses = [client.get(f"/join/guess{i}").status_code for i in range(11)]
            # naming another address does not help
            lied = client.get("/join/guess", headers={"x-forwarded-for": "192.0.2.7"}).status_code
        with site.client("127.0.0.3") as client:
            other = client.get("/join/guess").status_code
        direct = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(transport=direct, base_url=site.direct, headers={"x-forwarded-for": "192.0.2.8"}) as client:
            beside = client.get("/join/guess").status_code
    assert guesses == [404] * 10 + [429] and lied == 429
    # without trust all people are one address, the proxy's
    assert other == (404 if options else 429)
    # who goes round the proxy is believed nothing: the address that guessed before is still known
    assert beside == (429 if options else 404)


def test_what_is_too_long_is_refused_by_the_proxy(tmp_path: Path) -> None:
    with proxied(tmp_path, *TRUST) as site, site.client() as client:
        long, short = (client.post("/api/problem", content=b"x" * size) for size in (20 * 1024, 15 * 1024))
    assert long.status_code == 413 and long.headers["content-type"].startswith("text/html")
    assert short.status_code != 413
