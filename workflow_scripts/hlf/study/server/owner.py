"""The owner's pages: how the study stands, its people, pairs, traps, problems, audit log. Reading changes nothing."""

import shutil
from typing import TYPE_CHECKING, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select

from hlf.study.running import overview, roster, tallies
from hlf.study.running.people import Refused
from hlf.study.running.storage import tables
from hlf.study.server.owner_actions import add_actions, add_login
from hlf.study.server.owner_frame import Pages
from hlf.study.server.owner_session import Desk, OwnerRoute
from hlf.study.server.owner_view import chart

if TYPE_CHECKING:
    from hlf.study.running.platform import Platform
    from hlf.study.server.limits import Limits
    from hlf.study.server.security import Options

T = TypeVar("T")

SPLIT_PAIRS = 24  # on the gallery's page
LINES = 200  # of problems and of the audit log
LOW_DISK = 2**30  # bytes below which the dashboard warns; our choice: some 100,000 votes need far less


def owner_pages(platform: "Platform", limits: "Limits", options: "Options") -> APIRouter:
    """Everything below /owner."""
    router = APIRouter(include_in_schema=False, route_class=OwnerRoute)
    pages = Pages(Desk(platform, limits, options))
    add_login(router, pages)
    add_actions(router, pages)
    _add_dashboard(router, pages)
    _add_lists(router, pages)
    _add_images(router, pages)
    return router


def _add_dashboard(router: APIRouter, pages: Pages) -> None:
    name = pages.platform.study

    @router.get("/owner/")
    def slash() -> RedirectResponse:
        """The dashboard's other address."""
        return RedirectResponse("/owner", 303)

    @router.get("/owner")
    def dashboard(request: Request) -> HTMLResponse:
        """How the study stands."""
        account, study = pages.desk.reader(request), pages.study()
        seen = pages.read(lambda c: overview.read_overview(c, name, pages.platform.now()))
        models = pages.read(lambda c: tallies.read_models(c, name)) if study.scores_shown else []
        return pages.show(
            "dashboard", request, account, study=study, seen=seen, models=models, columns=chart(seen.votes.bars),
            time_left=overview.time_left(seen.votes), disk=_free_disk(pages.platform),
        )  # fmt: skip


def _add_lists(router: APIRouter, pages: Pages) -> None:
    name = pages.platform.study

    @router.get("/owner/people")
    def people(request: Request) -> HTMLResponse:
        """One row per participant."""
        account = pages.desk.reader(request)
        return pages.show("people", request, account, people=pages.read(lambda c: roster.read_people(c, name)))

    @router.get("/owner/pairs")
    def pairs(request: Request) -> HTMLResponse:
        """Pairs that people disagree on most."""
        account = pages.desk.reader(request)
        # below half of the votes wanted, an even split is mostly chance
        least = -(-pages.platform.settings.votes_per_pair // 2)
        found = pages.read(lambda c: tallies.read_split(c, name, least, SPLIT_PAIRS))
        return pages.show("pairs", request, account, pairs=found, least=least)

    @router.get("/owner/traps")
    def traps(request: Request) -> HTMLResponse:
        """Traps and practice pairs, and how they are answered."""
        account = pages.desk.reader(request)
        known = pages.read(lambda c: roster.read_known(c, name))
        shown = [one.answer for one in known if one.role == "trap" and one.enabled]
        return pages.show("traps", request, account, known=known, yes=sum(shown), no=len(shown) - sum(shown))

    @router.get("/owner/problems")
    def problems(request: Request) -> HTMLResponse:
        """What went wrong in browsers, newest first."""
        account = pages.desk.reader(request)
        found = pages.read(lambda c: overview.read_problems(c, name, LINES))
        return pages.show("problems", request, account, problems=found, most=LINES)

    @router.get("/owner/audit")
    def audit(request: Request) -> HTMLResponse:
        """Who did what, newest first."""
        account = pages.desk.reader(request)
        return pages.show(
            "audit", request, account, deeds=pages.read(lambda c: roster.read_audit(c, name, LINES)), most=LINES
        )


def _add_images(router: APIRouter, pages: Pages) -> None:
    image, platform = tables.image, pages.platform

    @router.get("/owner/image/{one}")
    def picture(one: str, request: Request) -> Response:
        """An image by its number, with no hint at what it is."""
        pages.desk.reader(request)
        query = select(image.c.path).where(image.c.id == one, image.c.study == platform.study)
        path = pages.read(lambda c: c.execute(query).scalar())
        if path is None:
            raise Refused(404, "there is no such image")
        headers = {"cache-control": "private, max-age=3600"}
        return Response((platform.folder / path).read_bytes(), media_type="image/png", headers=headers)


def _free_disk(platform: "Platform") -> tuple[str, bool]:
    """Free space where the images lie, in words, and whether it is little."""
    try:
        free = shutil.disk_usage(platform.folder).free
    except OSError as error:
        return f"unknown: the folder of the images cannot be read ({error.strerror})", True
    return f"{free / 2**30:.1f} GiB", free < LOW_DISK
