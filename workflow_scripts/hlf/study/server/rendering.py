"""Pages from templates, and one sentence for whatever goes wrong."""

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from starlette.responses import Response

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
