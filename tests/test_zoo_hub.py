"""Files of model hub repositories, from a server that answers as the hub does."""

from pathlib import Path

import pytest

from fetch_helpers import DATA, QUICK, REPOSITORY, SHA, asset, failed, got, hub, of_hub, python, server
from file_faults import Cut, Status
from file_server import COMMIT
from hlf.zoo.assets import File, Origin
from hlf.zoo.fetching.fetch import fetch
from hlf.zoo.lock import read_lock

__all__ = ["hub", "server"]


def test_small_and_large_files_of_a_repository(hub, tmp_path: Path) -> None:
    files = {"config.json": b'{"a": 1}', "model.safetensors": DATA}
    hub.share_hub(REPOSITORY, files, large=("model.safetensors",))
    one = asset(File("a/config.json", Origin(hub=REPOSITORY, hub_file="config.json"), "json"), of_hub())
    outcomes = fetch(one, tmp_path / "zoo", patience=QUICK)
    assert [o.status for o in outcomes] == ["fetched"] * 2 and outcomes[1].note == "model.safetensors of lab/model"
    assert {p.name: p.read_bytes() for p in (tmp_path / "zoo/a").iterdir()} == files
    # by commit, since a branch may move between two attempts
    assert all(COMMIT in o.path for o in hub.requests("GET") if "/resolve/" in o.path)


def test_a_large_file_of_a_repository_goes_on_in_a_later_run(hub, tmp_path: Path) -> None:
    hub.share_hub(REPOSITORY, {"model.safetensors": DATA}, [Cut(50_000), *[Cut(0)] * 2], large=("model.safetensors",))
    assert "50.0 kB are kept" in failed(of_hub(), tmp_path)
    hub.seen.clear()
    assert got(of_hub(), tmp_path).status == "fetched"
    assert [o.headers.get("range") for o in hub.requests("GET") if "/cdn/" in o.path] == ["bytes=50000-"]


def test_what_the_hub_tells_of_a_large_file_is_verified(hub, tmp_path: Path) -> None:
    """Nothing is published in the manifest, but the hub's own hash is held against what its store sends."""
    hub.share_hub(REPOSITORY, {"model.safetensors": DATA}, large=("model.safetensors",))
    hub.files[f"/cdn/{SHA}"].body = DATA[:-1] + b"!"
    assert f"expected {SHA}, so it was removed" in failed(of_hub(), tmp_path)


def test_another_version_in_the_repository_is_told_before_it_comes(hub, tmp_path: Path) -> None:
    hub.share_hub(REPOSITORY, {"model.safetensors": DATA}, large=("model.safetensors",))
    assert "at main has SHA-256" in failed(of_hub(sha256="0" * 64), tmp_path)
    assert "at main has 256002 bytes, expected 7" in failed(of_hub(bytes=7), tmp_path)
    assert hub.requests("GET") == []


def test_a_licence_to_accept_is_told(hub, tmp_path: Path, monkeypatch) -> None:
    hub.share_hub(REPOSITORY, {"model.safetensors": DATA}, gated=True, token="mine", large=("model.safetensors",))
    text = failed(of_hub(), tmp_path)
    assert f"its licence must be accepted first; open {hub.url}/lab/model, accept it, and log in here" in text
    monkeypatch.setenv("HF_TOKEN", "of another account")
    assert "its licence must be accepted first" in failed(of_hub(), tmp_path)
    monkeypatch.setenv("HF_TOKEN", "mine")
    hub.seen.clear()
    assert got(of_hub(), tmp_path).status == "fetched"
    # the store behind the hub never sees the token
    tokens = {o.path.split("/")[1]: o.headers.get("authorization") for o in hub.requests("GET")}
    assert tokens == {"lab": "Bearer mine", "cdn": None}


def test_small_files_behind_a_licence_need_the_token_too(hub, tmp_path: Path) -> None:
    hub.share_hub(REPOSITORY, {"model.safetensors": DATA}, gated=True, token="mine")
    (tmp_path / "token").write_text("mine")
    assert got(of_hub(), tmp_path).status == "fetched"


@pytest.mark.parametrize(
    ("repository", "revision", "name", "told"),
    [
        ("lab/other", "main", "model.safetensors", "there is no such repository, or not for everybody; look at"),
        (REPOSITORY, "v9", "model.safetensors", "the repository has no such revision (any more); look at"),
        (REPOSITORY, "main", "other.safetensors", "the repository has no such file; look at"),
    ],
)
def test_what_is_not_on_the_hub_is_told(hub, tmp_path: Path, repository, revision, name, told) -> None:
    hub.share_hub(REPOSITORY, {"model.safetensors": DATA})
    origin = Origin(hub=repository, hub_file=name, revision=revision)
    text = failed(File("a.safetensors", origin, "safetensors"), tmp_path)
    assert told in text and f"{hub.url}/{repository}" in text


def test_an_older_name_is_taken_where_the_repository_has_only_that(hub, tmp_path: Path) -> None:
    hub.share_hub(REPOSITORY, {"pytorch_model.bin": DATA})
    one = got(of_hub(older=("a/pytorch_model.bin",), sha256="0" * 64), tmp_path)
    assert (one.status, one.note) == ("fetched", "pytorch_model.bin of lab/model")
    assert (tmp_path / "zoo/a/pytorch_model.bin").read_bytes() == DATA
    assert set(read_lock(tmp_path / "zoo")) == {"a/pytorch_model.bin"}


def test_a_hub_that_cannot_be_reached_is_told(hub, tmp_path: Path, monkeypatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", waits.append)
    hub.share_hub(REPOSITORY, {"model.safetensors": DATA})
    path = f"/{REPOSITORY}/resolve/main/model.safetensors"
    hub.faults[path], hub.for_ever = [Status(503)], {path}
    text = failed(of_hub(), tmp_path)
    assert "the hub answers 503; see that" in text and "set HF_ENDPOINT to a mirror of it" in text and len(waits) == 5
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}")
    assert "no answer of the hub (" in failed(of_hub(), tmp_path)


def test_a_mirror_without_the_headers_of_the_hub_will_do(hub, tmp_path: Path, monkeypatch) -> None:
    """As HF_ENDPOINT may name one: a plain copy of the repositories' files."""
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/copy/{repo_id}/{revision}/{filename}"
    )
    hub.share(f"copy/{REPOSITORY}/main/model.safetensors", DATA)
    assert got(of_hub(sha256=SHA), tmp_path).status == "fetched"


def test_the_cache_of_the_hub_is_used_with_and_without_network(hub, tmp_path: Path, monkeypatch) -> None:
    """Filled by the hub's own program, as other programs of the lab do."""
    from huggingface_hub import constants, hf_hub_download

    hub.share_hub(REPOSITORY, {"model.safetensors": DATA, "b.bin": b"B"}, large=("model.safetensors",))
    cached = Path(hf_hub_download(REPOSITORY, "model.safetensors", cache_dir=constants.HF_HUB_CACHE))
    hub.seen.clear()
    assert got(of_hub(), tmp_path).status == "fetched"
    assert (tmp_path / "zoo/a/model.safetensors").samefile(cached.resolve()) and hub.requests("GET") == []
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.seen.clear()
    (tmp_path / "zoo/a/model.safetensors").unlink()
    assert got(of_hub(), tmp_path).status == "fetched"
    assert "HF_HUB_OFFLINE forbids the network" in failed(of_hub("b.bin"), tmp_path)
    assert hub.seen == []


def test_the_variables_of_the_hub_are_respected(server, tmp_path: Path) -> None:
    """HF_ENDPOINT, HF_TOKEN and HF_HOME as a user sets them."""
    server.share_hub(REPOSITORY, {"model.safetensors": DATA}, token="mine")
    code = (
        "import sys\nfrom hlf.zoo.assets import *\nfrom hlf.zoo.fetching.fetch import fetch\n"
        f"file = File('a.safetensors', Origin(hub='{REPOSITORY}', hub_file='model.safetensors'), 'safetensors')\n"
        "print(*fetch(Asset('a', 'model', '', '', '', '', '', '', (), '', (file,)), sys.argv[1]))\n"
    )
    own = {"HF_ENDPOINT": server.url, "HF_TOKEN": "mine", "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    assert "status='fetched'" in python(code, tmp_path / "zoo", **own)
    assert (tmp_path / "zoo/a.safetensors").read_bytes() == DATA


def test_a_plain_mirror_of_the_hub_is_no_hub_and_sees_no_token(hub, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    # of the hub's paths only: the mirror knows none of its headers
    hub.share("mirror/lab/model/resolved/main/model.safetensors", DATA)
    mirrors = {f"{hub.url}/lab/model/resolve/": f"{hub.url}/mirror/lab/model/resolved/"}
    assert got(of_hub(sha256=SHA), tmp_path, mirrors=mirrors).status == "fetched"
    assert [(one.method, one.headers.get("authorization")) for one in hub.seen] == [("GET", None)]


def test_a_busy_hub_is_asked_again(hub, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    hub.share_hub(REPOSITORY, {"model.safetensors": DATA}, [Status(503), Status(429, retry_after=0)])
    hub.faults[f"/{REPOSITORY}/resolve/main/model.safetensors"] = [Status(429), Status(500)]
    assert got(of_hub(), tmp_path).status == "fetched"
