"""Correlations, logistic fit, Wilson and bootstrap intervals of Tables 2 and 3 (paper 4.1).

Tables of this field print absolute correlations, and mostly plain Pearson; every function here returns signed values
and `absolute_interval` turns an interval of a signed value into one of its absolute value.
An undefined result is never a NaN: the functions raise HlfError, and the code that writes a table decides what to
print.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlf.errors import HlfError
from hlf.seeds import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    # anything numpy reads as numbers: a list, an array, a column
    Numbers = Sequence[float] | NDArray[np.float64]

# below five pairs a rank correlation takes a handful of values and its interval spans nearly [-1, 1]
MIN_PAIRS = 5
# 97.5 % quantile of the standard normal distribution
Z95 = 1.959963984540054
# share of resamples that may be undefined (all values equal) before an interval is refused
MAX_UNDEFINED = 0.05


def _checked(a: "Numbers", b: "Numbers") -> tuple["NDArray[np.float64]", "NDArray[np.float64]"]:
    """Both inputs as float64 vectors of one length >= MIN_PAIRS, finite and not constant; HlfError otherwise."""
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise HlfError(f"a correlation needs two lists of one length, got shapes {x.shape} and {y.shape}")
    if x.size < MIN_PAIRS:
        raise HlfError(f"a correlation needs at least {MIN_PAIRS} pairs, got {x.size}; add pairs or leave the row out")
    for name, values in (("first", x), ("second", y)):
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            raise HlfError(f"a correlation needs finite values, the {name} list holds {bad} of {x.size} that are not")
        if values.min() == values.max():
            raise HlfError(
                f"a correlation of a constant is undefined: all {x.size} values of the {name} list are equal"
            )
    return x, y


def _pearson(x: "NDArray[np.float64]", y: "NDArray[np.float64]") -> float:
    """Pearson correlation of two checked vectors, each scaled first so that squares neither overflow nor vanish."""
    x, y = x - x.mean(), y - y.mean()
    spread_x, spread_y = float(np.abs(x).max()), float(np.abs(y).max())
    if spread_x == 0.0 or spread_y == 0.0:
        raise HlfError("a correlation is undefined here: the values differ by less than their rounding error")
    x, y = x / spread_x, y / spread_y
    value = float(x @ y) / math.sqrt(float(x @ x) * float(y @ y))
    return min(1.0, max(-1.0, value))


def _ranks(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Ranks from 1, ties sharing their mean rank; a third of the time of scipy's, which the bootstrap feels."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    after = np.append(first[1:], len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((first + after + 1) / 2, after - first)
    return ranks


def srcc(a: "Numbers", b: "Numbers") -> float:
    """Spearman rank correlation of two lists of shape (n,), ties given their mean rank (paper 4.1, column SRCC).

    Returns:
        Signed value in [-1, 1].

    Raises:
        HlfError: fewer than 5 pairs, unequal lengths, a value that is not finite, or a constant list.

    >>> srcc([1, 2, 3, 4, 5], [10, 20, 30, 40, 500])
    1.0
    """
    x, y = _checked(a, b)
    return _pearson(_ranks(x), _ranks(y))


def plcc(a: "Numbers", b: "Numbers") -> float:
    """Pearson correlation of two lists of shape (n,), raw values, no fit (paper 4.1, column PLCC).

    Returns:
        Signed value in [-1, 1].

    Raises:
        HlfError: as `srcc`.
    """
    return _pearson(*_checked(a, b))


@dataclass(frozen=True)
class LogisticFit:
    """Result of `logistic4`; `params` and `fitted` are None unless `status` is "ok".

    Attributes:
        params: low, high, centre, width (> 0) of low + (high - low) / (1 + exp(-(x - centre) / width)).
        fitted: values of the curve at x, shape (n,), in the unit of y.
        status: "ok" or "failed: why".
    """

    params: tuple[float, float, float, float] | None
    fitted: "NDArray[np.float64] | None"
    status: str


def logistic4(x: "Numbers", y: "Numbers") -> LogisticFit:
    """Least-squares fit of the 4-parameter logistic that quality studies map metric values to scores with.

    For any centre and width the best low and high follow from a straight-line fit, so only two values are searched,
    from three starts (a step, an S, nearly a line). The lowest error among the starts that converge is kept. When none
    does, `status` says so: no other curve steps in. The centre stays within 10, the width within exp(-5) to exp(5)
    standard deviations of x.

    Args:
        x: metric values, shape (n,).
        y: human scores, shape (n,).

    Raises:
        HlfError: as `srcc`.
    """
    from scipy.optimize import least_squares

    values, scores = _checked(x, y)
    middle, spread = float(values.mean()), float(values.std())
    if not np.isfinite(spread) or spread == 0.0:
        return LogisticFit(None, None, "failed: the spread of x is beyond what float64 can hold")
    z = (values - middle) / spread  # the fit sees no units
    best = None
    for width in (0.3, 1.0, 10.0):
        start = [float(np.median(z)), math.log(width)]
        result = least_squares(lambda p: _best_logistic(z, scores, p)[1] - scores, start, method="lm", max_nfev=500)
        if result.success and (best is None or result.cost < best.cost):
            best = result
    if best is None:
        return LogisticFit(None, None, "failed: the least-squares fit did not converge from any of its starts")
    (low, high, centre, width), fitted = _best_logistic(z, scores, best.x)
    if np.ptp(fitted) <= 1e-12 * max(1.0, float(np.abs(fitted).max())):
        return LogisticFit(None, None, "failed: the fitted curve is constant, x tells nothing about y")
    return LogisticFit((low, high, middle + spread * centre, spread * width), fitted, "ok")


def _best_logistic(
    z: "NDArray[np.float64]", y: "NDArray[np.float64]", searched: "NDArray[np.float64]"
) -> tuple[tuple[float, float, float, float], "NDArray[np.float64]"]:
    """Low, high, centre, width, and the curve at z, for the low and high that fit y best.

    `searched` = centre and logarithm of the width, clipped: beyond the limits the curve is a step, a line or constant.
    """
    from scipy.special import expit

    centre, width = float(np.clip(searched[0], -10.0, 10.0)), math.exp(float(np.clip(searched[1], -5.0, 5.0)))
    basis = expit((z - centre) / width)
    around = basis - basis.mean()
    power = float(around @ around)
    rise = float(around @ y) / power if power > 1e-24 else 0.0
    low = float(y.mean()) - rise * float(basis.mean())
    return (low, low + rise, centre, width), low + rise * basis


def plcc_logistic(a: "Numbers", b: "Numbers") -> float:
    """Pearson correlation of scores `b` with the logistic fit of metric values `a` to them, in [0, 1] but for rounding.

    Not what the paper's PLCC column shows (its values fit raw Pearson); given beside it because many tables use it.

    Raises:
        HlfError: as `srcc`, or when the fit fails (`logistic4` returns the reason).
    """
    fit = logistic4(a, b)
    if fit.fitted is None:
        raise HlfError(f"no logistic fit of {len(b)} pairs ({fit.status}); print the raw PLCC only")
    return plcc(fit.fitted, b)


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
    difference pass both metrics as columns of `a` and a statistic that subtracts.

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
    names, inverse = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    if not len(x) == len(y) == len(inverse):
        raise HlfError(f"a bootstrap needs equal lengths, got {len(x)} and {len(y)} values, {len(inverse)} groups")
    if len(names) < 2 or n < 1:
        raise HlfError(f"a bootstrap needs at least 2 GT groups and 1 resample, got {len(names)} and {n}")
    members = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
    draws = generator(seed, "bootstrap").integers(0, len(names), size=(n, len(names)))
    values = []
    for draw in draws:
        rows = np.concatenate([members[group] for group in draw])
        try:
            values.append(statistic(x[rows], y[rows]))
        except HlfError:
            continue  # a resample may hold one value only; counted below
    if n - len(values) > MAX_UNDEFINED * n:
        raise HlfError(
            f"the bootstrap interval is undefined: {n - len(values)} of {n} resamples of {len(names)} GT groups "
            f"gave no value (at most {MAX_UNDEFINED:.0%} may); use more GT images"
        )
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


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
