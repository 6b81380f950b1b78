"""Pages of people who take part: the join link, and the one document of the study."""

import re
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from hlf.study.running.people import Refused
from hlf.study.server.limits import address
from hlf.study.server.rendering import render

if TYPE_CHECKING:
    from starlette.responses import Response

    from hlf.study.server.callers import Callers

# names that a recruiting site puts into its links
RECRUIT = ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID")
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


def participant_pages(callers: "Callers") -> APIRouter:
    """The join link and the document."""
    router, platform = APIRouter(include_in_schema=False), callers.platform

    @router.get("/join/{code}")
    def join(code: str, request: Request) -> "Response":
        """Remember the invite and, from a recruiting site, its ids; go on to the study."""
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
        """The one page of the study."""
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
