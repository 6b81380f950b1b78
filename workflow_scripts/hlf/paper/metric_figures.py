"""Figures beside Table 2: which rows differ from each other, and each metric's values against the score."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hlf.errors import HlfError
from hlf.paper import style
from hlf.paper.agreement import on_test_part
from hlf.paper.facts import Facts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# far apart in lightness too, so that a grey print still tells them apart
ROW_BETTER, COLUMN_BETTER, ALIKE, UNDEFINED = style.FIRST.upper(), "#F0B429", "#E9EDF0", "#FFFFFF"
# inches of a character of the row names at 7.5 points, a generous mean
_CHARACTER = 0.055


def significance_matrix(comparisons: "pd.DataFrame", order: Sequence[str], facts: Facts) -> "Figure":
    """Which rows of Table 2 differ: one cell per pair of rows, with the difference of their absolute SRCC.

    Below the diagonal only: the other half would say the same with the sign turned. Colours follow the verdicts, which
    hold at the Holm-corrected level 0.05; the printed sign says the same without colour.

    Args:
        comparisons: table of `agreement.comparisons`.
        order: names of the rows to show, from top to bottom, such as those of Table 2.
        facts: provenance for stamp and small print.

    Raises:
        HlfError: fewer than 2 names, a name twice, or a pair of names that was not compared.
    """
    from matplotlib.patches import Rectangle

    names = list(order)
    if len(names) < 2 or len(set(names)) < len(names):
        raise HlfError(f"significance matrix: expected at least 2 rows, each named once, received {names}")
    cells = _cells(comparisons)
    missing = [f"{a} / {b}" for i, a in enumerate(names) for b in names[:i] if (a, b) not in cells]
    if missing:
        raise HlfError(f"significance matrix: {len(missing)} pairs of rows were not compared, such as {missing[0]}")
    label = _CHARACTER * max(len(name) for name in names) + 0.15
    side = min(0.45, (style.PRINT_WIDTH - label - 0.15) / (len(names) - 1))
    plot = side * (len(names) - 1)
    width = max(5.2, label + plot + 0.15)
    with style.look():
        page = style.new_page(
            width, plot + label + 0.6, facts, "Which rows differ in absolute SRCC (row \u2212 column)"
        )
        ax = page.box(label + (width - label - plot - 0.15) / 2, label + 0.5, plot, plot)
        for i, row in enumerate(names[1:]):
            for j, column in enumerate(names[: i + 1]):
                _draw_cell(ax, j, i, cells[row, column])
        ax.set_xlim(0, len(names) - 1)
        ax.set_ylim(len(names) - 1, 0)
        ax.set_xticks(np.arange(len(names) - 1) + 0.5, names[:-1], rotation=90, fontsize=7.5)
        ax.set_yticks(np.arange(len(names) - 1) + 0.5, names[1:], fontsize=7.5)
        ax.tick_params(length=0)
        ax.spines[["left", "bottom"]].set_visible(False)
        shown = [(ROW_BETTER, "row better"), (COLUMN_BETTER, "column better"), (ALIKE, "not distinguishable")]
        if any(np.isnan(cells[row, column][0]) for i, row in enumerate(names) for column in names[:i]):
            shown.append((UNDEFINED, "undefined"))
        for color, text in shown:
            # outside the limits, for the legend only
            ax.add_patch(Rectangle((-2, -2), 1, 1, facecolor=color, edgecolor=style.MUTED, linewidth=0.5, label=text))
        page.legend(ax, 0.1, columns=4)
    return page.figure


def _cells(comparisons: "pd.DataFrame") -> dict[tuple[str, str], tuple[float, str]]:
    """Difference row - column and colour of both cells of every comparison, by (row, column)."""
    cells = {}
    columns = [comparisons[c].tolist() for c in ("metric_a", "metric_b", "srcc_difference", "verdict")]
    for a, b, difference, verdict in zip(*columns, strict=True):
        for row, column, sign, better in ((a, b, 1, "a"), (b, a, -1, "b")):
            if verdict in ("undefined", "not distinguishable"):
                color = UNDEFINED if verdict == "undefined" else ALIKE
            else:
                color = ROW_BETTER if verdict == f"{better} better" else COLUMN_BETTER
            cells[row, column] = sign * difference, color
    return cells


def _draw_cell(ax: Any, x: int, y: int, cell: tuple[float, str]) -> None:
    from matplotlib.patches import Rectangle

    difference, color = cell
    ax.add_patch(Rectangle((x, y), 1, 1, facecolor=color, edgecolor="white", linewidth=1.0))
    # two digits and no zero before the point, or fifteen columns would not fit the page
    digits = f"{round(difference, 2) + 0.0:+.2f}".replace("0.", ".", 1).replace("-", "\u2212")
    text = "\u2013" if np.isnan(difference) else digits
    ink = "white" if color == ROW_BETTER else style.INK
    ax.text(x + 0.5, y + 0.52, text, ha="center", va="center", fontsize=6.5, color=ink)


def metric_scatter_panel(
    values: "pd.DataFrame", scores: "pd.DataFrame", split: "pd.DataFrame", facts: Facts
) -> "Figure":
    """Score against each metric's value on the test part, one small plot per metric, with the fitted logistic.

    The curve is the 4-parameter logistic behind "PLCC logistic" and RMSE; where the fit fails there is none. Values
    that are not finite are left out, and n says how many pairs are shown.

    Args:
        values: tidy values as `tables.table2_values` gives them; plots in order of first appearance.
        scores: table `scores`.
        split: table `split`.
        facts: provenance for stamp and small print.

    Raises:
        HlfError: as `agreement.on_test_part`.
    """
    truth, wide = on_test_part(values, scores, split)
    names = [str(name) for name in wide]
    columns = min(3, len(names)) if len(names) <= 6 else 4
    lines = max(len(_wrapped(name)) for name in names) + 1
    top = 0.16 * lines
    rows = -(-len(names) // columns)
    with style.look():
        width = max(5.2, 1.675 * columns + 0.5)
        page = style.new_page(width, rows * (1.25 + top + 0.3) + 0.81, facts, "Metrics against the score, test part")
        # room for the tick labels below each plot and the titles of the next one
        axes = page.grid(rows, columns, left=0.6, bottom=1.06, top=top + 0.05, across=0.3, along=top + 0.3)
        flat = [ax for row in axes for ax in row]
        for index, (ax, name) in enumerate(zip(flat, names, strict=False)):
            _panel(ax, wide[name].to_numpy(float), truth, name)
            ax.tick_params(labelleft=index % columns == 0)
            if index % columns == 0:
                ax.set_ylabel("Score")
        for ax in flat[len(names) :]:
            ax.set_axis_off()
        page.label("Across: value of the measure", 0.58)
        page.label(f"Up: {style.score_label(facts).removeprefix('Score: ')}", 0.36)
        page.legend(flat[0], 0.1, columns=6)
    return page.figure


def _wrapped(name: str) -> list[str]:
    return textwrap.wrap(name, 26)


def _panel(ax: Any, values: "np.ndarray", truth: "pd.DataFrame", name: str) -> None:
    """Points by SR model, the curve, and the signed SRCC in the title."""
    from matplotlib.ticker import MaxNLocator, NullLocator

    from hlf import stats

    good = np.isfinite(values)
    x, y, models = values[good], truth["score"].to_numpy(float)[good], truth["model"].to_numpy()[good]
    marks = style.model_marks(truth["model"])
    for model, color in style.model_colors(truth["model"]).items():
        of, look = models == model, {"s": 9, "color": color, "marker": marks[model], "alpha": 0.6, "lw": 0}
        ax.scatter(x[of], y[of], label=style.model_name(model), **look)
    try:
        numbers = f"SRCC {stats.srcc(x, y):.3f}, n = {len(x)}".replace("-", "\u2212")
        fit = stats.logistic4(x, y)
    except HlfError:
        numbers, fit = f"SRCC undefined, n = {len(x)}", None
    if fit is not None and fit.status == "ok":
        along = np.linspace(x.min(), x.max(), 200)
        ax.plot(along, fit.curve(along), color=style.INK, lw=1.2)
    ax.set_title("\n".join([*_wrapped(name), numbers]), fontsize=7)
    ax.set_ylim(-0.06, 1.06)
    ax.set_yticks([0.0, 0.5, 1.0])
    ax.xaxis.set_major_locator(MaxNLocator(nbins=3) if len(x) else NullLocator())
    ax.tick_params(labelsize=7)
    ax.grid()
