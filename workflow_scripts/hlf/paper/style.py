"""One look for all figures: colours and marks by SR model, fonts, the stamp and small print, saving without dates."""

import textwrap
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.files import atomic
from hlf.paper import expected
from hlf.paper.facts import HUMAN, Facts, Provenance

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Every colour of a figure stands here. Those of SR models mean SR models in all figures, and nothing else has them.
# Okabe-Ito colours, distinguishable with the common forms of colour blindness; one per SR model of Section 3.1
MODEL_COLORS = {
    "bsrgan": "#0072B2",
    "swinir": "#E69F00",
    "stablesr": "#009E73",
    "seesr": "#D55E00",
    "pasd": "#56B4E9",
}
# and a mark for each, so that no figure hangs on colours alone
MODEL_MARKS = {"bsrgan": "o", "swinir": "v", "stablesr": "^", "seesr": "D", "pasd": "s"}
SPARE_MARKS = ("P", "X", "h", "*")
# for models that the paper does not name, such as tuned variants
SPARE_COLORS = ("#CC79A7", "#6A3D9A", "#8C6D31", "#000000")
STAMP_COLOR, INK, MUTED, GRID = "#9B1C1C", "#1F2933", "#5B6770", "#D9DEE3"
# where two or three things are told apart that are no SR models, in this order, with a mark and a line style for each
FIRST, SECOND, THIRD = "#332288", "#CC3377", "#117733"
# Paul Tol's muted colours, one per backbone in the order of Table 3
BACKBONE_COLORS = ("#332288", "#CC6677", "#117733", "#88CCEE", "#AA4499", "#999933")

RC = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.compression": 6,
}
# inches of both columns of a printed page together; a wider figure is shrunk to them
PRINT_WIDTH = 7.2
# points of the smallest text at that width
SMALLEST = 6.5
# inches of a line of the small print, of the margin, of the title's strip
_LINE, _EDGE, _HEAD = 0.13, 0.1, 0.36


def look() -> AbstractContextManager[None]:
    """Context in which figures are drawn and saved, so that a user's matplotlib settings change nothing."""
    import matplotlib

    settings: Any = {**matplotlib.rcParamsDefault, **RC, "backend": "agg"}
    return matplotlib.rc_context(settings)


@dataclass(frozen=True)
class Page:
    """A figure whose parts are placed in inches.

    Placed by hand, because matplotlib's automatic layout differs in the last digits from run to run, and with them
    the bytes of the PDF.

    Attributes:
        figure: the matplotlib figure.
        width: inches.
        height: inches of the plots' area.
        foot: inches of the small print below it.
        grow: how much larger text has to be so that it can be read when the page is shrunk to PRINT_WIDTH; 1 or more.
    """

    figure: "Figure"
    width: float
    height: float
    foot: float
    grow: float = 1.0

    @property
    def total(self) -> float:
        """Inches of the figure's height."""
        return self.foot + self.height + _HEAD * self.grow

    def box(self, x: float, y: float, width: float, height: float) -> "Axes":
        """Axes at (x, y) inches from the lower left corner of the plots' area."""
        place = (x / self.width, (self.foot + y) / self.total, width / self.width, height / self.total)
        return self.figure.add_axes(place)

    def grid(
        self,
        rows: int,
        columns: int,
        left: float,
        bottom: float,
        right: float = 0.15,
        top: float = 0.3,
        across: float = 0.5,
        along: float = 0.5,
    ) -> "list[list[Axes]]":
        """Equal axes, first row on top; margins of the grid and gaps between axes in inches."""
        width = (self.width - left - right - across * (columns - 1)) / columns
        height = (self.height - bottom - top - along * (rows - 1)) / rows
        return [
            [
                self.box(left + j * (width + across), bottom + (rows - 1 - i) * (height + along), width, height)
                for j in range(columns)
            ]
            for i in range(rows)
        ]

    def legend(self, ax: "Axes", y: float, columns: int) -> None:
        """Legend of one axes, centred `y` inches above the small print."""
        handles, labels = ax.get_legend_handles_labels()
        anchor = (0.5, (self.foot + y) / self.total)
        self.figure.legend(handles, labels, loc="lower center", bbox_to_anchor=anchor, ncols=columns, borderaxespad=0)

    def label(self, text: str, y: float) -> None:
        """Axis label common to all plots, centred `y` inches above the small print."""
        place = (self.foot + y) / self.total
        self.figure.text(0.5, place, text, ha="center", va="bottom", fontsize=9 * self.grow)


def new_page(width: float, height: float, facts: Provenance, title: str) -> Page:
    """Empty figure with a title above and, below the plots' area, the stamp in red and the small print.

    Args:
        width: inches.
        height: inches of the plots' area; title and small print come on top of it.
        facts: provenance.
        title: one line.
    """
    from matplotlib.figure import Figure

    grow = max(1.0, width / PRINT_WIDTH)
    # 0.58 em is a generous mean width of a DejaVu Sans character, 0.66 em of a bold one
    per_line = (width - 2 * _EDGE) * 72 / (SMALLEST * grow)
    stamp = textwrap.wrap(facts.stamp(), int(per_line / 0.66))
    small = textwrap.wrap(facts.caption(), int(per_line / 0.58))
    foot = _LINE * grow * (len(stamp) + len(small)) + 2 * _EDGE
    total = height + _HEAD * grow + foot
    figure = Figure(figsize=(width, total))
    left = _EDGE / width
    figure.text(left, 1 - _EDGE / total, title, ha="left", va="top", fontsize=11 * grow, fontweight="bold")
    for index, line in enumerate(stamp + small):
        color, weight = (STAMP_COLOR, "bold") if index < len(stamp) else (MUTED, "normal")
        y = (foot - _EDGE - _LINE * grow * index) / total
        figure.text(left, y, line, ha="left", va="top", fontsize=SMALLEST * grow, fontweight=weight, color=color)
    return Page(figure, width, height, foot, grow)


def model_order(models: Iterable[str]) -> list[str]:
    """SR models once each, the paper's in the order of Section 3.1, others behind them by name."""
    order = list(expected.MODEL_NAMES)
    return sorted(set(models), key=lambda m: (order.index(m) if m in order else len(order), m))


def model_colors(models: Iterable[str]) -> dict[str, str]:
    """Colour of each SR model; a model of the paper has the same colour in every figure."""
    names = model_order(models)
    spare = [m for m in names if m not in MODEL_COLORS]
    return {m: MODEL_COLORS.get(m) or SPARE_COLORS[spare.index(m) % len(SPARE_COLORS)] for m in names}


def model_marks(models: Iterable[str]) -> dict[str, str]:
    """Mark of each SR model, as `model_colors` has their colours."""
    names = model_order(models)
    spare = [m for m in names if m not in MODEL_MARKS]
    return {m: MODEL_MARKS.get(m) or SPARE_MARKS[spare.index(m) % len(SPARE_MARKS)] for m in names}


def backbone_order(backbones: Iterable[str]) -> list[str]:
    """Backbones once each, in the order of Table 3, others behind them by name."""
    order = list(expected.BACKBONE_NAMES)
    return sorted(set(backbones), key=lambda b: (order.index(b) if b in order else len(order), b))


def model_name(model: str) -> str:
    """Name of an SR model as the paper prints it; unknown ones as configured."""
    return expected.MODEL_NAMES.get(model, model)


def score_label(facts: Facts) -> str:
    """Axis label of the human score that never calls simulated votes people."""
    who = "people" if facts.votes == HUMAN else f"{facts.votes} observers"
    return f"Score: share of {who} who saw a change"


def save_figure(figure: "Figure", path_pdf: str | Path, path_png: str | Path, dpi: int) -> None:
    """Write the figure as PDF and PNG, each atomically and without date or software name: same figure, same bytes.

    Args:
        figure: a figure of this package.
        path_pdf: vector file for the paper.
        path_png: pixel file for the report.
        dpi: pixels per inch of the PNG.

    Raises:
        HlfError: a file cannot be written.
    """
    with look():
        with atomic(path_pdf) as tmp:
            nothing = {"CreationDate": None, "Producer": None, "Creator": None}
            figure.savefig(tmp, format="pdf", metadata=nothing)  # type: ignore[arg-type]
        # the PDF holds pictures pixel by pixel; in the PNG they are shrunk without losing every other line
        for image in (image for ax in figure.axes for image in ax.images):
            image.set_interpolation("antialiased")
        with atomic(path_png) as tmp:
            figure.savefig(tmp, format="png", dpi=dpi, metadata={"Software": None})  # type: ignore[dict-item]
