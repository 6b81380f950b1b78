"""What the file server of the tests (file_server.py) has, and the faults that it can show."""

import threading
from dataclasses import dataclass, field


@dataclass
class Shared:
    """One file on the server.

    Attributes:
        body: its bytes.
        etag: its validator, "" for none.
        ranges: whether parts can be asked for.
        if_range: whether `If-Range` is respected, as it must be.
        length: whether `Content-Length` is sent; otherwise the body goes in chunks.
        modified: seconds since 1970 for `Last-Modified`, 0 for none.
    """

    body: bytes
    etag: str = ""
    kind: str = "application/octet-stream"
    ranges: bool = True
    if_range: bool = True
    length: bool = True
    modified: int = 0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Cut:
    """The connection ends after so many bytes of the body, though more were promised."""

    after: int


@dataclass
class Stall:
    """Nothing more comes after so many bytes, but the connection stays."""

    after: int


@dataclass
class Slow:
    """So many bytes at a time, with a pause in seconds between."""

    bytes: int
    pause: float


@dataclass
class Hold:
    """Nothing more comes after so many bytes, a multiple of 4096, until the test sets `go_on`."""

    after: int
    go_on: threading.Event = field(default_factory=threading.Event)


@dataclass
class Shift:
    """The part that is sent begins so many bytes before the one that was asked for, and says so."""

    by: int


@dataclass
class Status:
    """An answer without the file."""

    code: int
    retry_after: str | int = ""
    location: str = ""
    page: bytes = b"no"


@dataclass
class Page:
    """A web page with status 200 in place of the file."""

    text: str = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>please</body></html>"
    kind: str = "text/html; charset=utf-8"


@dataclass
class Swap:
    """The file is another one from now on."""

    body: bytes
    etag: str


@dataclass
class Hub:
    """A repository of the model hub.

    Attributes:
        files: path in the repository -> bytes.
        token: one that may read it, "" for everybody.
        gated: a licence must be accepted before, which nobody did without the token.
        large: paths that are kept on another host, to which the hub sends on.
    """

    files: dict[str, bytes]
    token: str = ""
    gated: bool = False
    large: tuple[str, ...] = ()
