"""Williams' test of two correlations that share a variable, and Holm's correction for many tests."""

import math
from typing import TYPE_CHECKING

import numpy as np

from hlf.errors import HlfError
from hlf.stats.correlation import MIN_PAIRS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hlf.stats.correlation import Numbers


def williams(first: float, second: float, between: float, n: int) -> tuple[float, float]:
    """Williams' t test of two Pearson correlations that share one variable: metric a and metric b with the same scores.

    Formula of Williams (1959) in the form that Steiger (1980, "Tests for comparing elements of a correlation matrix",
    equation 7) recommends; it supposes independent pairs and normal values. On ranks, with SRCC for all three
    correlations, it is an approximation that is common in this field, no more.

    Args:
        first: correlation of metric a with the scores.
        second: correlation of metric b with the scores.
        between: correlation of metric a with metric b.
        n: number of pairs.

    Returns:
        t with n - 3 degrees of freedom, positive when `first` is larger, and its two-sided p value. Two metrics that
        agree wholly (`between` = 1) give t = 0 and p = 1.

    Raises:
        HlfError: fewer than 5 pairs, or three values that no data can have as correlations.
    """
    from scipy.stats import t as student

    if n < MIN_PAIRS:
        raise HlfError(f"Williams' test needs at least {MIN_PAIRS} pairs, got {n}; add pairs or leave the row out")
    determinant = 1 - first**2 - second**2 - between**2 + 2 * first * second * between
    if not (max(abs(first), abs(second), abs(between)) <= 1 and determinant >= -1e-9):
        raise HlfError(
            f"Williams' test needs correlations that can occur together, got {first}, {second} and {between} between"
        )
    mean = (first + second) / 2
    spread = 2 * (n - 1) / (n - 3) * max(determinant, 0.0) + mean**2 * (1 - between) ** 3
    if first == second or spread == 0.0:
        return 0.0, 1.0
    t = (first - second) * math.sqrt((n - 1) * (1 + between) / spread)
    return t, float(2 * student.sf(abs(t), n - 3))


def holm(p: "Numbers") -> "NDArray[np.float64]":
    """P values of several tests after Holm's step-down correction (Holm 1979), in the order they came.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none falls below the one before it, none exceeds
    1. When every test below 0.05 counts as a difference, the chance that any of them is none is at most 0.05, however
    the tests depend on each other.

    Args:
        p: p values in [0, 1], shape (m,).

    Raises:
        HlfError: no value, or one that is not in [0, 1].

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not ((values >= 0) & (values <= 1)).all():
        raise HlfError(f"Holm's correction needs p values between 0 and 1, got {values.tolist()}")
    order = np.argsort(values, kind="stable")
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1.0)
    return corrected
