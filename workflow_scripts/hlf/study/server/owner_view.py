"""How the owner's pages look: templates, words for values, and the chart of votes per pair."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hlf.study.running.overview import OUTCOMES, Bar

CHART_HEIGHT = 160  # CSS pixels of the longest bar
LABELS = 12  # below the bars, as many as fit on a phone
COUNTS = 16  # above the bars

# what a page says after an action, by the word in its address
SAID = {
    "open": "The study is open.",
    "paused": "The study is paused. Answers under way are still saved.",
    "closed": "The study is closed.",
    "unblind": "Scores of models are shown from now on. This was noted.",
    "screened": "Everybody was judged, and the verdicts are kept.",
    "edited": "The change is saved.",
    "out": "You are logged out.",
}


@dataclass(frozen=True)
class Column:
    """A bar of the chart: left edge and width in percent, height in CSS pixels, labels below and above it."""

    left: float
    width: float
    height: float
    label: str
    count: str


def chart(bars: list[Bar]) -> list[Column]:
    """Bars of the histogram, ready to draw at any width."""
    most = max(1, *(bar.pairs for bar in bars))
    step, every = 100 / len(bars), -(-len(bars) // LABELS)
    columns = []
    for i, bar in enumerate(bars):
        named = i % every == 0 or bar.last is None
        # the label before the last would touch it
        named &= bar.last is None or every == 1 or i + every < len(bars)
        height = max(2.0, CHART_HEIGHT * bar.pairs / most) if bar.pairs else 0.0
        count = str(bar.pairs) if bar.pairs and len(bars) <= COUNTS else ""
        label = f"{bar.first}{'+' if bar.last is None else ''}" if named else ""
        columns.append(Column(round(i * step + step * 0.1, 3), round(step * 0.8, 3), round(height, 1), label, count))
    return columns


def span(bar: Bar) -> str:
    """Numbers of votes of a bar.

    >>> span(Bar(0, 0, 5)), span(Bar(4, 7, 1)), span(Bar(12, None, 3))
    ('0', '4 to 7', '12 or more')
    """
    if bar.last is None:
        return f"{bar.first} or more"
    return str(bar.first) if bar.first == bar.last else f"{bar.first} to {bar.last}"


def minute(ms: int | None) -> str:
    """A time, UTC, to the minute; "-" for none.

    >>> minute(1_700_000_000_000)
    '2023-11-14 22:13'
    """
    return "-" if ms is None else f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M}"


def utc(ms: int | None) -> str:
    """The same where no heading says that it is UTC."""
    return "-" if ms is None else f"{minute(ms)} UTC"


def percent(part: float) -> str:
    """A share, whole percent.

    >>> percent(0.256)
    '26 %'
    """
    return f"{100 * part:.0f} %"


def state(outcome: str | None, passed: bool) -> str:
    """Where a person stands, in words."""
    if outcome is not None:
        return OUTCOMES.get(outcome, outcome)
    return "under way" if passed else "in the practice"


TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)
TEMPLATES.filters |= {"minute": minute, "utc": utc, "percent": percent, "span": span}
TEMPLATES.globals |= {"state": state, "outcomes": OUTCOMES, "chart_height": CHART_HEIGHT}


def render(name: str, status: int = 200, **values: object) -> HTMLResponse:
    """A page from a template; every value is escaped."""
    return HTMLResponse(TEMPLATES.get_template(f"owner_{name}.html.j2").render(**values), status)


def error_page(status: int, sentence: str) -> HTMLResponse:
    """A page with one sentence."""
    return render("error", status, sentence=sentence)
