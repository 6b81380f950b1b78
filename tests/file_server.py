"""A file server of this machine with the faults of real ones, and the endpoints of the model hub, for tests.

    with file_server() as server:
        url = server.share("weights.pth", data, faults=[Cut(1000), Status(429, retry_after=1)])

The first request for a file's bytes meets the first fault, and so on; after the last one the file is served well,
unless `for_ever` repeats it.
"""

import email.utils
import hashlib
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from file_faults import Cut, Hold, Hub, Page, Shared, Shift, Slow, Stall, Status, Swap

COMMIT = "c0ffee" * 6 + "c0de"  # of every hub repository here


@dataclass
class Seen:
    """One request: method, path, headers, and how many bytes of a body were sent."""

    method: str
    path: str
    headers: dict[str, str]
    status: int = 0
    sent: int = 0


class FileServer:
    """What is shared, the faults still to come, and the requests so far."""

    def __init__(self) -> None:
        self.files: dict[str, Shared] = {}
        self.faults: dict[str, list[object]] = {}
        self.for_ever: set[str] = set()
        self.hubs: dict[str, Hub] = {}
        self.seen: list[Seen] = []
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.scheme, self.port = "http", 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def other_host(self) -> str:
        """The same server under another host name."""
        return f"http://localhost:{self.port}"

    def share(self, name: str, body: bytes, faults=(), for_ever=False, etag="auto", **options) -> str:
        """Put a file on the server; returns its URL."""
        etag = f'"{hashlib.md5(body).hexdigest()}"' if etag == "auto" else etag
        self.files[f"/{name}"] = Shared(body, etag, **options)
        self.faults[f"/{name}"] = list(faults)
        self.for_ever.discard(f"/{name}")
        if for_ever:
            self.for_ever.add(f"/{name}")
        return f"{self.url}/{name}"

    def share_hub(self, repository: str, files: dict[str, bytes], faults=(), **options) -> Hub:
        """Put a repository on the server; faults meet those who fetch the bytes of any of its files."""
        hub = self.hubs[repository] = Hub(files, **options)
        for name, body in files.items():
            path = f"cdn/{hashlib.sha256(body).hexdigest()}" if name in hub.large else f"blob/{repository}/{name}"
            self.share(path, body, faults)
        return hub

    def requests(self, method: str = "GET") -> list[Seen]:
        return [one for one in self.seen if one.method == method]

    def next_fault(self, path: str) -> object:
        with self.lock:
            faults = self.faults.get(path, [])
            if not faults:
                return None
            return faults[0] if path in self.for_ever and len(faults) == 1 else faults.pop(0)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    shared: FileServer

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        path = unquote(self.path.partition("?")[0])
        self.record = Seen(self.command, path, {k.lower(): v for k, v in self.headers.items()})
        self.shared.seen.append(self.record)
        with suppress(ConnectionError):
            if "/resolve/" in path:
                self.answer_as_hub(path, with_body)
            elif path in self.shared.files:
                self.serve(self.shared.files[path], self.shared.next_fault(path) if with_body else None, with_body)
            else:
                self.send(404, b"not here", with_body)

    def send(self, code: int, body: bytes = b"", with_body: bool = True, **headers: str) -> None:
        self.record.status = code
        self.send_response(code)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def serve(self, file: Shared, fault: object, with_body: bool = True, **headers: str) -> None:
        """A shared file, or what a fault makes of it."""
        if isinstance(fault, Status):
            extra = {"retry-after": str(fault.retry_after)} if fault.retry_after != "" else {}
            extra |= {"location": fault.location} if fault.location else {}
            self.send(fault.code, fault.page, **extra)
            return
        if isinstance(fault, Page):
            self.send(200, fault.text.encode(), **{"content-type": fault.kind})
            return
        if isinstance(fault, Swap):
            file.body, file.etag = fault.body, fault.etag
        start = self.start_of_range(file)
        if isinstance(fault, Shift) and start is not None:
            start -= fault.by
        if start is not None and start >= len(file.body):
            self.send(416, b"", **{"content-range": f"bytes */{len(file.body)}"})
            return
        self.send_headers(file, start, headers)
        if with_body:
            self.send_body(file, file.body[start or 0 :], fault)

    def start_of_range(self, file: Shared) -> int | None:
        asked = self.record.headers.get("range", "")
        if not asked or not file.ranges:
            return None
        guard = self.record.headers.get("if-range", "")
        known = [file.etag, email.utils.formatdate(file.modified, usegmt=True) if file.modified else ""]
        # a weak validator never matches (RFC 9110, 13.1.5)
        if guard and file.if_range and (guard not in known or guard.startswith("W/")):
            return None
        return int(asked.removeprefix("bytes=").partition("-")[0])

    def send_headers(self, file: Shared, start: int | None, headers: dict[str, str]) -> None:
        self.record.status = 200 if start is None else 206
        self.send_response(self.record.status)
        told = {"content-type": file.kind, **file.headers, **headers}
        if start is not None:
            told["content-range"] = f"bytes {start}-{len(file.body) - 1}/{len(file.body)}"
        if file.length:
            told["content-length"] = str(len(file.body) - (start or 0))
        else:
            told["transfer-encoding"] = "chunked"
        if file.etag:
            told.setdefault("etag", file.etag)
        if file.modified:
            told["last-modified"] = email.utils.formatdate(file.modified, usegmt=True)
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()

    def send_body(self, file: Shared, body: bytes, fault: object) -> None:
        end = fault.after if isinstance(fault, Cut | Stall) else len(body)
        step = fault.bytes if isinstance(fault, Slow) else 4096 if isinstance(fault, Hold) else 1 << 16
        for at in range(0, min(end, len(body)), step):
            if isinstance(fault, Hold) and at == fault.after:
                fault.go_on.wait(60)
            piece = body[at : min(at + step, end)]
            self.wfile.write(piece if file.length else b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
            self.record.sent += len(piece)
            if isinstance(fault, Slow):
                self.shared.ended.wait(fault.pause)
        if isinstance(fault, Cut) and fault.after < len(body):
            self.close_connection = True
            self.connection.shutdown(2)
        elif isinstance(fault, Stall):
            self.shared.ended.wait(30)
            self.close_connection = True
        elif not file.length:
            self.wfile.write(b"0\r\n\r\n")

    def answer_as_hub(self, path: str, with_body: bool) -> None:
        """`/<owner>/<name>/resolve/<revision>/<file>` as the hub answers it, with the headers that its client reads."""
        repository, _, rest = path[1:].partition("/resolve/")
        revision, _, name = rest.partition("/")
        hub, fault = self.shared.hubs.get(repository), self.shared.next_fault(path)
        told = self.record.headers.get("authorization", "").removeprefix("Bearer ")
        if isinstance(fault, Status):
            self.send(fault.code, b"", with_body, retry_after="0")
        elif hub is None or (hub.token and not hub.gated and told != hub.token):
            self.refuse(401, "RepoNotFound", "Invalid username or password.", with_body)
        elif hub.gated and told != hub.token:
            text = f"Access to model {repository} is restricted. You must have access to it and be authenticated"
            self.refuse(403 if told else 401, "GatedRepo", text, with_body)
        elif revision not in ("main", COMMIT):
            self.refuse(404, "RevisionNotFound", "Invalid rev id", with_body)
        elif name not in hub.files:
            self.refuse(404, "EntryNotFound", "Entry not found", with_body)
        else:
            self.send_hub_file(repository, hub, name, with_body)

    def refuse(self, code: int, error: str, text: str, with_body: bool) -> None:
        self.send(code, text.encode(), with_body, x_error_code=error, x_error_message=text)

    def send_hub_file(self, repository: str, hub: Hub, name: str, with_body: bool) -> None:
        body = hub.files[name]
        if name in hub.large:
            digest = hashlib.sha256(body).hexdigest()
            place = f"{self.shared.other_host}/cdn/{digest}"
            linked = {"x_linked_etag": f'"{digest}"', "x_linked_size": str(len(body))}
            self.send(302, b"", with_body, x_repo_commit=COMMIT, location=place, **linked)
            return
        path = f"/blob/{repository}/{name}"
        blob = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
        fault = self.shared.next_fault(path) if with_body else None
        headers = {"x-repo-commit": COMMIT, "etag": f'"{blob}"'}
        self.serve(self.shared.files[path], fault, with_body, **headers)


class Server(ThreadingHTTPServer):
    """Threads that end with the test; clients that leave early are what is tested here."""

    daemon_threads, block_on_close = True, False

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)


@contextmanager
def file_server(certificate: Path | None = None) -> Iterator[FileServer]:
    """A running server on a free port of this machine; with a certificate (and its key in the same file) by HTTPS."""
    shared = FileServer()
    server = Server(("127.0.0.1", 0), type("Own", (Handler,), {"shared": shared}))
    if certificate:
        shared.scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    shared.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield shared
    finally:
        shared.ended.set()
        server.shutdown()
        thread.join(10)
        server.server_close()
