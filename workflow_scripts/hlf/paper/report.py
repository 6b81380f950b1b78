"""The report of a run: one HTML file that opens offline, with every table, figure and the pairs to look at."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.files import write_text
from hlf.paper import style
from hlf.paper.facts import HUMAN, Facts
from hlf.paper.formats import View, view
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
        folded: show the rows only when asked for; for long tables.
        digits: see `formats.view`.
    """

    key: str
    title: str
    frame: "pd.DataFrame"
    note: str = READING
    best: Mapping[str, str] | None = None
    second: bool = False
    headings: Mapping[str, str] | None = None
    folded: bool = False
    digits: Mapping[str, int] | None = None


@dataclass(frozen=True)
class FigureSection:
    """A figure of the report.

    Attributes:
        key: short word for the anchor, such as "figure4".
        title: heading.
        png: file written by `style.save_figure`.
        caption: what the reader sees, and how to read it.
        alt: what it shows, for readers who do not see it; the caption when empty.
    """

    key: str
    title: str
    png: Path
    caption: str
    alt: str = ""


@dataclass(frozen=True)
class Report:
    """Everything the report shows besides the facts; empty parts are left out.

    Attributes:
        counts: what -> number, such as "GT images" -> 128, in the order shown.
        config: merged configuration, nested as in the YAML file.
        tables: correlation tables and the like.
        figures: figures.
        absent: sentences on figures that could not be drawn.
        strata: table `strata`, or None.
        worst: rows of `pairs.worst_pairs`, or None.
        tagged: rows of `pairs.worst_tagged_pairs`, or None.
        disagreements: rows of `pairs.disagreements`, or None.
        metric: name of the IQA metric in `disagreements`.
        versions: package -> version; see `hlf.versions`.
        costs: the cost sheet; the page marks where it begins and ends, since it alone differs between equal runs.
    """

    counts: Mapping[str, int]
    config: Mapping[str, Any]
    tables: Sequence[TableSection] = ()
    figures: Sequence[FigureSection] = ()
    absent: Sequence[str] = ()
    strata: "pd.DataFrame | None" = None
    worst: "pd.DataFrame | None" = None
    tagged: "pd.DataFrame | None" = None
    disagreements: "pd.DataFrame | None" = None
    metric: str = "VIF"
    versions: Mapping[str, str] = field(default_factory=dict)
    costs: TableSection | None = None


def write_report(path: str | Path, facts: Facts, report: Report, root: str | Path) -> None:
    """Write the report as one self-contained HTML file; equal inputs give equal bytes.

    Args:
        path: the HTML file.
        facts: provenance; its stamp stands on top of the page.
        report: the parts.
        root: results folder of the run, to which the paths of pair pictures are relative.

    Raises:
        HlfError: a picture is missing or the file cannot be written.
    """
    import jinja2
    from markupsafe import Markup

    here = Path(__file__).parent
    pictures = _Pictures(Path(root))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(here), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    text = environment.get_template("report.html.j2").render(
        facts=facts,
        report=report,
        css=Markup((here / "report.css").read_text(encoding="utf8")),
        config=_flat(report.config),
        tables=[(s, _shown(s)) for s in report.tables],
        costs=None if report.costs is None else _shown(report.costs),
        figures=[(section, *pictures.figure(section.png)) for section in report.figures],
        strata=None if report.strata is None else _strata(report.strata),
        worst=_cards(report.worst, pictures, "worst"),
        tagged=_cards(report.tagged, pictures, "tagged"),
        disagreements=_cards(report.disagreements, pictures, "disagreement"),
        who="people" if facts.votes == HUMAN else f"{facts.votes} observers",
        model_name=style.model_name,
    )
    write_text(path, text)


def _shown(section: TableSection) -> View:
    return view(section.frame, section.best, section.second, section.headings, section.digits)


class _Pictures:
    """Data URIs of pictures, each file read once; a GT stands in several pairs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.known: dict[Path, tuple[str, int, int]] = {}

    def pair(self, relative: str) -> tuple[str, int, int]:
        return self.figure(self.root / relative)

    def figure(self, path: Path) -> tuple[str, int, int]:
        """Data URI, width and height in pixels of a PNG file."""
        from PIL import Image

        if path not in self.known:
            try:
                data = path.read_bytes()
                with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
                    width, height = picture.size
            except OSError as error:
                raise HlfError(f"report: picture {path} is missing or no PNG ({error}); make it again") from error
            self.known[path] = ("data:image/png;base64," + base64.b64encode(data).decode(), width, height)
        return self.known[path]


def _cards(table: "pd.DataFrame | None", pictures: _Pictures, kind: str) -> list[dict[str, Any]]:
    """Rows of a pair table with their pictures and an anchor; NaN becomes None, which the template can test."""
    if table is None:
        return []
    cards = []
    for index, record in enumerate(table.to_dict("records"), start=1):
        row: dict[str, Any] = {str(k): (None if v != v else v) for k, v in record.items()}
        cards.append(
            row
            | {
                "anchor": f"{kind}-{index}",
                "gt": pictures.pair(row["gt_path"])[0],
                "sr": pictures.pair(row["sr_path"])[0],
                "size": pictures.pair(row["sr_path"])[1:],
            }
        )
    return cards


def _strata(strata: "pd.DataFrame") -> View:
    """The strata table with its two edges as one column, short strata marked by `status`."""
    table = strata.copy()
    edges = [f"{low:.3f}\u00a0to\u00a0{high:.3f}" for low, high in zip(table["low"], table["high"], strict=True)]
    table.insert(2, "similarity", edges)
    table["model"] = table["model"].map(style.model_name)
    table["status"] = [
        "ok" if t >= w else f"{w - t} short" for t, w in zip(table["taken"], table["wanted"], strict=True)
    ]
    return view(table.drop(columns=["low", "high"]))


def _flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested configuration as (dotted key, value) in its own order."""
    rows: list[tuple[str, str]] = []
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return rows
