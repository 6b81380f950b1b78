"""Figures made of numbers: sampling (3.1), score distribution (Figure 4), metric against score, learning curves."""

from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.paper import style
from hlf.paper.facts import Facts
from hlf.paper.tables import part_scores, row_name

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure


def similarity_histogram(
    similarity: "pd.DataFrame", pairs: "pd.DataFrame", strata: "pd.DataFrame", facts: Facts
) -> "Figure":
    """Candidates before and chosen pairs after sampling, stacked by SR model over the sampling bins (Section 3.1).

    Args:
        similarity: table `similarity`, one row per candidate.
        pairs: table `pairs`, the chosen ones.
        strata: table `strata`, whose `low` and `high` are the bins' edges in cosine similarity.
        facts: provenance for stamp and small print.

    Raises:
        HlfError: a table is empty, or the edges of one bin differ between SR models.
    """
    import numpy as np

    if similarity.empty or pairs.empty or strata.empty:
        raise HlfError("similarity histogram: expected candidates, chosen pairs and strata, received an empty table")
    bins = strata[["bin", "low", "high"]].drop_duplicates().sort_values("bin")
    if bins["bin"].duplicated().any():
        raise HlfError("similarity histogram: expected the same bin edges for every SR model in the strata table")
    edges = np.append(bins["low"].to_numpy(float), float(bins["high"].iloc[-1]))
    with style.look():
        page = style.new_page(style.PRINT_WIDTH, 3.1, facts, "GT-SR similarity before and after sampling")
        axes = page.grid(1, 2, left=0.6, bottom=1.0, across=0.6, right=0.3)[0]
        for ax, table, word in ((axes[0], similarity, "Candidates"), (axes[1], pairs, "Chosen pairs")):
            models = style.model_order(similarity["model"])
            counts = {
                m: np.histogram(np.clip(table.loc[table["model"] == m, "similarity"], edges[0], edges[-1]), edges)[0]
                for m in models
            }
            _stack(ax, edges, counts)
            ax.set_title(f"{word} (n = {len(table)})")
            ax.set_xlabel("PE-core cosine similarity (higher = more alike)")
            names = [f"{e:.2f}".replace("-", "\u2212") for e in edges]
            ax.set_xticks(edges, names, rotation=45 if len(edges) > 6 else 0)
        axes[0].set_ylabel("Pairs")
        page.legend(axes[0], 0.1, columns=6)
    return page.figure


def figure4(scores: "pd.DataFrame", facts: Facts, bins: int = 10) -> "Figure":
    """Distribution of the human score, stacked by SR model (the paper's Figure 4); only complete pairs.

    Args:
        scores: table `scores`, score in [0, 1], higher = more people saw a change.
        facts: provenance for stamp and small print.
        bins: equal bins over [0, 1]; the paper does not say how many.

    Raises:
        HlfError: no pair has a complete score.
    """
    import numpy as np

    table = scores[scores["status"] == "complete"]
    if table.empty:
        raise HlfError("Figure 4: no pair has a complete score; collect more votes")
    edges = np.linspace(0.0, 1.0, bins + 1)
    # by index, not by comparing with edges: 0.3 lies in the fourth bin although the float edge is 0.30000000000000004
    index = np.minimum((table["score"].to_numpy() * bins + 1e-9).astype(int), bins - 1)
    models = table["model"].to_numpy()
    names = style.model_order(models)
    counts = {m: np.bincount(index[models == m], minlength=bins) for m in names}
    means = {m: float(table.loc[table["model"] == m, "score"].mean()) for m in names}
    labels = {m: f"{style.model_name(m)} (n = {int(counts[m].sum())}, mean {means[m]:.2f})" for m in names}
    with style.look():
        rows = -(-len(names) // 2)
        page = style.new_page(6.0, 2.95 + 0.2 * rows, facts, f"Fidelity score by SR model (n = {len(table)})")
        ax = page.grid(1, 1, left=0.6, bottom=0.6 + 0.2 * rows, top=0.1, right=0.2)[0][0]
        _stack(ax, edges, counts, labels)
        ax.set_xticks(np.linspace(0, 1, 6 if bins % 5 == 0 else bins + 1))
        ax.set_xlabel(f"{style.score_label(facts)} (lower is better)")
        ax.set_ylabel("Pairs")
        page.legend(ax, 0.1, columns=2)
    return page.figure


def _stack(ax: Any, edges: "np.ndarray", counts: dict[str, "np.ndarray"], labels: dict[str, str] | None = None) -> None:
    """Bars of the given edges, one layer per SR model."""
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    bottom = np.zeros(len(edges) - 1)
    colors = style.model_colors(counts)
    for model, heights in counts.items():
        label = labels[model] if labels else style.model_name(model)
        ax.bar(
            edges[:-1], heights, np.diff(edges), bottom, align="edge", color=colors[model], edgecolor="white",
            linewidth=0.5, label=label,
        )  # fmt: skip
        bottom = bottom + heights
    ax.set_xlim(edges[0], edges[-1])
    ax.grid(axis="y")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))


def figure_metric_scatter(
    metric_scores: "pd.DataFrame", scores: "pd.DataFrame", split: "pd.DataFrame", facts: Facts
) -> "Figure":
    """HLF prediction against the human score on the test part: a column per backbone, zero-shot above tuned.

    Args:
        metric_scores: table `metric_scores`, value = 1 - cosine.
        scores: table `scores`.
        split: table `split`.
        facts: provenance for stamp and small print.

    Raises:
        HlfError: the test part is empty, or lacks scores (see `tables.part_scores`).
    """
    truth = part_scores(scores, split)
    table = metric_scores.merge(truth[["pair_id", "model", "score"]], on="pair_id", validate="many_to_one")
    if table.empty:
        raise HlfError("metric scatter: no test pair has a prediction; run the metric on the test part")
    backbones = style.backbone_order(table["backbone"])
    kinds = [t for t in (False, True) if (table["tuned"] == t).any()]
    with style.look():
        width = min(style.PRINT_WIDTH, max(5.2, 2.6 * len(backbones) + 0.6))
        title = "HLF prediction against the score, test part"
        page = style.new_page(width, 1.85 * len(kinds) + 0.75, facts, title)
        axes = page.grid(len(kinds), len(backbones), left=0.55, bottom=0.85, top=0.5, across=0.33, along=0.8)
        for i, tuned in enumerate(kinds):
            for j, backbone in enumerate(backbones):
                some = table[(table["backbone"] == backbone) & (table["tuned"] == tuned)]
                _scatter(axes[i][j], some, backbone, tuned)
            # not every backbone is fine-tuned, so the first place of a row may be empty
            drawn = next(ax for ax in axes[i] if ax.collections)
            drawn.set_ylabel(f"{'Fine-tuned' if tuned else 'Zero-shot'}: 1 \u2212 cosine")
        page.label(style.score_label(facts), 0.4)
        page.legend(axes[0][0], 0.1, columns=6)
    return page.figure


def _scatter(ax: Any, table: "pd.DataFrame", backbone: str, tuned: bool) -> None:
    """One panel; zero-shot values have a range of their own, tuned ones are the score's."""
    from hlf import stats

    if table.empty:
        ax.set_axis_off()
        return
    colors, marks = style.model_colors(table["model"]), style.model_marks(table["model"])
    for model, color in colors.items():
        some = table[table["model"] == model]
        look = {"s": 11, "color": color, "marker": marks[model], "alpha": 0.65, "lw": 0}
        ax.scatter(some["score"], some["value"], label=style.model_name(model), **look)
    try:
        a, b = table["value"].to_numpy(float), table["score"].to_numpy(float)
        numbers = f"SRCC {stats.srcc(a, b):.3f}\nPLCC {stats.plcc(a, b):.3f}, n = {len(table)}".replace("-", "\u2212")
    except HlfError:
        numbers = f"undefined\nn = {len(table)}"
    ax.set_title(f"{row_name(backbone, False, str(table['zoo'].iloc[0]))}\n{numbers}", fontsize=7)
    ax.set_xlim(-0.06, 1.06)
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    ax.tick_params(labelsize=7)
    if tuned:
        ax.plot([0, 1], [0, 1], color=style.MUTED, lw=0.8, ls="--", zorder=0)
        ax.set_ylim(-0.04, max(1.04, float(table["value"].max()) + 0.04))
    ax.grid()


def learning_curves(history: "pd.DataFrame", facts: Facts) -> "Figure":
    """Loss and SRCC of the fine-tuning by epoch, a column per backbone; the kept epoch is marked.

    Args:
        history: columns backbone, epoch (0 = untouched), train_loss, train_srcc, validation_loss, validation_srcc (0
            where it is undefined).
        facts: provenance for stamp and small print.

    Raises:
        HlfError: the history is empty.
    """
    if history.empty:
        raise HlfError("learning curves: the training history is empty")
    backbones = style.backbone_order(history["backbone"])
    with style.look():
        # the columns share their axes, so that five fit a printed page
        page = style.new_page(style.PRINT_WIDTH, 4.4, facts, "Fine-tuning of the backbones")
        right = 0.15 if len(backbones) > 1 else 2.5
        axes = page.grid(2, len(backbones), left=0.6, bottom=0.85, right=right, across=0.15, along=0.2)
        for j, backbone in enumerate(backbones):
            table = history[history["backbone"] == backbone].sort_values("epoch")
            axes[0][j].sharex(axes[1][j])
            for ax, first, what in ((axes[0][j], axes[0][0], "loss"), (axes[1][j], axes[1][0], "srcc")):
                # before anything is drawn, or the limits would be those of the first column alone
                if j:
                    ax.sharey(first)
                _curves(ax, table, what)
                ax.tick_params(labelleft=j == 0, labelbottom=what == "srcc")
            axes[0][j].set_title(row_name(backbone, False, facts.zoo), fontsize=8)
        axes[0][0].set_ylabel("Mean squared error")
        axes[1][0].set_ylabel("SRCC")
        page.figure.align_ylabels()
        page.label("Epoch (0 = untouched)", 0.36)
        page.legend(axes[0][0], 0.1, columns=3)
    return page.figure


def _curves(ax: Any, table: "pd.DataFrame", what: str) -> None:
    """Training and validation part of one backbone, "loss" or "srcc"."""
    from matplotlib.ticker import MaxNLocator

    for part, color, mark, line in (("training", style.FIRST, "s", "-"), ("validation", style.SECOND, "o", "--")):
        values = table[f"{'train' if part == 'training' else part}_{what}"]
        ax.plot(table["epoch"], values, color=color, marker=mark, ms=3, lw=1.4, ls=line, label=f"{part} part")
    best = int(table["epoch"].to_numpy()[int(table["validation_loss"].to_numpy().argmin())])
    ax.axvline(best, color=style.MUTED, lw=0.9, ls=":", label="lowest validation loss (kept)")
    ax.grid()
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
