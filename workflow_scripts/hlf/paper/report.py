"""The report of a run: one HTML file that opens offline, from a summary of one screen to every table and figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hlf.files import write_text
from hlf.paper import style
from hlf.paper.album import Album, embed
from hlf.paper.facts import HUMAN, Facts
from hlf.paper.formats import View, view
from hlf.paper.summary import Headline
from hlf.paper.tables import READING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TableSection:
    """A table of the report.

    Attributes:
        key: short word for the anchor, such as "table2".
        title: heading.
        frame: the table; `formats.view` decides what is shown.
        note: sentence below the heading.
        best: see `formats.view`, as are the next two.
        second: see there.
        headings: see there.
        lead: rows to show when the table is long; all others are shown when asked for. None: all rows at once.
        digits: see `formats.view`.
        origin: run, source of the votes, number of pairs and seed behind the table; that of the report when empty.
    """

    kind: ClassVar[str] = "table"
    key: str
    title: str
    frame: "pd.DataFrame"
    note: str = READING
    best: Mapping[str, str] | None = None
    second: bool = False
    headings: Mapping[str, str] | None = None
    lead: "pd.Series | None" = None
    digits: Mapping[str, int] | None = None
    origin: str = ""

    def shown(self) -> View:
        """All its cells."""
        # best of all kinds of rows together would compare what is not alike
        best = {} if self.lead is not None and self.lead.any() else self.best
        return view(self.frame, best, self.second, self.headings, self.digits)

    def first(self) -> View | None:
        """Cells of the rows that are shown at once, if not all are."""
        if self.lead is None or not self.lead.any():
            return None
        return view(self.frame[self.lead], self.best, self.second, self.headings, self.digits)


@dataclass(frozen=True)
class FigureSection:
    """A figure of the report.

    Attributes:
        key: short word for the anchor, such as "figure4".
        title: heading.
        png: file written by `style.save_figure`.
        caption: what the reader sees, and how to read it.
        alt: what it shows, for readers who do not see it; the caption when empty.
        origin: as of a table; the figure itself bears the stamp.
    """

    kind: ClassVar[str] = "figure"
    key: str
    title: str
    png: Path
    caption: str
    alt: str = ""
    origin: str = ""


@dataclass(frozen=True)
class Note:
    """A sentence in place of a part that is not there."""

    kind: ClassVar[str] = "note"
    text: str


@dataclass(frozen=True)
class Chapter:
    """Tables and figures that belong together.

    Attributes:
        key: short word for the anchor.
        short: name in the navigation.
        title: heading, with the section of the paper where it has one.
        parts: in the order shown.
    """

    key: str
    short: str
    title: str
    parts: "Sequence[TableSection | FigureSection | Note]"


@dataclass(frozen=True)
class Report:
    """Everything the report shows besides the facts; empty parts are left out.

    Attributes:
        counts: what -> number, such as "GT images" -> 128, in the order shown.
        config: merged configuration, nested as in the YAML file.
        chapters: tables and figures.
        headlines: of `summary.headlines`.
        findings: table of the paper's findings, or None; its column verdict is counted in the summary.
        album: pairs of the viewer, or None.
        metric: name of the backbone behind HLF in the viewer.
        versions: package -> version; see `hlf.versions`.
        costs: the cost sheet; the page marks where it begins and ends, since it alone differs between equal runs.
    """

    counts: Mapping[str, int]
    config: Mapping[str, Any]
    chapters: Sequence[Chapter] = ()
    headlines: Sequence[Headline] = ()
    findings: TableSection | None = None
    album: Album | None = None
    metric: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    costs: TableSection | None = None


def write_report(path: str | Path, facts: Facts, report: Report) -> None:
    """Write the report as one self-contained HTML file; equal inputs give equal bytes.

    Args:
        path: the HTML file.
        facts: provenance; its stamp stands on top of the page.
        report: the parts.

    Raises:
        HlfError: a picture is missing or the file cannot be written.
    """
    import jinja2
    from markupsafe import Markup

    here = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(here), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    # report_parts.html.j2 holds the macros that the page is made of
    css, script = (Markup((here / name).read_text(encoding="utf8")) for name in ("report.css", "report.js"))
    text = environment.get_template("report.html.j2").render(
        facts=facts,
        report=report,
        css=css,
        script=script,
        embed=embed,
        config=_flat(report.config),
        verdicts=_verdicts(report.findings),
        present={p.key: _short(p.title) for c in report.chapters for p in c.parts if not isinstance(p, Note)},
        who="people" if facts.votes == HUMAN else f"{facts.votes} observers",
        model_name=style.model_name,
        colors=style.model_colors(_models(report.album)),
    )
    write_text(path, text)


def _short(title: str) -> str:
    """The start of a title by which people call the part.

    >>> _short("Table 2. Measures against scores"), _short("Agreement: do people agree?")
    ('Table 2', 'Agreement')
    """
    return title.split(":")[0].split(". ")[0]


def _verdicts(findings: TableSection | None) -> list[tuple[str, int]]:
    """Each verdict with the number of findings that have it, in a fixed order."""
    if findings is None:
        return []
    counts = findings.frame["verdict"].value_counts()
    return [(verdict, int(counts.get(verdict, 0))) for verdict in ("shown", "not shown", "opposite")]


def _models(album: Album | None) -> list[str]:
    pairs = [pair for scene in album.scenes for pair in scene.pairs] if album else []
    return style.model_order(pair["model"] for pair in pairs)


def _flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested configuration as (dotted key, value) in its own order."""
    rows: list[tuple[str, str]] = []
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return rows
