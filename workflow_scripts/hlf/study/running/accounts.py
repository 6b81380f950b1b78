"""Accounts of the people who run a study; there is none until the owner makes one.

Passwords are kept as argon2id hashes. A name that nobody has costs the same time as a wrong password, and neither the
reply nor its time tells which of name, password and one-time code was wrong.
"""

import hmac
import re
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from hlf.errors import HlfError
from hlf.extras import needed_for
from hlf.study.running.people import note
from hlf.study.running.storage.tables import admin

if TYPE_CHECKING:
    from argon2 import PasswordHasher
    from sqlalchemy import Connection

    from hlf.study.running.storage import Storage

ROLES = ("owner", "analyst")  # analysts only look
MIN_PASSWORD = 12  # characters; our choice: long enough for five guesses in 15 minutes to be hopeless for ever
MAX_PASSWORD = 200
NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
COMMAND = "command line"  # who made or removed an account, in the audit log
STEP = 30  # seconds that a one-time code is shown; RFC 6238

# a hash takes 64 MiB while it is computed, so a crowd of logins waits in line
_AT_ONCE = threading.BoundedSemaphore(2)


@dataclass(frozen=True)
class Account:
    """Who may see the owner's pages.

    Attributes:
        name: unique in the database.
        role: owner, who may act, or analyst, who only looks.
        totp: whether a one-time code is asked for.
        stamp: changes with the password, which ends the sessions of the old one.
    """

    name: str
    role: str
    totp: bool
    stamp: str


def add_admin(storage: "Storage", study: str, name: str, role: str, password: str, totp: bool = False) -> str | None:
    """Make an account, for all studies of the database, or give an existing one another password and role.

    Args:
        storage: the database.
        study: study in whose audit log this is noted.
        name: 1 to 40 letters, digits, dots, - and _.
        role: one of ROLES.
        password: MIN_PASSWORD to MAX_PASSWORD characters.
        totp: ask for a one-time code (RFC 6238) at every login.

    Returns:
        The secret for an authenticator app, to be shown once; None without `totp`.

    Raises:
        HlfError: name, role or password is not allowed.
    """
    _check(name, role, password)
    with needed_for("a study", "'.[study]'"):
        import pyotp
    key = pyotp.random_base32() if totp else None
    row = {"name": name, "role": role, "password_hash": _hasher().hash(password), "totp": key}

    def work(connection: "Connection") -> None:
        """Add the account, in place of an older one of this name, and note it in the audit log."""
        old = connection.execute(delete(admin).where(admin.c.name == name)).rowcount
        connection.execute(admin.insert().values(row))
        detail = f"{name}, {role}{', with one-time codes' if totp else ''}"
        word = "change account" if old else "add account"
        note(connection, study, COMMAND, word, detail, time.time_ns() // 1_000_000)

    storage.write(work)
    return key


def remove_admin(storage: "Storage", study: str, name: str) -> None:
    """Remove an account; its sessions end with their next request.

    Raises:
        HlfError: there is no such account.
    """

    def work(connection: "Connection") -> None:
        """Remove the account, and note it in the audit log."""
        if connection.execute(delete(admin).where(admin.c.name == name)).rowcount == 0:
            raise HlfError(f"there is no account '{name}'; the accounts are {', '.join(_names(connection)) or 'none'}")
        note(connection, study, COMMAND, "remove account", name, time.time_ns() // 1_000_000)

    storage.write(work)


def list_admins(storage: "Storage") -> list[Account]:
    """All accounts, by name."""
    rows = storage.read(lambda c: c.execute(select(admin).order_by(admin.c.name)).all())
    return [Account(row.name, row.role, row.totp is not None, _stamp(row.password_hash)) for row in rows]


def find_admin(connection: "Connection", name: str) -> Account | None:
    """The account of a name, None when there is none (any more)."""
    row = connection.execute(select(admin).where(admin.c.name == name)).first()
    return None if row is None else Account(row.name, row.role, row.totp is not None, _stamp(row.password_hash))


def check_login(storage: "Storage", name: str, password: str, code: str, now: float) -> tuple[Account, int] | None:
    """The account that name, password and one-time code open, None when they open nothing.

    Args:
        storage: the database.
        name: as typed.
        password: as typed.
        code: one-time code as typed; ignored where the account asks for none.
        now: seconds UTC.

    Returns:
        The account, and the step of its one-time code (0 without), which a caller must not accept twice.
    """
    row = storage.read(lambda c: c.execute(select(admin).where(admin.c.name == name)).first())
    nobody = _hash_of_nobody()
    right = _fits(row.password_hash if row is not None else nobody, password)
    if row is None or not right:
        return None
    step = 0
    if row.totp is not None:
        found = totp_step(row.totp, code, now)
        if found is None:
            return None
        step = found
    return Account(row.name, row.role, row.totp is not None, _stamp(row.password_hash)), step


def totp_step(key: str, code: str, now: float) -> int | None:
    """Step of 30 s to which a one-time code belongs: the present one, the one before or the one after; else None."""
    with needed_for("a study", "'.[study]'"):
        import pyotp
    given = re.sub(r"\s", "", code).encode()
    current, generator = int(now) // STEP, pyotp.TOTP(key, interval=STEP)
    near = (current - 1, current, current + 1)
    steps = [step for step in near if hmac.compare_digest(generator.generate_otp(step).encode(), given)]
    return steps[-1] if steps else None


def _check(name: str, role: str, password: str) -> None:
    if not NAME.fullmatch(name):
        raise HlfError(f"account name {name!r} is not allowed; use 1 to 40 letters, digits, dots, - and _")
    if role not in ROLES:
        raise HlfError(f"role {role!r} is not known; expected one of {', '.join(ROLES)}")
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise HlfError(
            f"the password has {len(password)} characters; choose one of {MIN_PASSWORD} to {MAX_PASSWORD}, such as "
            "four words that do not belong together"
        )


def _names(connection: "Connection") -> list[str]:
    return list(connection.execute(select(admin.c.name).order_by(admin.c.name)).scalars())


@cache
def _hasher() -> "PasswordHasher":
    with needed_for("a study", "'.[study]'"):
        from argon2 import PasswordHasher
    return PasswordHasher()  # argon2id with the second recommended parameters of RFC 9106


@cache
def _hash_of_nobody() -> str:
    """Hash that every password is compared with when the name is unknown; its cost is that of a real one."""
    return _hasher().hash("a password that opens nothing")


def _fits(password_hash: str, password: str) -> bool:
    from argon2.exceptions import VerifyMismatchError

    with _AT_ONCE:
        try:
            return _hasher().verify(password_hash, password[: MAX_PASSWORD + 1])
        except VerifyMismatchError:
            return False


def _stamp(password_hash: str) -> str:
    """Tail of the hash: enough to see that it changed, of no use to anybody else."""
    return password_hash[-16:]
