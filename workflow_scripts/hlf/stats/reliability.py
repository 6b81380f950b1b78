"""Does a predicted share mean what it says: bins of predictions against what was observed, and one number for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlf.errors import HlfError
from hlf.stats.intervals import bootstrap_by_group

if TYPE_CHECKING:
    from hlf.stats.correlation import Numbers

# fewer pairs say little of a bin's mean; more bins than ten nobody reads
_PAIRS, _MOST = 15, 10


@dataclass(frozen=True)
class Bin:
    """Pairs with neighbouring predictions.

    Attributes:
        predicted: mean prediction.
        observed: mean score, in [0, 1].
        low: lower end of the 95 % bootstrap interval of `observed` over GT groups; NaN where there is none.
        high: upper end.
        n: pairs.
    """

    predicted: float
    observed: float
    low: float
    high: float
    n: int


def reliability(
    predicted: "Numbers", score: "Numbers", groups: Sequence[str], n_boot: int, seed: int
) -> tuple[Bin, ...]:
    """Bins of equally many pairs in order of their prediction: as many as 15 pairs each allow, 1 to 10.

    Args:
        predicted: shape (m,), finite; equal ones stay in the order given.
        score: human scores, shape (m,), in [0, 1].
        groups: GT image id of every pair, length m.
        n_boot: resamples over GT groups.
        seed: the run's `seed`.

    Raises:
        HlfError: lengths differ, no pair, or a prediction that is not finite.
    """
    x, y, names = np.asarray(predicted, np.float64), np.asarray(score, np.float64), np.asarray(groups, dtype=str)
    if not len(x) == len(y) == len(names) or not len(x) or not np.isfinite(x).all():
        raise HlfError(
            f"a reliability diagram needs as many finite predictions as scores and groups, got {len(x)}, {len(y)}, "
            f"{len(names)}, of which {int(np.isfinite(x).sum())} finite"
        )
    order = np.argsort(x, kind="stable")
    return tuple(
        Bin(
            float(x[rows].mean()),
            float(y[rows].mean()),
            *_interval(x[rows], y[rows], names[rows], n_boot, seed),
            len(rows),
        )
        for rows in np.array_split(order, min(max(len(x) // _PAIRS, 1), _MOST))
    )


def _interval(x: np.ndarray, y: np.ndarray, groups: np.ndarray, n_boot: int, seed: int) -> tuple[float, float]:
    try:
        return bootstrap_by_group(lambda _, b: float(b.mean()), x, y, groups.tolist(), n_boot, seed)
    except HlfError:
        return float("nan"), float("nan")


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: mean distance of prediction and observation over the bins, weighted by their pairs.

    >>> calibration_error([Bin(0.2, 0.1, 0, 1, 10), Bin(0.7, 0.9, 0, 1, 30)])
    0.175
    """
    return sum(b.n * abs(b.predicted - b.observed) for b in bins) / sum(b.n for b in bins)
