"""Cookies, tokens against foreign forms, and the frame around every request: headers, size, log line."""

import hashlib
import hmac
import logging
import secrets
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request

from hlf.study.server.rendering import told

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("hlf.study.server")

MAX_BODY = 16 * 1024  # bytes
VISIT_SECONDS = 24 * 3600
PERSON_SECONDS = 60 * 24 * 3600


@dataclass(frozen=True)
class Options:
    """How the server is reached.

    Attributes:
        secure: cookies travel over HTTPS only.
        limits: whether requests are limited.
        frame_ancestors: who may show the study in a frame, a value of the CSP directive.
        hide_owner: no pages for the owner, such as for a study that robots test.
    """

    secure: bool = True
    limits: bool = True
    frame_ancestors: str = "'none'"
    hide_owner: bool = False


class Cookies:
    """The two cookies of a person: a signed one before consent, a random one after."""

    def __init__(self, study: str, secret: bytes, options: Options) -> None:
        """Take the study's id and key; cookies are named after it, so that two studies on one host stay apart."""
        from itsdangerous import URLSafeTimedSerializer

        self._secret, self._options = secret, options
        # browsers let no other host plant a cookie with this prefix, but want HTTPS for it
        prefix = "__Host-" if options.secure else ""
        mark = hashlib.sha256(study.encode()).hexdigest()[:8]
        self.visit_name, self.person_name = f"{prefix}hlf_visit_{mark}", f"{prefix}hlf_person_{mark}"
        self._signer = URLSafeTimedSerializer(secret, salt="hlf visit", signer_kwargs={"digest_method": hashlib.sha256})

    def visit(self, request: "Request") -> dict[str, Any]:
        """What the join link left in the browser: invite, recruiting ids and a random id; {} without a valid cookie."""
        from itsdangerous import BadData

        try:
            found = self._signer.loads(request.cookies.get(self.visit_name, ""), max_age=VISIT_SECONDS)
        except BadData:
            return {}
        return found if isinstance(found, dict) else {}

    def new_visit(self, content: dict[str, Any]) -> str:
        """Value of the cookie of a visit that begins now, with an id of its own."""
        return str(self._signer.dumps({**content, "id": secrets.token_urlsafe(12)}))

    def set_visit(self, response: "Response", value: str) -> None:
        """Leave a visit's cookie in the browser."""
        self._set(response, self.visit_name, value, VISIT_SECONDS)

    def set_person(self, response: "Response", token: str) -> None:
        """Name the participant from now on."""
        self._set(response, self.person_name, token, PERSON_SECONDS)

    def clear(self, response: "Response") -> None:
        """Forget the person and the visit."""
        for name in (self.visit_name, self.person_name):
            response.delete_cookie(name, httponly=True, samesite="lax", secure=self._options.secure)

    def csrf(self, *values: str | None) -> str:
        """Token that a request must repeat, bound to the cookie it comes with."""
        text = next((value for value in values if value), "")
        return hmac.new(self._secret, b"csrf" + text.encode(), hashlib.sha256).hexdigest()[:32]

    def request_csrf(self, request: "Request") -> str:
        """The token that belongs to a request's cookies."""
        return self.csrf(request.cookies.get(self.person_name), request.cookies.get(self.visit_name))

    def _set(self, response: "Response", name: str, value: str, seconds: int) -> None:
        response.set_cookie(name, value, seconds, httponly=True, samesite="lax", secure=self._options.secure)


def same_token(given: str | None, wanted: str) -> bool:
    """Compare two tokens in constant time."""
    return hmac.compare_digest((given or "").encode(), wanted.encode())


class TooLarge(HTTPException):
    """A body beyond MAX_BODY, told beforehand or found while it is read."""

    def __init__(self) -> None:
        """Say how much is allowed."""
        super().__init__(413, f"at most {MAX_BODY} bytes can be sent at once")


class Frame:
    """Around every request: security headers, a size limit, and one log line that says nothing of the person."""

    def __init__(self, app: "ASGIApp", options: Options) -> None:
        """Wrap an ASGI application."""
        self._app = app
        self._headers = {
            "content-security-policy": "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
            f"form-action 'self'; frame-ancestors {options.frame_ancestors}",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=()",
        }
        if options.secure:
            self._headers["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name, began, started, status, size = secrets.token_hex(6), time.monotonic(), False, 500, 0

        async def framed(message: "Message") -> None:
            """Send the reply with the headers that every page gets."""
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                headers = MutableHeaders(scope=message)
                for key, value in self._headers.items():
                    headers.setdefault(key, value)
                headers.setdefault("cache-control", "no-store")
                headers["x-request-id"] = name
            await send(message)

        async def limited() -> "Message":
            """Receive the body, and stop where it grows too large."""
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > MAX_BODY:
                raise TooLarge
            return message

        try:
            refusal = self._refusal(scope)
            await (refusal or self._app)(scope, limited, framed)
        except Exception as error:
            # the places in the program, without the error's words: they may repeat what a person sent
            places = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s %s at\n%s", name, type(error).__name__, places)
            if not started:
                sentence = "something went wrong on the server; nothing that was saved is lost, please try again"
                await told(Request(scope), 500, sentence)(scope, receive, framed)
        finally:
            # the route, not the path: a path holds invite codes and ids
            route = getattr(scope.get("route"), "path", "-")
            log.info("%s %s %s %d %.1f ms", name, scope["method"], route, status, (time.monotonic() - began) * 1000)

    @staticmethod
    def _refusal(scope: "Scope") -> "Response | None":
        """Answer to a request that no route should see."""
        length = Headers(scope=scope).get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length) > MAX_BODY:
            return told(Request(scope), 413, TooLarge().detail)
        if "\0" in scope["path"]:  # no id holds one, and PostgreSQL cannot take it
            return told(Request(scope), 404, "there is nothing at this address")
        return None
