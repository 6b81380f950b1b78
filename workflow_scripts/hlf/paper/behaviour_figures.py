"""Figures of how the metric behaves: ROC curves on planted edits, and mild changes against them."""

from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.metric.behaviour import EDIT, MILDS
from hlf.paper import style
from hlf.paper.behaviour import ALL, CHANGED_KINDS, MILD_NAMES, by_metric, invariance_table, is_changed
from hlf.paper.facts import Facts
from hlf.scenes.edits import TEXTURE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CUT = 2.5  # longest bar of the invariance figure; what is longer is cut and says how long


def roc_panel(table: "pd.DataFrame", threshold: float, facts: Facts) -> "Figure":
    """ROC of each metric on planted edits against texture-only edits, one plot per kind and one for all.

    Args:
        table: table `behaviour`.
        threshold: predicted share of viewers whose operating point is marked on tuned metrics.
        facts: provenance for stamp and small print.

    Raises:
        HlfError: as `behaviour.behaviour_table`.
    """
    metrics = list(by_metric(table, EDIT))
    colors = _colors(table)
    columns = min(4, len(metrics))
    rows = -(-len(metrics) // columns)
    with style.look():
        title = "Planted edits of content against edits of texture only"
        page = style.new_page(style.PRINT_WIDTH, 2.75 + 0.16 * rows, facts, title)
        axes = page.grid(1, 4, left=0.55, bottom=0.75 + 0.16 * rows, across=0.2)[0]
        for ax, kind in zip(axes, (*CHANGED_KINDS, ALL), strict=True):
            for name, part in metrics:
                _roc(ax, part, kind, threshold, name, colors[str(part["backbone"].iloc[0])])
            ax.plot([0, 1], [0, 1], color=style.MUTED, lw=0.7, ls=":", zorder=0)
            ax.set_title(kind.capitalize(), fontsize=8.5)
            ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
            ax.set_yticks([0, 0.5, 1])
            ax.set_xlim(-0.03, 1.03)
            ax.set_ylim(-0.03, 1.03)
            ax.grid()
            ax.tick_params(labelleft=ax is axes[0])
        axes[0].set_ylabel("Sensitivity")
        page.label(
            f"False alarms: share of texture-only edits (dots: at a predicted share of {threshold:g})",
            0.22 + 0.16 * rows,
        )
        page.legend(axes[0], 0.1, columns=columns)
    return page.figure


def _roc(ax: Any, part: "pd.DataFrame", kind: str, threshold: float, name: str, color: str) -> None:
    from hlf import stats

    some = part[part["kind"].isin([kind, TEXTURE])] if kind != ALL else part
    changed = is_changed(some)
    alarms, hits = stats.roc(some["value"].to_numpy(float), changed)
    tuned = bool(some["tuned"].iloc[0])
    ax.plot(alarms, hits, color=color, lw=1.5 if tuned else 1.0, ls="-" if tuned else "--", label=name)
    if tuned:  # only their values are shares of viewers
        above = some["share"].to_numpy(float) >= threshold
        ax.plot(above[changed == 0].mean(), above[changed == 1].mean(), "o", ms=4.5, color=color, mec="white", mew=0.7)


def invariance_bars(table: "pd.DataFrame", facts: Facts) -> "Figure":
    """Mean value under each mild change over the median planted edit, one plot per backbone.

    Args: table `behaviour`; facts, provenance for stamp and small print. Raises: as `behaviour.invariance_table`.
    """
    rows = invariance_table(table).set_index("metric")
    colors = _colors(table)
    names = {
        key: str(part["metric"].iloc[0]) for key, part in ((_key(part), part) for _, part in by_metric(table, EDIT))
    }
    ways = list(MILDS)
    with style.look():
        width = min(style.PRINT_WIDTH, max(5.2, 1.45 * len(colors) + 1.1))
        page = style.new_page(width, 3.3, facts, "Mild changes against the median planted edit")
        axes = page.grid(1, len(colors), left=0.95, bottom=0.75, top=0.3, across=0.15)[0]
        for ax, (backbone, color) in zip(axes, colors.items(), strict=True):
            kinds = [tuned for tuned in (False, True) if (backbone, tuned) in names]
            for tuned in kinds:  # not every backbone is fine-tuned
                offset = 0.0 if len(kinds) == 1 else 0.19 if tuned else -0.19
                _bars(ax, [float(rows[w][names[backbone, tuned]]) for w in ways], offset, color, tuned)
            ax.axvline(1, color=style.STAMP_COLOR, lw=0.9, label="median planted edit")
            ax.set_title(names[backbone, kinds[0]], fontsize=7)
            ax.set_xlim(0, CUT + 0.05)
            ax.set_yticks(range(len(ways)), [MILD_NAMES[w] for w in ways])
            ax.tick_params(labelleft=ax is axes[0])
            ax.set_ylim(len(ways) - 0.5, -0.5)
            ax.grid(axis="x")
        page.label("Value / median value of planted edits of content", 0.36)
        page.legend(max(axes, key=lambda ax: len(ax.get_legend_handles_labels()[1])), 0.1, columns=3)
    return page.figure


def _bars(ax: Any, values: list[float], offset: float, color: str, tuned: bool) -> None:
    at = [i + offset for i in range(len(values))]
    shown = [min(v, CUT) for v in values]
    look = {"color": color} if tuned else {"color": "white", "edgecolor": color, "hatch": "////", "linewidth": 0.8}
    ax.barh(at, shown, 0.36, label="fine-tuned" if tuned else "zero-shot", **look)
    for y, value in zip(at, values, strict=True):
        if value > CUT:
            ax.text(
                CUT, y, f"{value:.1f} ", ha="right", va="center", fontsize=6.5, color=style.INK,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
            )  # fmt: skip


def _key(part: "pd.DataFrame") -> tuple[str, bool]:
    return str(part["backbone"].iloc[0]), bool(part["tuned"].iloc[0])


def _colors(table: "pd.DataFrame") -> dict[str, str]:
    """Colour of each backbone, in the order of Table 3."""
    backbones = list(dict.fromkeys(_key(part)[0] for _, part in by_metric(table, EDIT)))
    if len(backbones) > len(style.BACKBONE_COLORS):
        raise HlfError(
            f"figures of behaviour have {len(style.BACKBONE_COLORS)} colours, got {len(backbones)} backbones"
        )
    return dict(zip(backbones, style.BACKBONE_COLORS, strict=False))
