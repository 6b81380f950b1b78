"""A study's folder: settings that the owner edits, the secret key, the database, and the images that people see.

study.yaml    id, database, settings that differ from the bundle's and from the defaults
secret.key    key of all hashes; without it nobody who takes part can come back
study.sqlite  unless study.yaml names another database
images/       the bundle's images
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.files import write_text
from hlf.study.settings import NAMES

if TYPE_CHECKING:
    from hlf.study.running.platform import Platform
    from hlf.study.running.storage import Storage

FILE = "study.yaml"
KEY_BYTES = 32
LOCAL_URL = "http://127.0.0.1:8000"
KEYS = ("id", "database", "public_url", "settings")
TEMPLATE = """\
# A user study. `hlf study import-pairs` reads this file; later changes need a new import, before the first person.
id: {id}
# sqlite:///FILE (relative to this folder) or postgresql://USER@HOST/NAME
database: {database}
# How people reach the study; a reverse proxy's address for the public, see docs/study.md.
public_url: {public_url}
# What differs from the bundle's settings and from the defaults; hlf/study/settings.py explains each.
settings:
  contact: ""    # whom people can write to: name and address
  pay: ""        # such as "You are paid 3 EUR whatever you answer."
  retention: ""  # such as "Answers are kept without names until 2030-12-31."
  # consent: |   # your own text, paragraphs apart by empty lines; empty: the text that comes with hlf
"""


@dataclass(frozen=True)
class StudyFolder:
    """What study.yaml says.

    Attributes:
        path: the folder.
        id: of the study.
        url: of the database, absolute.
        public_url: how people reach the study.
        settings: the owner's own.
        secret: key of all hashes.
    """

    path: Path
    id: str
    url: str
    public_url: str
    settings: dict[str, Any]
    secret: bytes

    def storage(self, create: bool = False) -> "Storage":
        """Open the database."""
        from hlf.study.running.storage import open_storage

        return open_storage(self.url, create)

    def platform(self) -> "Platform":
        """Open the study; HlfError when no pairs were imported."""
        from hlf.study.running.platform import Platform

        return Platform(self.storage(), self.id, self.secret, self.path / "images")

    def is_open(self) -> bool:
        """Whether the study has left its draft, so that its pairs stay."""
        from hlf.study.running.storage import tables

        query = tables.study.select().where(tables.study.c.id == self.id, tables.study.c.status != "draft")
        return self.storage().read(lambda c: c.execute(query).first()) is not None


def init_study(
    folder: Path, name: str, database: str = "sqlite:///study.sqlite", public_url: str = LOCAL_URL
) -> StudyFolder:
    """Make the folder of a new study.

    Args:
        folder: new or empty.
        name: id of the study: letters, digits, - and _.
        database: its URL; a relative SQLite file lies in the folder.
        public_url: how people reach the study.

    Raises:
        HlfError: the folder holds a study, the name has other characters, or the database cannot be opened.
    """
    if not name or not all(c.isascii() and (c.isalnum() or c in "-_") for c in name) or len(name) > 80:
        raise HlfError(f"study name {name!r} is not allowed; use up to 80 letters, digits, - and _")
    if (folder / FILE).exists():
        raise HlfError(f"{folder} holds a study already; choose another folder")
    # votes, recruiting ids and keys are nobody else's business
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = folder / "secret.key"
    if not key.exists():
        # never readable by others, not even for a moment
        handle = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
    write_text(folder / FILE, TEMPLATE.format(id=name, database=database, public_url=public_url))
    (folder / FILE).chmod(0o600)  # its URL of the database may hold a password
    write_text(folder / ".gitignore", "*\n")  # votes and keys in a checkout are not committed by mistake
    study = open_folder(folder)
    study.storage(create=True).close()
    return study


def open_folder(folder: Path) -> StudyFolder:
    """Read a study's folder.

    Raises:
        HlfError: it is no study's folder, study.yaml is broken or names unknown settings, or the key is missing.
    """
    import yaml

    path = folder / FILE
    try:
        found = yaml.safe_load(path.read_text(encoding="utf8"))
    except FileNotFoundError as error:
        raise HlfError(f"{folder} is no study: {path} is missing; make one with: hlf study init {folder}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        # without the line itself, which may hold the database's password
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        place = f" in line {mark.line + 1}" if mark else ""
        raise HlfError(f"{path} is not valid YAML{place}: {problem or type(error).__name__}; mend it") from error
    if not isinstance(found, dict) or set(found) != set(KEYS):
        raise HlfError(f"{path} must have the keys {', '.join(KEYS)}")
    settings = {k: v for k, v in (found["settings"] or {}).items() if v is not None}
    unknown = sorted(set(settings) - set(NAMES))
    if unknown:
        raise HlfError(f"{path}: settings {unknown} are unknown; known are {', '.join(NAMES)}")
    address = _absolute(str(found["database"]), folder)
    url = str(found["public_url"]).rstrip("/")
    return StudyFolder(folder, str(found["id"]), address, url, settings, _secret(folder))


def _absolute(database: str, folder: Path) -> str:
    file = database.removeprefix("sqlite:///")
    if file == database or file.startswith("/"):
        return database
    return f"sqlite:///{(folder / file).resolve()}"


def _secret(folder: Path) -> bytes:
    path = folder / "secret.key"
    try:
        key = bytes.fromhex(path.read_text(encoding="utf8").strip())
    except (OSError, ValueError) as error:
        raise HlfError(f"{path} is missing or no key; restore it from a backup, or people cannot come back") from error
    if len(key) < KEY_BYTES:
        raise HlfError(f"{path} holds a key of {len(key)} bytes, expected {KEY_BYTES}")
    if path.stat().st_mode & 0o077:
        raise HlfError(f"{path} can be read by others; run: chmod 600 {path}")
    return key
