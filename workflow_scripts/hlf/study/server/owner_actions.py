"""What the owner can do on the pages: log in and out, open, pause and close, unblind, screen, and edit traps.

Each action is a form sent by POST, with a token that belongs to the session, and a line in the audit log.
"""

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hlf.errors import HlfError
from hlf.study.running import verdicts
from hlf.study.running.people import Refused, note
from hlf.study.running.studies import set_status
from hlf.study.running.trap_edit import edit_known
from hlf.study.server.bodies import Line
from hlf.study.server.owner_view import SAID, render

if TYPE_CHECKING:
    from hlf.study.server.owner_frame import Pages

Step = Literal["open", "pause", "close"]
# step -> the status it leads to, and the statuses it starts from
STEPS = {
    "open": ("open", ("draft", "paused")),
    "pause": ("paused", ("open",)),
    "close": ("closed", ("open", "paused")),
}
EDITS: dict[str, dict[str, int]] = {
    "show": {"enabled": True}, "hide": {"enabled": False}, "yes": {"answer": 1}, "no": {"answer": 0},
}  # fmt: skip


class OwnerForm(BaseModel):
    """A form with exactly the named fields; without the token it is refused as one from elsewhere."""

    model_config = ConfigDict(extra="forbid")
    csrf: Line = ""


class Login(OwnerForm):
    """Name, password, and one-time code where the account has one."""

    name: Line
    password: Annotated[str, StringConstraints(max_length=1000)]
    code: Line = ""


class Change(OwnerForm):
    """Open, pause or close; closing needs the study's name."""

    step: Step
    name: Line = ""


class Edit(OwnerForm):
    """Show, hide or re-label a trap or practice pair."""

    pair: Annotated[int, Field(ge=1, le=2**31)]
    change: Literal["show", "hide", "yes", "no"]


def add_login(router: APIRouter, pages: "Pages") -> None:
    """Log in and out."""
    desk = pages.desk

    def login_page(token: str, status: int = 200, said: str = "", wrong: str = "") -> HTMLResponse:
        """The login page, with a cookie that its form's token belongs to."""
        values = {"title": pages.platform.settings.title, "csrf": desk.csrf(token), "said": said, "wrong": wrong}
        response = render("login", status, **values)
        desk.set_cookie(response, token)
        return response

    @router.get("/owner/login")
    def login_form(request: Request) -> Response:
        """The login page; whoever is logged in goes on to the dashboard."""
        if desk.find(request) is not None:
            return RedirectResponse("/owner", 303)
        return login_page(desk.visitor(request), said=SAID.get(request.query_params.get("said", ""), ""))

    @router.post("/owner/login")
    def login(form: Annotated[Login, Form()], request: Request) -> Response:
        """Log in by name, password and one-time code."""
        desk.check_form(request, form.csrf)
        token = desk.log_in(request, form.name, form.password, form.code)
        if token is None:
            wrong = "Name, password or one-time code is not right."
            return login_page(desk.visitor(request), 401, wrong=wrong)
        response = RedirectResponse("/owner", 303)
        desk.set_cookie(response, token)
        return response

    @router.post("/owner/logout")
    def logout(form: Annotated[OwnerForm, Form()], request: Request) -> Response:
        """End the session and note it."""
        desk.check_form(request, form.csrf)
        account, platform = desk.find(request), pages.platform
        if account is not None:
            platform.storage.write(lambda c: note(c, platform.study, account.name, "logout", "", platform.now()))
        desk.forget(request)
        response = RedirectResponse("/owner/login?said=out", 303)
        desk.clear_cookie(response)
        return response


def add_actions(router: APIRouter, pages: "Pages") -> None:
    """Confirmation pages, and the actions behind them."""
    _add_status(router, pages)
    desk, platform = pages.desk, pages.platform

    @router.post("/owner/screen")
    def screen(form: Annotated[OwnerForm, Form()], request: Request) -> Response:
        """Judge all people by the screening rules."""
        account = desk.actor(request, form.csrf)
        try:
            judged = verdicts.screen_study(platform, account.name)
        except HlfError as error:
            raise Refused(409, str(error)) from error
        if judged.empty:
            raise Refused(409, "nobody has voted yet, so there is nobody to judge")
        return RedirectResponse("/owner/people?said=screened", 303)

    @router.post("/owner/traps")
    def edit(form: Annotated[Edit, Form()], request: Request) -> Response:
        """Show, hide or re-label a trap or practice pair."""
        account, now = desk.actor(request, form.csrf), platform.now()
        values = EDITS[form.change]
        platform.storage.write(
            lambda c: edit_known(c, platform.study, form.pair, account.name, now, **values)  # type: ignore[arg-type]
        )
        return RedirectResponse(f"/owner/traps?said=edited#pair-{form.pair}", 303)


def _add_status(router: APIRouter, pages: "Pages") -> None:
    desk, platform = pages.desk, pages.platform

    @router.get("/owner/confirm/{step}")
    def confirm(step: Literal["open", "pause", "close", "unblind"], request: Request) -> Response:
        """What a step means, to be confirmed."""
        account = desk.reader(request)
        desk.need_owner(account)
        _refuse_vain(pages, step)
        return pages.show("confirm", request, account, step=step, wrong="", gaps=_gaps(pages) if step == "open" else [])

    @router.post("/owner/status")
    def status(form: Annotated[Change, Form()], request: Request) -> Response:
        """Open, pause or close the study."""
        account = desk.actor(request, form.csrf)
        _refuse_vain(pages, form.step)
        if form.step == "close" and form.name.strip() != platform.study:
            wrong = f"This is not the name of the study. Type {platform.study} to close it."
            return pages.show("confirm", request, account, 422, step="close", wrong=wrong, gaps=[])
        try:
            set_status(platform.storage, platform.study, STEPS[form.step][0], account.name)
        except HlfError as error:
            raise Refused(409, str(error)) from error
        return RedirectResponse(f"/owner?said={STEPS[form.step][0]}", 303)

    @router.post("/owner/unblind")
    def unblind(form: Annotated[OwnerForm, Form()], request: Request) -> Response:
        """Show scores of models from now on."""
        account = desk.actor(request, form.csrf)
        _refuse_vain(pages, "unblind")
        verdicts.unblind(platform, account.name)
        return RedirectResponse("/owner?said=unblind", 303)


def _refuse_vain(pages: "Pages", step: str) -> None:
    """Refuse a step that the study's status does not allow."""
    study = pages.study()
    if step == "unblind":
        if study.scores_shown:
            raise Refused(409, "scores of models are shown already")
        return
    if study.status not in STEPS[step][1]:
        final = ", which is final, because its scores may have been seen" if study.status == "closed" else ""
        raise Refused(409, f"this cannot be done now: the study is {study.status}{final}")


def _gaps(pages: "Pages") -> list[str]:
    """What an owner may have forgotten before the first person comes; `hlf study check` looks at more."""
    from hlf.study.running.overview import read_invites

    settings, platform = pages.platform.settings, pages.platform
    gaps = []
    if not settings.contact:
        gaps.append("Setting contact is empty: people have nobody to write to.")
    if not settings.retention:
        gaps.append("Setting retention is empty: people do not learn how long their answers are kept.")
    if not platform.storage.read(lambda c: read_invites(c, platform.study)):
        gaps.append("There is no invite link yet, so nobody can come.")
    return gaps
