"""What all pages of the owner share: the study at their head, and whoever is logged in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import Request
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from hlf.study.running import overview
from hlf.study.running.accounts import Account
from hlf.study.running.storage import tables
from hlf.study.server.owner_session import COOKIE, Desk
from hlf.study.server.owner_view import SAID, render

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")


@dataclass(frozen=True)
class Study:
    """What every page says about the study.

    Attributes:
        id: as the database names it.
        title: as people see it.
        status: draft, open, paused or closed.
        warning: sentence on votes that are not from people, or empty.
        scores_shown: whether models and their scores may be named.
        unblinded: since when although it is not closed, ms UTC, or None.
        screening: rules that leave people out.
    """

    id: str
    title: str
    status: str
    warning: str
    scores_shown: bool
    unblinded: int | None
    screening: str


class Pages:
    """Renders pages for whoever is logged in."""

    def __init__(self, desk: Desk) -> None:
        """Take the desk."""
        self.desk, self.platform = desk, desk.platform

    def read(self, work: Callable[["Connection"], T]) -> T:
        """Run a query."""
        return self.platform.storage.read(work)

    def study(self) -> Study:
        """The study now."""
        query = select(tables.study).where(tables.study.c.id == self.platform.study)
        row = self.read(lambda c: c.execute(query).one())
        shown = row.status == "closed" or row.unblinded is not None
        settings, warning = self.platform.settings, overview.source_warning(row.source)
        return Study(row.id, settings.title, row.status, warning, shown, row.unblinded, settings.screening)

    def show(self, name: str, request: Request, account: Account, status: int = 200, **values: Any) -> HTMLResponse:
        """A page with its frame: study, account, form token, and what was just done."""
        frame = {
            "study": values.pop("study", None) or self.study(), "account": account, "page": name,
            "csrf": self.desk.csrf(request.cookies.get(COOKIE, "")),
            "said": SAID.get(request.query_params.get("said", ""), ""), "now": self.platform.now(),
        }  # fmt: skip
        return render(name, status, **frame, **values)
