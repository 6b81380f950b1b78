"""Who calls: the participant of a request, and what may be refused before anything is done for them."""

import hashlib
from typing import TYPE_CHECKING

from fastapi import Request

from hlf.study.running.consent import consent_text
from hlf.study.running.people import Person, Refused
from hlf.study.server.security import Cookies, same_token

if TYPE_CHECKING:
    from hlf.study.running.platform import Platform
    from hlf.study.server.limits import Limits


async def guard(request: Request) -> None:
    """Refuse a POST from elsewhere: it lacks the token that belongs to the cookie."""
    cookies: Cookies = request.app.state.cookies
    if not same_token(request.headers.get("x-csrf-token"), cookies.request_csrf(request)):
        raise Refused(403, "this page is out of date; reload it and try again")


class Callers:
    """Who calls: finds the participant of a request and counts what they ask for."""

    def __init__(self, platform: "Platform", cookies: Cookies, limits: "Limits") -> None:
        """Join the three that every endpoint needs, and the text that people consent to."""
        self.platform, self.cookies, self.limits = platform, cookies, limits
        self.consent = consent_text(platform.settings)
        self.consent_hash = hashlib.sha256(self.consent.encode()).hexdigest()

    def limit(self, kind: str, key: str) -> None:
        """Take a token, or raise TooOften."""
        seconds = self.limits.wait(kind, key)
        if seconds > 0:
            raise TooOften(seconds)

    def find(self, request: Request) -> Person | None:
        """The participant of the request's cookie, if any."""
        token = request.cookies.get(self.cookies.person_name)
        return self.platform.person(token) if token else None

    def need(self, request: Request, kind: str = "other") -> Person:
        """The participant of the request; raises Refused 401 or TooOften."""
        person = self.find(request)
        if person is None:
            raise Refused(401, "this browser is not known any more; open your link again or enter your four words")
        self.limit(kind, person.id)
        return person


class TooOften(Exception):
    """More requests than allowed.

    Attributes:
        seconds: until the next one may come.
    """

    def __init__(self, seconds: float) -> None:
        """Give the seconds."""
        self.seconds = seconds
