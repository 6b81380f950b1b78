"""One plain URL into one file, whole and right or not at all: resumed, retried, checked.

Transfers are those of requests, waiting times those of urllib3's Retry, the bar is tqdm's. What pooch, pypdl, parfive
and huggingface_hub all lack stands here and in `hlf.zoo.fetching.part`: to continue a part in a later run (`Range`),
only when the server's file is still the same (`If-Range`), and to refuse what is no file.
"""

import contextlib
import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.extras import needed_for
from hlf.version import __version__
from hlf.zoo.content import WrongFile, checked, megabytes, no_file, wrong
from hlf.zoo.fetching.part import Part, checked_space
from hlf.zoo.progress import Progress

if TYPE_CHECKING:
    import requests

EXTRA = "'.[workflow]'"
AGAIN = (408, 425, 429, 500, 502, 503, 504)  # answers that may be another one soon
CHUNK = 1 << 18
HAND = "fetch it with a browser and put it there, or use a mirror or a local folder"
log = logging.getLogger("hlf.zoo")


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for, seconds.

    Attributes:
        tries: attempts in a row, of which only the first may have brought new bytes.
        pause: wait before the third attempt, doubled before each further one; the second follows at once.
        asked: longest wait that a server may ask for with `Retry-After`.
        connect: until a connection stands.
        stall: without a byte, after which the connection is given up.
    """

    tries: int = 7
    pause: float = 1.0
    asked: float = 600.0
    connect: float = 20.0
    stall: float = 60.0


PATIENT = Patience()


class NotThere(HlfError):
    """The server is there, but has no such file."""


class _Again(Exception):
    """An attempt that failed, though the next one may not; with the wait that the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class _Job:
    """What is fetched, and what is known of it; see `download`."""

    url: str
    target: Path
    bytes: int
    sha256: str
    headers: dict[str, str]
    patience: Patience
    progress: bool

    def error(self, what: str, advice: str = HAND, kind: type[HlfError] = HlfError) -> HlfError:
        """What went wrong with this file, and what to do."""
        return kind(f"cannot fetch {self.url} to {self.target}: {what}; {advice}")


def download(
    url: str,
    target: str | Path,
    bytes: int = 0,
    sha256: str = "",
    *,
    headers: dict[str, str] | None = None,
    patience: Patience = PATIENT,
    progress: bool = True,
) -> str:
    """Fetch `url` to `target` and return the file's SHA-256; a file that is there already is only checked.

    What has come when an attempt, the process or the machine ends stays in `<target>.part`, and the next attempt or run
    goes on from there, unless the server's file has changed meanwhile. One process fetches a file, others wait for it.

    Args:
        url: http or https.
        target: path of the file.
        bytes: its size as published, 0 unknown.
        sha256: its hash as published, whole or the first digits; "" unknown.
        headers: sent to the URL's host only, such as Authorization.
        patience: how long the server is waited for.
        progress: show how far it is, on a terminal as a bar, elsewhere in log "hlf.zoo".

    Raises:
        HlfError: one sentence that names the URL, what happened and what to do. A wrong file is removed; of one that
            did not come whole the part stays.
    """
    with needed_for("fetching files", EXTRA):
        import requests
    job = _Job(url, Path(target), bytes, sha256, headers or {}, patience, progress)
    with alone(job.target):
        if job.target.exists():
            return checked(job.target, sha256, bytes)
        part = Part(job.target)
        try:
            with requests.Session() as session:
                session.max_redirects = 10
                session.headers.update({"User-Agent": f"hlf/{__version__}", "Accept-Encoding": "identity"})
                if headers:  # or requests would put what ~/.netrc holds in place of an Authorization given here
                    session.auth = lambda request: request
                _bring(job, part, session)
            part.finish()
            return part.sha256
        finally:
            part.close()


@contextlib.contextmanager
def alone(target: Path) -> Iterator[None]:
    """Only one process at a time works on `target`; others wait, and are told so."""
    with needed_for("fetching files", EXTRA):
        from filelock import FileLock, Timeout
    path = target.with_name(f".{target.name}.lock")
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.warning("%s: another process is at it, waits for that", target.name)
            lock.acquire()
    except OSError as error:
        raise HlfError(f"cannot write {path}: {error.strerror or error}; fix the rights or the folder") from error
    try:
        yield
    finally:
        if target.exists():  # nobody needs the lock any more
            path.unlink(missing_ok=True)
        lock.release()


def _bring(job: _Job, part: Part, session: "requests.Session") -> None:
    """Attempts until the part is whole and right."""
    for _ in range(2):
        if not part.whole(job.url, bool(job.sha256)):
            _try(job, part, session)
        page = no_file(part.head(), job.target.name)
        problem = f"is {page} instead of the file" if page else wrong(part.sha256, part.size, job.sha256, job.bytes)
        if not problem:
            return
        joined = part.joined
        part.forget()
        if not joined:
            break
        log.warning("%s: parts of different files came together; begins anew", job.target.name)
    advice = "its publisher or somebody on the way changed it: compare with its page, or use another mirror"
    raise job.error(f"what came {problem}, so it was removed", advice, WrongFile)


def _try(job: _Job, part: Part, session: "requests.Session") -> None:
    """Attempts until all bytes have come; HlfError after too many in a row that brought none."""
    from urllib3 import Retry
    from urllib3.exceptions import MaxRetryError

    fresh = Retry(total=job.patience.tries - 1, backoff_factor=job.patience.pause, backoff_max=60)
    retry, most = fresh, part.size
    while True:
        try:
            return _attempt(job, part, session)
        except _Again as failure:
            reason, wait = str(failure), failure.wait
        if part.size > most:
            retry, most = fresh, part.size
        try:
            retry = retry.increment("GET", job.url, error=_Again(reason))
        except MaxRetryError as error:
            kept = f"{megabytes(part.size)} are kept; " if part.size else ""
            advice = f"{kept}run the same command again later, or use a mirror or a local folder"
            raise job.error(f"{reason}, {job.patience.tries} times in a row", advice) from error
        wait = retry.get_backoff_time() if wait is None else wait
        if wait > job.patience.asked:
            raise job.error(f"{reason} and asks to wait {wait:.0f} s", "run the same command again then")
        log.warning("%s: %s at %s; again in %.0f s", job.target.name, reason, megabytes(part.size), wait)
        time.sleep(wait)


def _attempt(job: _Job, part: Part, session: "requests.Session") -> None:
    """One request, whose bytes go into the part; `_Again` when another may do better."""
    import requests
    from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

    headers = job.headers | part.range_headers(job.url, bool(job.sha256))
    timeout = (job.patience.connect, job.patience.stall)
    try:
        with session.get(job.url, headers=headers, stream=True, timeout=timeout) as response:
            _judge(job, part, response)
            _receive(job, part, response)
    except requests.TooManyRedirects as error:
        raise job.error("it is redirected again and again, more than 10 times") from error
    except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema) as e:
        raise job.error("that is no URL of http or https", "correct it") from e
    except (requests.Timeout, ReadTimeoutError) as error:
        waited = job.patience.connect if isinstance(error, requests.ConnectTimeout) else job.patience.stall
        raise _Again(f"nothing came for {waited:g} s") from error
    except requests.exceptions.SSLError as error:
        if "CERTIFICATE" not in str(error):
            raise _Again(f"no connection ({_innermost(error)})") from error
        advice = "let REQUESTS_CA_BUNDLE name the certificates of your network, or use a mirror or a local folder"
        raise job.error("the server's certificate is not trusted here", advice) from error
    except ProtocolError as error:
        raise _Again("the connection was cut") from error
    except (requests.RequestException, HTTPError) as error:
        raise _Again(f"no connection ({_innermost(error)})") from error


def _innermost(error: BaseException) -> str:
    """What an error began with, without the names of the libraries that it went through."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return str(getattr(error, "strerror", "") or error or type(error).__name__)


def _judge(job: _Job, part: Part, response: "requests.Response") -> None:
    """Nothing, when the answer's status promises the file or its rest."""
    from urllib3 import Retry

    code = response.status_code
    told = f"the server answers {code} {response.reason or ''}".rstrip()
    if code in AGAIN:
        raise _Again(told, Retry().get_retry_after(response.raw))
    if code == 416:  # there is no such rest: the file is another one now
        part.forget()
        raise _Again(told)
    if code in (404, 410):
        raise job.error(f"it is not there ({told})", f"look for its new place on its page, or {HAND}", NotThere)
    if code in (401, 403):
        raise job.error(f"it is not for everybody ({told})", f"log in on its page, {HAND}")
    if code not in (200, 206):
        raise job.error(told)
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise job.error("the server compresses it though not asked to")


def _receive(job: _Job, part: Part, response: "requests.Response") -> None:
    """Bytes of an answer into the part, after a look at what they are."""
    etag, length = response.headers.get("ETag", ""), response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else 0
    if response.status_code == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        start, total = (int(found[1]), int(found[2].replace("*", "0"))) if found else (-1, 0)
        if not part.continues(job.url, start, total, etag):
            part.forget()
            raise _Again("the server's file has changed")
    if job.bytes and total and total != job.bytes:
        advice = "it is another version or truncated: compare with its page, or use another mirror"
        raise job.error(f"the server has {total} bytes of it, expected {job.bytes}", advice, WrongFile)
    checked_space(job.target, total - part.size)
    data = response.raw.read1(CHUNK)
    # before a part is thrown away: an empty answer, or a page that asks for a login, comes with status 200
    if not data:
        raise _Again("the server sends nothing")
    if response.status_code == 200:
        if page := no_file(data, job.target.name, response.headers.get("Content-Type", "")):
            raise job.error(f"the server sends {page} instead of the file")
        part.begin(job.url, etag, response.headers.get("Last-Modified", ""), total)
    bar = Progress(job.target.name, part.total or job.bytes, part.size, job.progress)
    try:
        while data:
            part.write(data)
            bar.add(len(data))
            if job.bytes and part.size > job.bytes:
                part.forget()
                raise job.error(f"the server sends more than its {job.bytes} bytes", "use another mirror", WrongFile)
            data = response.raw.read1(CHUNK)
    finally:
        bar.close()
    if part.size < max(job.bytes, part.total):  # where the server told no size, urllib3 cannot know
        raise _Again("the connection ended early")
