"""Figure 5: the scheme of the HLF metric, drawn (paper Section 4.2)."""

from typing import TYPE_CHECKING, Any

from hlf.paper import style
from hlf.paper.facts import Facts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BOX, TRAINED, RESULT = "#EEF2F6", "#DCEBF7", "#FBE9DD"


def figure5(facts: Facts) -> "Figure":
    """SR and GT through one shared backbone, cosine of the embeddings, 1 - cosine regressed to the score.

    Args: facts, provenance for stamp and small print; the drawing itself does not depend on the run.
    """
    with style.look():
        page = style.new_page(style.PRINT_WIDTH, 2.75, facts, "HLF metric: method scheme")
        ax = page.box(0.1, 0.0, 7.0, 2.7)
        ax.set_xlim(0, 71)
        ax.set_ylim(0, 27)
        ax.set_aspect("equal")
        ax.set_axis_off()
        for y, name, letter in ((19, "SR image", "SR"), (7, "GT image", "GT")):
            _box(ax, 6, y, 10, 6, name, BOX)
            _box(ax, 33, y, 9, 5, f"$\\mathbf{{e}}_\\mathrm{{{letter}}}$", BOX)
            _arrow(ax, (11, y), (15, y))
            _arrow(ax, (25, y), (28.5, y))
            _arrow(ax, (37.5, y), (41.6, 13 + (1.6 if y > 13 else -1.6)))
        _box(ax, 20, 13, 10, 20, "Backbone\n(shared\nweights)", TRAINED)
        _box(ax, 46, 13, 9.5, 6, "Cosine\nsimilarity", BOX)
        _arrow(ax, (50.75, 13), (54, 13))
        _box(ax, 60, 13, 12, 6, "HLF =\n1 \u2212 cosine", RESULT)
        _box(ax, 60, 3.2, 17, 5.4, "score of the pair\nfrom its votes, 0 to 1", BOX)
        _arrow(ax, (60, 10), (60, 5.9), both=True)
        ax.text(61.2, 8, "regression loss", ha="left", va="center", fontsize=8, color=style.MUTED)
        ax.annotate(
            "", (20, 24.2), (60, 16), zorder=0,
            arrowprops={
                "arrowstyle": "-|>", "linestyle": "--", "color": style.STAMP_COLOR, "lw": 1.0,
                "connectionstyle": "angle,angleA=90,angleB=0,rad=3", "shrinkA": 0, "shrinkB": 0,
            },
        )  # fmt: skip
        ax.text(41, 24.9, "gradient (fine-tuning only)", ha="center", va="bottom", fontsize=8, color=style.STAMP_COLOR)
    return page.figure


def _box(ax: Any, x: float, y: float, width: float, height: float, text: str, color: str) -> None:
    """Rounded box centred at (x, y)."""
    from matplotlib.patches import FancyBboxPatch

    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0,rounding_size=0.8",
            facecolor=color, edgecolor=style.MUTED, linewidth=0.9,
        )
    )  # fmt: skip
    ax.text(x, y, text, ha="center", va="center", fontsize=8.5, linespacing=1.25)


def _arrow(ax: Any, start: tuple[float, float], end: tuple[float, float], both: bool = False) -> None:
    style_name = "<|-|>" if both else "-|>"
    ax.annotate("", end, start, arrowprops={"arrowstyle": style_name, "color": style.INK, "lw": 1.0, "shrinkA": 0})
