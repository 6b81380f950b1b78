"""Figure on the votes themselves (paper 3.1): votes per pair, people, order of trials, reaction times."""

from typing import TYPE_CHECKING, Any

import numpy as np

from hlf.paper import style
from hlf.paper.facts import HUMAN, Facts
from hlf.paper.study_report import complete_votes, observers

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STUDY_VOTES_TITLE = "The votes"
STUDY_VOTES_CAPTION = (
    "Valid votes of each pair; each observer's share of yes answers against failed traps (crosses do not count); the "
    "yes rate by place in the sitting with 95 % intervals over people, beside the mean score of the pairs shown there, "
    "from which tired people would drift away; and the reaction time by score of the pair, where times are known."
)
# counted people, people left out
KEPT, OUT = style.FIRST, style.SECOND


def study_votes(votes: "pd.DataFrame", scores: "pd.DataFrame", facts: Facts, n_boot: int, seed: int) -> "Figure":
    """Three panels on the votes of a study, four where reaction times are known.

    Args:
        votes: table `votes`, one source, with a column rt_active_ms where known.
        scores: table `scores`.
        facts: provenance for stamp and small print.
        n_boot: resamples of the people.
        seed: the run's seed.

    Raises:
        HlfError: as `study_report.complete_votes`.
    """
    from hlf.study.results.summary import order_means, rt_by_score

    used = complete_votes(votes, scores)
    times = rt_by_score(used)
    order = order_means(used, n_boot, seed)
    who = "people" if facts.votes == HUMAN else f"{facts.votes} observers"
    with style.look():
        rows, columns = (2, 2) if len(times) else (1, 3)
        page = style.new_page(
            style.PRINT_WIDTH, 2.6 * rows, facts, f"The votes of {votes['participant'].nunique()} {who}"
        )
        axes = page.grid(rows, columns, left=0.6, bottom=0.6, top=0.3, across=0.65, along=0.85)
        flat = [ax for line in axes for ax in line]
        _votes_per_pair(flat[0], scores)
        _people(flat[1], observers(votes))
        _order(flat[2], order)
        if len(times):
            _times(flat[3], times)
    return page.figure


def _votes_per_pair(ax: Any, scores: "pd.DataFrame") -> None:
    from matplotlib.ticker import MaxNLocator

    counts = np.bincount(scores["n_valid"].to_numpy(dtype=int))
    first = int(np.flatnonzero(counts)[0])
    ax.bar(np.arange(first, len(counts)), counts[first:], width=0.8, color=style.MUTED)
    ax.set_xlim(first - 1.2, len(counts) + 0.2)
    ax.set_xlabel("Valid votes")
    ax.set_ylabel("Pairs")
    ax.set_title("Votes per pair")
    ax.grid(axis="y")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, nbins=6))


def _people(ax: Any, table: "pd.DataFrame") -> None:
    """Yes rate against the share of failed traps; nobody's dot hides another's fully, because they are transparent."""
    share = table["traps_failed"] / table["traps"].where(table["traps"] > 0)
    for counted, color, mark, words in (("yes", KEPT, "o", "counted"), ("no", OUT, "x", "left out")):
        own = table["counted"] == counted
        if own.any():
            ax.plot(share[own], table["yes_rate"][own], mark, color=color, ms=4.5, alpha=0.6, label=words)
    if share.isna().any():
        ax.text(0.5, 0.02, f"{int(share.isna().sum())} saw no trap", ha="center", fontsize=7.5, color=style.MUTED)
    ax.set_xlim(-0.04, 1.04)
    ax.set_ylim(-0.04, 1.3)
    ax.set_xticks([0, 0.5, 1])
    ax.set_yticks([0, 0.5, 1])
    ax.set_xlabel("Failed traps (share)")
    ax.set_ylabel("Yes rate")
    ax.set_title("Each observer")
    ax.legend(loc="upper right", ncols=2, handletextpad=0.1, columnspacing=0.8, borderpad=0)
    ax.grid()


def _order(ax: Any, table: "pd.DataFrame") -> None:
    from matplotlib.ticker import MaxNLocator

    place = table["place"]
    ax.vlines(place, table["low"], table["high"], color=KEPT, lw=1.4)
    ax.plot(place, table["mean"], "o", ms=4, color=KEPT, label="votes")
    ax.plot(place, table["expected"], color=style.MUTED, lw=1.0, ls="--", label="pairs' scores")
    ax.set_ylim(-0.04, 1.3)
    ax.set_yticks([0, 0.5, 1])
    ax.set_xlabel("Trial of the sitting, no traps")
    ax.set_ylabel("Yes rate")
    ax.set_title("Order of trials")
    ax.legend(loc="upper right", ncols=2, handlelength=1.2, handletextpad=0.3, columnspacing=0.8, borderpad=0)
    ax.grid()
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))


def _times(ax: Any, table: "pd.DataFrame") -> None:
    """Median and quartiles of the reaction time, in seconds, by score of the pair."""
    middle = (table["low"] + table["high"]) / 2
    ax.vlines(middle, table["q25_ms"] / 1000, table["q75_ms"] / 1000, color=KEPT, lw=1.4)
    ax.plot(middle, table["median_ms"] / 1000, "o", ms=4, color=KEPT)
    ax.set_xlim(0, 1)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("Score of the pair")
    ax.set_ylabel("Reaction time (s)")
    ax.set_title("Median and quartiles of the time")
    ax.grid()
