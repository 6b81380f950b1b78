"""Pages of people who take part: the join link, the one document of the study, and errors."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hlf.study.running.people import Refused

if TYPE_CHECKING:
    from starlette.responses import Response

    from hlf.study.server.api import Callers

# names that a recruiting site puts into its links
RECRUIT = ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID")
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)


def render(name: str, status: int = 200, **values: object) -> HTMLResponse:
    """A page from a template; every value is escaped."""
    return HTMLResponse(TEMPLATES.get_template(name).render(**values), status)


def error_page(status: int, sentence: str) -> HTMLResponse:
    """A page with one sentence."""
    return render("error.html.j2", status, sentence=sentence)


def told(request: Request, status: int, sentence: str) -> "Response":
    """The sentence as a page for people, as JSON for scripts."""
    # not request.url, which a header Host can bend
    if request.scope["path"].startswith(("/api/", "/image/")):
        return JSONResponse({"detail": sentence}, status)
    return error_page(status, sentence)


def participant_pages(callers: "Callers") -> APIRouter:
    """The join link and the document."""
    from hlf.study.server.api import address

    router, platform = APIRouter(include_in_schema=False), callers.platform

    @router.get("/join/{code}")
    def join(code: str, request: Request) -> "Response":
        known = platform.invited(code)
        callers.limit("join with invite" if known else "join", address(request))
        if not known:
            raise Refused(404, "this link is not known, was used before, or is no longer valid; ask for another one")
        given = [request.query_params.get(name, "") for name in RECRUIT]
        wrong = [name for name, value in zip(RECRUIT, given, strict=True) if value and not _ID.fullmatch(value)]
        if wrong:
            raise Refused(422, f"the link's {wrong[0]} is not valid; open the link as the recruiting site gave it")
        response = RedirectResponse("/", 303)
        visit = {"invite": code, "recruit": given if given[0] else None}
        callers.cookies.set_visit(response, callers.cookies.new_visit(visit))
        return response

    @router.get("/")
    def document(request: Request) -> HTMLResponse:
        source = platform.state()[1]
        study = {"title": platform.settings.title, "simulated": source != "human"}
        cookies, visit = callers.cookies, ""
        if not cookies.visit(request) and callers.find(request) is None:
            # a token needs a cookie to belong to, also for somebody who only has four words
            visit = cookies.new_visit({})
        csrf = cookies.csrf(visit) if visit else cookies.request_csrf(request)
        response = render("participant.html.j2", csrf=csrf, study=study)
        if visit:
            cookies.clear(response)
            cookies.set_visit(response, visit)
        return response

    return router
