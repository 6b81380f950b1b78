"""Files of model hub repositories.

Names, tokens, licences, mirrors (HF_ENDPOINT) and the cache are huggingface_hub's. The bytes come through
`hlf.zoo.fetching.download`: since its version 1.18, huggingface_hub throws away what had come when a run ends, and the
next run begins gigabytes anew.
"""

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.extras import needed_for
from hlf.zoo.content import WrongFile, wrong
from hlf.zoo.fetching.download import EXTRA, PATIENT, NotThere, Patience, download
from hlf.zoo.fetching.local import place
from hlf.zoo.fetching.mirrors import mirrored

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

log = logging.getLogger("hlf.zoo")


def fetch_hub(
    repository: str,
    name: str,
    target: Path,
    *,
    revision: str = "main",
    bytes: int = 0,
    sha256: str = "",
    mirrors: Mapping[str, str] | None = None,
    patience: Patience = PATIENT,
    progress: bool = True,
) -> str:
    """Bring one file of a repository to `target` and return its SHA-256.

    What the local cache of the hub holds is not fetched again, and with HF_HUB_OFFLINE nothing else is taken. A mirror
    of `mirrors` is a plain file server: it is asked for `<owner>/<name>/resolve/<revision>/<file>` and sees no token.

    Args:
        repository: "owner/name".
        name: path in it.
        target: path of the file to come.
        revision: branch, tag or commit.
        bytes: as for `hlf.zoo.fetching.download.download`.
        sha256: as there.
        mirrors: as for `hlf.zoo.fetching.mirrors.mirrored`.
        patience: as for `hlf.zoo.fetching.download.download`.
        progress: as there.

    Raises:
        HlfError: one sentence with what to do, such as to accept a licence and to log in.
        NotThere: there is no such file in the repository.
    """
    with needed_for("fetching from a model hub", EXTRA):
        from huggingface_hub import hf_hub_url
        from huggingface_hub.constants import is_offline_mode
        from huggingface_hub.utils import build_hf_headers
    where = _where(repository, name)
    url = hf_hub_url(repository, name, revision=revision)
    other = mirrored(url, mirrors or {})
    if other != url:
        return download(other, target, bytes, sha256, patience=patience, progress=progress)
    if is_offline_mode():
        return place(_kept_here(repository, name, revision, target), target, sha256, bytes)
    facts = _facts(url, repository, where, target)
    size, digest = facts.size or bytes, _digest(facts) or sha256
    problem = wrong(_digest(facts), size, sha256, bytes)
    if problem:
        raise WrongFile(
            f"cannot fetch {where} to {target}: what the hub has at {revision} {problem}; it is another version: "
            "compare with its page, or get the old one by hand, from a mirror or a local folder"
        )
    commit = facts.commit_hash or revision
    cached = _in_cache(repository, name, commit)
    if cached is not None:
        log.info("%s: from the hub's cache", target.name)
        return place(cached, target, digest, size)
    # by commit: a branch may move between two attempts
    address = hf_hub_url(repository, name, revision=commit)
    headers = {k: v for k, v in build_hf_headers().items() if k.lower() == "authorization"}
    return download(address, target, size, digest, headers=headers, patience=patience, progress=progress)


def _kept_here(repository: str, name: str, revision: str, target: Path) -> Path:
    """The file in the hub's local cache; HlfError where it is not there, since the network is forbidden."""
    cached = _in_cache(repository, name, revision)
    if cached is None:
        raise HlfError(
            f"cannot fetch {_where(repository, name)} to {target}: HF_HUB_OFFLINE forbids the network, and the hub's "
            "cache here lacks it; unset it, or give a local folder that has the file"
        )
    return cached


def _where(repository: str, name: str) -> str:
    return f"{name} of model hub repository {repository}"


def _in_cache(repository: str, name: str, revision: str) -> Path | None:
    """The file in the hub's local cache, if it is there."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, name, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _digest(facts: "HfFileMetadata") -> str:
    """SHA-256 of a file, which the hub tells of large ones only; else ""."""
    etag = facts.etag or ""
    return etag if re.fullmatch(r"[0-9a-f]{64}", etag) else ""


def _facts(url: str, repository: str, where: str, target: Path) -> "HfFileMetadata":
    """What the hub tells of a file; its errors as sentences."""
    from huggingface_hub import constants, errors, get_hf_file_metadata

    page = f"{constants.ENDPOINT}/{repository}"
    try:
        with _quiet():
            return get_hf_file_metadata(url, retry_on_errors=True)
    except errors.EntryNotFoundError as error:
        what, advice = "the repository has no such file", f"look at {page}, or use a mirror or a local folder"
        raise NotThere(f"cannot fetch {where} to {target}: {what}; {advice}") from error
    except Exception as error:  # those of no network differ with the version of the library
        what, advice = _told(error, page)
        raise HlfError(f"cannot fetch {where} to {target}: {what}; {advice}") from error


def _told(error: Exception, page: str) -> tuple[str, str]:
    """What went wrong at the hub, and what to do about it."""
    from huggingface_hub import constants, errors

    login = "log in here with an account that may read it (`hf auth login`, or its token in HF_TOKEN)"
    if isinstance(error, errors.GatedRepoError):
        return "its licence must be accepted first", f"open {page}, accept it, and {login}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "there is no such repository, or not for everybody", f"look at {page}, and {login}"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the repository has no such revision (any more)", f"look at {page}, or use a mirror or a local folder"
    response = getattr(error, "response", None)
    if response is not None and response.status_code in (401, 403):
        return f"the hub refuses it ({response.status_code})", login
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
    return (
        f"the hub answers {response.status_code}" if response is not None else f"no answer of the hub ({reason})",
        f"see that {constants.ENDPOINT} can be reached, set HF_ENDPOINT to a mirror of it, or use a local folder",
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The library's own warnings would tell in many lines what the sentence tells in one."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
