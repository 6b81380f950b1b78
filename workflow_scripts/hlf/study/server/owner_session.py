"""Who sits at the owner's desk: sessions, kept in the memory of this one process, so that a restart ends them all."""

import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from hlf.study.running.accounts import Account, check_login, find_admin
from hlf.study.running.people import Refused, note
from hlf.study.server.callers import TooOften
from hlf.study.server.limits import address
from hlf.study.server.owner_view import error_page
from hlf.study.server.security import same_token

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    from hlf.study.running.platform import Platform
    from hlf.study.server.limits import Limits
    from hlf.study.server.security import Options

COOKIE = "hlf_owner"
PATH = "/owner"
IDLE = 30 * 60_000  # ms without a request after which a session ends; spec standard
# a page that renews itself says so with this header: a screen that nobody watches must not keep a session alive
UNATTENDED = "x-unattended"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class LoggedOut(Exception):
    """A page was asked for without a session."""


@dataclass
class Session:
    """A session: name of the account, its stamp at login, and the last request in ms UTC."""

    name: str
    stamp: str
    seen: int


class Desk:
    """Logins, sessions and form tokens of the owner's pages."""

    def __init__(self, platform: "Platform", limits: "Limits", options: "Options") -> None:
        """Begin without a session."""
        self.platform, self._limits, self._secure = platform, limits, options.secure
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._steps: dict[str, int] = {}  # last one-time code of each account, which opens nothing again

    def log_in(self, request: "Request", name: str, password: str, code: str) -> str | None:
        """Token of a new session, None when name, password and code do not fit; the caller's old session ends.

        Raises:
            TooOften: too many logins from this address.
        """
        seconds = self._limits.wait("login", address(request))
        if seconds > 0:
            raise TooOften(seconds)
        now = self.platform.now()
        found = check_login(self.platform.storage, name, password, code, now / 1000)
        if found is not None and not self._first_use(*found):
            found = None
        self.platform.storage.write(lambda c: self._note_login(c, name, found is not None, now))
        if found is None:
            return None
        self.forget(request)
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions = {k: s for k, s in self._sessions.items() if now - s.seen < IDLE}
            self._sessions[token] = Session(found[0].name, found[0].stamp, now)
        return token

    def forget(self, request: "Request") -> None:
        """End the session of a request, if it has one."""
        with self._lock:
            self._sessions.pop(request.cookies.get(COOKIE, ""), None)

    def find(self, request: "Request") -> Account | None:
        """The account behind a request; None without a session or when the account was changed since the login."""
        now, token = self.platform.now(), request.cookies.get(COOKIE, "")
        with self._lock:
            session = self._sessions.get(token)
            if session is None or now - session.seen >= IDLE:
                self._sessions.pop(token, None)
                return None
            if UNATTENDED not in request.headers:
                session.seen = now
        account = self.platform.storage.read(lambda c: find_admin(c, session.name))
        if account is None or account.stamp != session.stamp:
            self.forget(request)
            return None
        return account

    def reader(self, request: "Request") -> Account:
        """The account that asks for a page; raises LoggedOut."""
        account = self.find(request)
        if account is None:
            raise LoggedOut
        return account

    def actor(self, request: "Request", csrf: str) -> Account:
        """The account that sends a form to change the study.

        Raises:
            Refused: no session, the form is from elsewhere, or the account may only look.
        """
        account = self.find(request)
        if account is None:
            raise Refused(403, "you are logged out; log in and do it again, nothing was changed")
        self.check_form(request, csrf)
        self.need_owner(account)
        return account

    @staticmethod
    def need_owner(account: Account) -> None:
        """Refuse whoever may only look."""
        if account.role != "owner":
            raise Refused(403, f"{account.name} is an analyst, who may look at everything and change nothing")

    def check_form(self, request: "Request", csrf: str) -> None:
        """Refuse a form without the token that belongs to the cookie."""
        if not same_token(csrf, self.csrf(request.cookies.get(COOKIE, ""))):
            raise Refused(403, "this form is out of date or comes from another site; reload the page and send it again")

    def csrf(self, token: str) -> str:
        """Token of the forms of whoever holds a cookie."""
        text = b"owner form" + token.encode()
        return hmac.new(self.platform.secret, text, hashlib.sha256).hexdigest()[:32]

    def visitor(self, request: "Request") -> str:
        """Cookie of somebody who is about to log in: the one they have, else a new one."""
        token = request.cookies.get(COOKIE, "")
        return token if _TOKEN.fullmatch(token) else secrets.token_urlsafe(32)

    def set_cookie(self, response: "Response", token: str) -> None:
        """Leave a token in the browser, until it closes."""
        response.set_cookie(COOKIE, token, path=PATH, httponly=True, samesite="lax", secure=self._secure)

    def clear_cookie(self, response: "Response") -> None:
        """Take it away."""
        response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="lax", secure=self._secure)

    def _first_use(self, account: Account, step: int) -> bool:
        if not account.totp:
            return True
        with self._lock:
            new = step > self._steps.get(account.name, 0)
            self._steps[account.name] = max(step, self._steps.get(account.name, 0))
        return new

    def _note_login(self, connection: "Connection", name: str, good: bool, now: int) -> None:
        # a name that is none may be a password in the wrong field
        known = find_admin(connection, name) is not None
        who = name if known else "unknown name"
        note(connection, self.platform.study, who, "login" if good else "login failed", "", now)


class OwnerRoute(APIRoute):
    """A route whose refusals are pages of the owner's side."""

    def get_route_handler(self) -> Callable[["Request"], Any]:
        """The framework's handler, with our pages around its errors."""
        handler = super().get_route_handler()

        async def told(request: "Request") -> "Response":
            """The pages' own sentence for whatever goes wrong."""
            try:
                return await handler(request)
            except LoggedOut:
                return RedirectResponse("/owner/login", 303)
            except Refused as error:
                return error_page(error.status, str(error))
            except RequestValidationError:
                return error_page(422, "this form is not valid; reload the page and send it again")
            except TooOften as error:
                seconds = max(1, round(error.seconds + 0.5))
                response = error_page(429, f"there were too many logins from here; try again in {seconds} s")
                response.headers["retry-after"] = str(seconds)
                return response

        return told
