"""The web application of one study."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from hlf.errors import HlfError
from hlf.study.running.people import Refused
from hlf.study.server import pages
from hlf.study.server.api import participant_api
from hlf.study.server.callers import Callers, TooOften
from hlf.study.server.limits import Limits
from hlf.study.server.rendering import told
from hlf.study.server.security import Cookies, Frame, Options

if TYPE_CHECKING:
    from starlette.responses import Response

    from hlf.study.running.platform import Platform

log = logging.getLogger("hlf.study.server")
STATIC = Path(__file__).parent / "static"


def create_app(platform: "Platform", options: Options | None = None) -> FastAPI:
    """The study's pages and HTTP interface, as an ASGI application for one process.

    Args:
        platform: the study.
        options: how the server is reached.
    """
    options = options or Options()
    # no page of the framework's own: it would load scripts from elsewhere
    # and no redirect of its own: it would lead to whatever host the request names
    app = FastAPI(title="hlf study", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.cookies = Cookies(platform.study, platform.secret, options)
    limits = Limits(options.limits)
    callers = Callers(platform, app.state.cookies, limits)
    app.include_router(participant_api(callers))
    app.include_router(pages.participant_pages(callers))
    if not options.hide_owner:
        from hlf.study.server import owner

        app.include_router(owner.owner_pages(platform, limits, options))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(Frame, options=options)
    _add_errors(app)
    return app


def _add_errors(app: FastAPI) -> None:
    """One sentence for whatever goes wrong."""

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> "Response":
        """The sentence, with its status."""
        return told(request, error.status, str(error))

    @app.exception_handler(TooOften)
    def too_often(request: Request, error: TooOften) -> "Response":
        """When to try again."""
        seconds = max(1, round(error.seconds + 0.5))
        response = told(request, 429, f"too many requests; try again in {seconds} s")
        response.headers["retry-after"] = str(seconds)
        return response

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> "Response":
        """Which value is not allowed."""
        # what was sent is not repeated: it may be private, or meant to harm
        first = error.errors()[0]
        known = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
        place = ".".join(str(part) for part in known if part != "body")[:100]
        return told(request, 422, f"the request is not valid at '{place}': {first['msg'][:200]}")

    @app.exception_handler(HTTPException)
    def plain(request: Request, error: HTTPException) -> "Response":
        """What the framework refuses."""
        response = told(request, error.status_code, str(error.detail))
        response.headers.update(error.headers or {})  # which methods are allowed
        return response

    @app.exception_handler(HlfError)
    def broken(request: Request, error: HlfError) -> "Response":
        """Something of ours is broken; the log has it."""
        log.error("%s", error)
        return told(request, 503, "the study cannot answer at the moment; nothing is lost, please try again")
