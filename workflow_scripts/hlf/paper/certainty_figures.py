"""Figures on how sure Table 3 is: all rows with the human ceiling, and whether a prediction means what it says."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hlf.errors import HlfError
from hlf.paper import style
from hlf.paper.certainty import predictions
from hlf.paper.facts import Facts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from hlf.metric.calibration import Calibration

# measures, untouched and fine-tuned backbones; the ceiling
MEASURE, UNTOUCHED, TUNED, CEILING = style.MUTED, style.FIRST, style.SECOND, style.THIRD
MARKS = {MEASURE: "o", UNTOUCHED: "s", TUNED: "^"}  # so that the rows are told apart without colours too
_ROW = 0.2  # inches of a row of `ranking`


def ranking(table2: "pd.DataFrame", table3: "pd.DataFrame", ceiling: "pd.DataFrame", facts: Facts) -> "Figure":
    """Absolute SRCC of every row of Tables 2 and 3 as a dot with its interval, and the human ceiling as a line.

    An open diamond is the mean over folds where the table has them. A row whose SRCC is undefined says so.

    Args:
        table2: of `tables.table2`.
        table3: of `tables.table3`, with or without folds.
        ceiling: of `agreement.ceiling`; without a ceiling no line is drawn.
        facts: provenance for stamp and small print.

    Raises:
        HlfError: both tables are empty.
    """
    import pandas as pd

    kinds = [MEASURE] * len(table2) + [TUNED if name.startswith("(ft)") else UNTOUCHED for name in table3["metric"]]
    rows = pd.concat([table2, table3], ignore_index=True)
    if rows.empty:
        raise HlfError("ranking: expected rows of Table 2 or 3, received none")
    with style.look():
        plot = _ROW * len(rows) + 0.1
        page = style.new_page(
            style.PRINT_WIDTH, plot + 1.15, facts, "Rank correlation with the score, and the human ceiling"
        )
        ax = page.box(2.35, 1.0, 4.7, plot)
        _ceiling(ax, ceiling)
        for y, (row, color) in enumerate(zip(rows.to_dict("records"), kinds, strict=True)):
            _row(ax, y, row, color)
        for color, text in ((MEASURE, "measure"), (UNTOUCHED, "untouched backbone"), (TUNED, "fine-tuned backbone")):
            if color in kinds:
                ax.plot([], [], MARKS[color], ms=4.5, color=color, label=f"{text}, test part")
        if "srcc_folds_mean" in rows:
            ax.plot([], [], "D", ms=4.5, mfc="white", mec=style.INK, mew=0.9, label="mean of folds")
        ax.set_xlim(0, 1)
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_yticks(range(len(rows)), rows["metric"], fontsize=7.5)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("Absolute SRCC, 95 % interval")
        ax.grid(axis="x")
        page.legend(ax, 0.08, columns=3)
    return page.figure


def _row(ax: Any, y: int, row: dict[Any, Any], color: str) -> None:
    if np.isnan(row["srcc"]):
        ax.text(0.01, y, "undefined", va="center", fontsize=7, color=style.MUTED)
        return
    if not np.isnan(row["srcc_low"]):
        ax.plot([row["srcc_low"], row["srcc_high"]], [y, y], color=color, lw=1.6, solid_capstyle="butt")
    ax.plot(row["srcc"], y, MARKS[color], ms=4.5, color=color)
    mean = row.get("srcc_folds_mean", float("nan"))
    if not np.isnan(mean):
        ax.plot(mean, y, "D", ms=4.5, mfc="white", mec=color, mew=0.9)


def _ceiling(ax: Any, ceiling: "pd.DataFrame") -> None:
    """Line and band of what as many new votes would reach, and a dashed line of what endless ones would."""
    row = ceiling.set_index("correlation").loc["SRCC"]
    if row["status"] != "ok":
        return
    ax.axvspan(row["full_low"], row["full_high"], color=CEILING, alpha=0.15, lw=0)
    ax.axvline(row["full"], color=CEILING, lw=1.4, label="ceiling: as many new votes")
    ax.axvline(row["truth"], color=CEILING, lw=1.0, ls="--", label="ceiling: endless votes")


def reliability_diagram(
    metric_scores: "pd.DataFrame",
    scores: "pd.DataFrame",
    split: "pd.DataFrame",
    calibrations: "Mapping[str, Calibration | None]",
    facts: Facts,
    n_boot: int,
    seed: int,
) -> "Figure":
    """Predicted against observed share on the test part, one panel per fine-tuned backbone, raw and calibrated.

    Dots are means of bins of equally many pairs, with 95 % bootstrap intervals over GT images; on the diagonal a
    prediction means what it says. Calibration error (ECE) and mean squared error stand in the panel.

    Args:
        metric_scores: see `certainty.predictions`, as are the next three.
        scores: see there.
        split: see there.
        calibrations: see there.
        facts: provenance for stamp and small print.
        n_boot: resamples over GT images.
        seed: the run's seed.

    Raises:
        HlfError: as `certainty.predictions`.
    """
    truth, found = predictions(metric_scores, scores, split, calibrations)
    y, groups = truth["score"].to_numpy(float), truth["image_id"].tolist()
    columns = len(found) if len(found) < 4 else 2 if len(found) == 4 else 3
    rows = -(-len(found) // columns)
    with style.look():
        side = min(2.6, (style.PRINT_WIDTH - 0.85) / columns - 0.3)
        width, height = max(5.2, columns * (side + 0.3) + 0.65), rows * (side + 0.5) + 0.9
        page = style.new_page(width, height, facts, "Does a prediction mean what it says? Test part")
        right = width - 0.65 - columns * side - 0.3 * (columns - 1)
        axes = page.grid(rows, columns, left=0.65, bottom=0.95, right=right, top=0.35, across=0.3, along=0.5)
        flat = [ax for line in axes for ax in line]
        for index, (ax, (name, kinds)) in enumerate(zip(flat, found.items(), strict=False)):
            _reliability(ax, kinds, y, groups, n_boot, seed)
            ax.set_title(name, fontsize=8.5)
            ax.tick_params(labelleft=index % columns == 0)
            if index % columns == 0:
                ax.set_ylabel("Observed share")
        for ax in flat[len(found) :]:
            ax.set_axis_off()
        page.label("Predicted share of viewers who see a change", 0.38)
        page.legend(flat[0], 0.08, columns=3)
    return page.figure


def _reliability(
    ax: Any, kinds: dict[str, np.ndarray], y: np.ndarray, groups: list[str], n_boot: int, seed: int
) -> None:
    """One panel: the diagonal, and a line of bins for raw and calibrated values."""
    from hlf import stats

    ax.plot([0, 1], [0, 1], color=style.MUTED, lw=0.8, ls="--", zorder=0)
    edges = [0.0]
    for place, (kind, values) in enumerate(kinds.items()):
        color, mark = (style.MUTED, "s") if kind == "raw" else (TUNED, "o")
        bins = stats.reliability(values, y, groups, n_boot, seed)
        x, seen = ([getattr(b, field) for b in bins] for field in ("predicted", "observed"))
        edges.append(max(x))
        for b in bins:
            ax.plot([b.predicted] * 2, [b.low, b.high], color=color, lw=1.0, alpha=0.6)
        label = "raw: 1 \u2212 cosine" if kind == "raw" else f"calibrated ({kind})"
        ax.plot(x, seen, color=color, lw=1.2, marker=mark, ms=4, mfc="white" if kind == "raw" else color, label=label)
        numbers = f"{kind}: ECE {stats.calibration_error(bins):.3f}, MSE {np.mean((values - y) ** 2):.3f}"
        ax.text(0.03, 0.97 - 0.09 * place, numbers, transform=ax.transAxes, va="top", fontsize=6.8, color=color)
    # raw values may exceed 1, and the mean of a bin with them
    ax.set_xlim(-0.04, max(1.04, *(edge + 0.04 for edge in edges)))
    ax.set_ylim(-0.04, 1.28)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "0.25", "0.5", "0.75", "1"])
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "0.25", "0.5", "0.75", "1"])
    ax.grid()
