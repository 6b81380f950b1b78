"""How well people agree with people: the ceiling of every metric that is judged against their scores."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlf.columns import image_of
from hlf.errors import HlfError
from hlf.seeds import generator
from hlf.stats.correlation import MIN_PAIRS, plcc, srcc
from hlf.stats.resampling import MAX_UNDEFINED, draw_groups, percentile_interval, resampled_correlations

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# two votes in each half; with one a half's mean is a single vote
MIN_VOTES = 4
# splits that each resample of the interval is averaged over; more hardly narrow it
_SPLITS_IN_INTERVAL = 20
# splits drawn together, which bounds the memory
_TOGETHER = 64


@dataclass(frozen=True)
class Agreement:
    """One correlation between halves of the votes, in [-1, 1].

    Attributes:
        half: mean over the splits of the correlation between the halves' mean scores.
        full: `half` stepped up to all votes (Spearman-Brown): the correlation that the scores would have with those of
            as many new people.
        low: lower end of the 95 % bootstrap interval of `full` over GT groups.
        high: upper end.
        truth: square root of `full`, 0 if that is negative: the correlation of the scores with the yes rate that
            endless votes would give.
    """

    half: float
    full: float
    low: float
    high: float
    truth: float


@dataclass(frozen=True)
class Ceiling:
    """Agreement of the votes with themselves.

    Attributes:
        srcc: by SRCC.
        plcc: by PLCC.
        n: pairs.
        fewest: votes of the pair with the fewest.
        most: votes of the pair with the most.
    """

    srcc: Agreement
    plcc: Agreement
    n: int
    fewest: int
    most: int


def human_ceiling(votes: "pd.DataFrame", splits: int, seed: int, n_boot: int = 1000) -> Ceiling:
    """Correlation of the mean scores of two random halves of the people who judged each pair.

    What it bounds: no metric can be expected to correlate with the scores above `truth`, because even the true yes rate
    of each pair does not; a metric between `full` and `truth` predicts the scores better than as many other people
    would. Above `truth` stand only luck and metrics fitted to these votes. Every pair is halved anew in every split;
    of an odd number of votes one, chosen at random, stays out.

    Args:
        votes: table `votes`, one source; only valid votes that are no traps count.
        splits: random splits, 1,000 by custom.
        seed: the run's `seed`; rows in any order give the same result.
        n_boot: resamples of GT groups for the interval.

    Raises:
        HlfError: votes of several sources, two votes of one person for one pair, fewer than 5 pairs or 2 GT images, a
            pair with fewer than 4 votes, all scores equal, or no split or resample asked for.
    """
    answers, size, names = _by_pair(votes)
    if splits < 1:
        raise HlfError(f"the human ceiling needs at least 1 split, got {splits}")
    score = np.add.reduceat(answers, np.cumsum(size) - size) / size
    if score.min() == score.max():
        raise HlfError(f"the human ceiling is undefined: the votes give all {len(size)} pairs the score {score[0]:.3f}")
    halves = _halves(answers, size, splits, seed)
    resamples = draw_groups([image_of(name) for name in names], n_boot, seed)

    def agreement(ranked: bool) -> Agreement:
        """Correlation of the halves of all splits, stepped up to all votes, with its interval."""
        values = np.array([_correlation(a, b, ranked) for a, b in halves])
        if np.isnan(values).sum() > MAX_UNDEFINED * len(values):
            raise HlfError(
                f"the human ceiling is undefined: in {int(np.isnan(values).sum())} of {splits} splits one half gives "
                "all pairs the same score; collect more votes"
            )
        half = float(np.nanmean(values))
        some = [resampled_correlations(a, b, resamples, ranked) for a, b in halves[:_SPLITS_IN_INTERVAL]]
        low, high = percentile_interval(np.mean(some, axis=0))
        full = spearman_brown(half)
        return Agreement(half, full, spearman_brown(low), spearman_brown(high), math.sqrt(max(full, 0.0)))

    return Ceiling(agreement(True), agreement(False), len(size), int(size.min()), int(size.max()))


def spearman_brown(half: float) -> float:
    """Correlation of two lists of scores with twice as many votes each, from that of the halves (Spearman-Brown).

    2 r / (1 + r), which for halves that contradict each other falls below -1 and is cut there.

    >>> round(spearman_brown(0.8), 4)
    0.8889
    """
    return max(-1.0, 2 * half / (1 + half)) if half > -1 / 3 else -1.0


def _by_pair(votes: "pd.DataFrame") -> "tuple[NDArray[np.float64], NDArray[np.int64], list[str]]":
    """Counted answers sorted by pair and person, number of votes of each pair, and the pairs' names."""
    sources = sorted(votes["source"].unique())
    if len(sources) > 1:
        raise HlfError(f"the votes come from different sources {sources}; compute the ceiling of one at a time")
    counted = votes[votes["valid"] & ~votes["is_trap"]].sort_values(["pair_id", "participant"])
    twice = counted[counted.duplicated(["pair_id", "participant"])]
    if len(twice):
        pair = twice["pair_id"].iloc[0]
        raise HlfError(f"{twice['participant'].iloc[0]} has two votes for pair {pair}; halves need different people")
    size = counted.groupby("pair_id").size()
    if len(size) < MIN_PAIRS:
        raise HlfError(f"the human ceiling needs votes for at least {MIN_PAIRS} pairs, got {len(size)}")
    if size.min() < MIN_VOTES:
        raise HlfError(
            f"the human ceiling needs at least {MIN_VOTES} valid votes for every pair, {size.idxmin()} has {size.min()}"
        )
    answers, many = np.asarray(counted["answer"], dtype=np.float64), np.asarray(size, dtype=np.int64)
    return answers, many, [str(name) for name in size.index]


def _halves(
    answers: "NDArray[np.float64]", size: "NDArray[np.int64]", splits: int, seed: int
) -> "list[tuple[NDArray[np.float64], NDArray[np.float64]]]":
    """Mean scores of both halves in every split, each of shape (pairs,)."""
    random = generator(seed, "ceiling")
    pair = np.repeat(np.arange(len(size)), size)
    start, half = np.cumsum(size) - size, size // 2
    # a pair's votes in random order: the first half, the second half, and the odd one out
    bounds = np.stack([start, start + half], axis=1).ravel()
    inside = (np.arange(len(answers)) - start[pair]) < 2 * half[pair]
    found = []
    for done in range(0, splits, _TOGETHER):
        keys = random.random((min(_TOGETHER, splits - done), len(answers)))
        mixed = answers[np.argsort(pair + keys, axis=1, kind="stable")] * inside
        sums = np.add.reduceat(mixed, bounds, axis=1)
        found += [(row[0::2] / half, row[1::2] / half) for row in sums]
    return found


def _correlation(a: "NDArray[np.float64]", b: "NDArray[np.float64]", ranked: bool) -> float:
    """SRCC or PLCC, NaN where a half is constant."""
    try:
        return srcc(a, b) if ranked else plcc(a, b)
    except HlfError:
        return float("nan")
