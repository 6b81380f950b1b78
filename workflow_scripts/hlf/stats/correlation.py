"""SRCC, PLCC and KRCC of two lists, and what a 4-parameter logistic makes of PLCC and RMSE (paper 4.1)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlf.errors import HlfError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    # anything numpy reads as numbers: a list, an array, a column
    Numbers = Sequence[float] | NDArray[np.float64]

# below five pairs a rank correlation takes a handful of values and its interval spans nearly [-1, 1]
MIN_PAIRS = 5


def checked(a: "Numbers", b: "Numbers") -> tuple["NDArray[np.float64]", "NDArray[np.float64]"]:
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


def ranks(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Ranks (n,) from 1, ties sharing their mean rank; a third of the time of scipy's, which the bootstrap feels."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    after = np.append(first[1:], len(values))
    result = np.empty(len(values))
    result[order] = np.repeat((first + after + 1) / 2, after - first)
    return result


def srcc(a: "Numbers", b: "Numbers") -> float:
    """Spearman rank correlation of two lists of shape (n,), ties given their mean rank (paper 4.1, column SRCC).

    Returns:
        Signed value in [-1, 1].

    Raises:
        HlfError: fewer than 5 pairs, unequal lengths, a value that is not finite, or a constant list.

    >>> srcc([1, 2, 3, 4, 5], [10, 20, 30, 40, 500])
    1.0
    """
    x, y = checked(a, b)
    return _pearson(ranks(x), ranks(y))


def plcc(a: "Numbers", b: "Numbers") -> float:
    """Pearson correlation of two lists of shape (n,), raw values, no fit (paper 4.1, column PLCC).

    Returns:
        Signed value in [-1, 1].

    Raises:
        HlfError: as `srcc`.
    """
    return _pearson(*checked(a, b))


def krcc(a: "Numbers", b: "Numbers") -> float:
    """Kendall rank correlation tau-b of two lists of shape (n,), corrected for ties as scipy does.

    The share of pairs of pairs that both lists order alike, less the share that they order differently. Many tables of
    quality measures give it beside SRCC, the paper does not.

    Returns:
        Signed value in [-1, 1].

    Raises:
        HlfError: as `srcc`.
    """
    from scipy.stats import kendalltau

    return min(1.0, max(-1.0, float(kendalltau(*checked(a, b)).statistic)))


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

    def curve(self, x: "Numbers") -> "NDArray[np.float64]":
        """The curve at other metric values, shape (m,), in the unit of y; HlfError when the fit failed."""
        from scipy.special import expit

        if self.params is None:
            raise HlfError(f"there is no logistic curve to draw: {self.status}")
        low, high, centre, width = self.params
        return low + (high - low) * expit((np.asarray(x, dtype=np.float64) - centre) / width)


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

    values, scores = checked(x, y)
    middle, spread = float(values.mean()), float(values.std())
    if not np.isfinite(spread) or spread == 0.0:
        return LogisticFit(None, None, "failed: the spread of x is beyond what float64 can hold")
    level, scale = float(scores.mean()), float(scores.std()) or 1.0
    z, target = (values - middle) / spread, (scores - level) / scale  # the fit sees no units
    best = None
    for width in (0.3, 1.0, 10.0):
        start = [float(np.median(z)), math.log(width)]
        result = least_squares(lambda p: _best_logistic(z, target, p)[1] - target, start, method="lm", max_nfev=500)
        if result.success and (best is None or result.cost < best.cost):
            best = result
    if best is None:
        return LogisticFit(None, None, "failed: the least-squares fit did not converge from any of its starts")
    (low, high, centre, width), curve = _best_logistic(z, target, best.x)
    low, high, fitted = level + scale * low, level + scale * high, level + scale * curve
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
    return plcc(_fitted(a, b), b)


def rmse_logistic(a: "Numbers", b: "Numbers") -> float:
    """Root mean square of scores `b` less the logistic fit of metric values `a` to them, in the unit of `b`.

    Divided by n, not by n - 4: it describes these pairs. At most the standard deviation of `b`, 0 is a perfect fit.

    Raises:
        HlfError: as `plcc_logistic`.
    """
    return math.sqrt(float(np.mean((np.asarray(b, dtype=np.float64) - _fitted(a, b)) ** 2)))


def _fitted(a: "Numbers", b: "Numbers") -> "NDArray[np.float64]":
    fit = logistic4(a, b)
    if fit.fitted is None:
        raise HlfError(f"no logistic fit of {len(b)} pairs ({fit.status}); print the raw PLCC only")
    return fit.fitted
