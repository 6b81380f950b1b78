"""Wilson and Jeffreys intervals of vote shares, and percentile bootstrap intervals over GT groups."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hlf.errors import HlfError
from hlf.stats.correlation import plcc, srcc
from hlf.stats.resampling import draw_groups, percentile_interval, resampled_correlations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hlf.stats.correlation import Numbers

# 97.5 % quantile of the standard normal distribution
Z95 = 1.959963984540054


def wilson(k: int, n: int) -> tuple[float, float]:
    """Wilson score interval, 95 %, of a share of `k` yes votes among `n` votes.

    A bootstrap of equal votes has zero width, this interval has not: 0 of 12 gives about [0, 0.24].

    Returns:
        (low, high) within [0, 1].

    Raises:
        HlfError: no votes, or `k` outside 0..n.
    """
    if n < 1 or not 0 <= k <= n:
        raise HlfError(f"a Wilson interval needs 0 <= k <= n and n >= 1, got k={k}, n={n}")
    share, z2 = k / n, Z95 * Z95
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # at the ends the exact value is 0 or 1, which rounding would miss by 1e-17
    return (0.0 if k == 0 else centre - half, 1.0 if k == n else centre + half)


def jeffreys(k: int, n: int) -> tuple[float, float]:
    """Jeffreys interval, 95 %, of a share of `k` yes votes among `n` votes: quantiles of Beta(k + 1/2, n - k + 1/2).

    At k = 0 and k = n one end is set to 0 or 1, after Brown, Cai and DasGupta (2001), so that the share lies inside.

    Returns:
        (low, high) within [0, 1].

    Raises:
        HlfError: no votes, or `k` outside 0..n.
    """
    from scipy.special import betaincinv

    if n < 1 or not 0 <= k <= n:
        raise HlfError(f"a Jeffreys interval needs 0 <= k <= n and n >= 1, got k={k}, n={n}")
    low, high = (float(betaincinv(k + 0.5, n - k + 0.5, q)) for q in (0.025, 0.975))
    return (0.0 if k == 0 else low, 1.0 if k == n else high)


def bootstrap_by_group(
    statistic: Callable[["NDArray[np.float64]", "NDArray[np.float64]"], float],
    a: "NDArray[np.float64] | Sequence[float]",
    b: "Numbers",
    groups: Sequence[str],
    n: int,
    seed: int,
) -> tuple[float, float]:
    """Percentile bootstrap, 95 %, that resamples whole GT groups, because pairs of one GT are not independent.

    The same seed and groups give the same resamples, so intervals of several metrics are paired. For the interval of a
    difference pass both metrics as columns of `a` and a statistic that subtracts. `srcc` and `plcc` themselves are
    computed for all resamples at once, about ten times as fast as one by one.

    Args:
        statistic: function of resampled `a` and `b`, such as `srcc`; HlfError from it marks the resample undefined.
        a: shape (m,) or (m, columns).
        b: shape (m,).
        groups: GT image id of every pair, length m.
        n: number of resamples.
        seed: the run's `seed`.

    Returns:
        (low, high) of the signed statistic.

    Raises:
        HlfError: lengths differ, fewer than 2 groups, n < 1, or more than 5 % of the resamples undefined.
    """
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if not len(x) == len(y) == len(groups):
        raise HlfError(f"a bootstrap needs equal lengths, got {len(x)} and {len(y)} values, {len(groups)} groups")
    resamples = draw_groups(groups, n, seed)
    if x.ndim == 1 and statistic in (srcc, plcc):
        return percentile_interval(resampled_correlations(x, y, resamples, ranked=statistic is srcc))
    values = np.full(n, np.nan)
    for index, rows in enumerate(resamples.rows()):
        try:
            values[index] = statistic(x[rows], y[rows])
        except HlfError:
            continue  # a resample may hold one value only; percentile_interval counts them
    return percentile_interval(values)


def absolute_interval(low: float, high: float) -> tuple[float, float]:
    """Interval of |v| from an interval [low, high] of v: all absolute values that lie inside.

    An interval of a correlation that spans zero becomes [0, larger end], so a table of |SRCC| cannot hide that the sign
    is unsettled. It covers |v| at least as often as [low, high] covers v.

    >>> absolute_interval(-0.9, -0.7), absolute_interval(-0.1, 0.3)
    ((0.7, 0.9), (0.0, 0.3))
    """
    if low <= 0.0 <= high:
        return 0.0, max(-low, high)
    return min(abs(low), abs(high)), max(abs(low), abs(high))
