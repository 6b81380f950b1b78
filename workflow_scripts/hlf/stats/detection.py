"""How well a value tells changed from unchanged: ROC curve and the area below it."""

from typing import TYPE_CHECKING

import numpy as np

from hlf.errors import HlfError
from hlf.seeds import generator
from hlf.stats.resampling import percentile_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hlf.stats.correlation import Numbers


def auc(values: "Numbers", changed: "Numbers") -> float:
    """Area below the ROC curve: chance that a changed pair has the higher value, ties count half.

    Args:
        values: higher = more changed, shape (m,).
        changed: 1 or 0, shape (m,).

    Returns: 0.5 for a value that tells nothing, 1 for one that parts all.

    Raises:
        HlfError: only one of the two classes.

    >>> auc([0.1, 0.4, 0.4, 0.9], [0, 0, 1, 1])
    0.875
    """
    from scipy.stats import rankdata

    x, y = _checked(values, changed)
    positive = int(y.sum())
    ranks = rankdata(x)[y].sum() - positive * (positive + 1) / 2
    return float(ranks / (positive * (len(y) - positive)))


def auc_interval(values: "Numbers", changed: "Numbers", n: int, seed: int) -> tuple[float, float]:
    """Percentile bootstrap, 95 %, of `auc`; changed and unchanged pairs are resampled apart: their numbers are fixed.

    Args:
        values: shape (m,), of pairs that hang together with no other.
        changed: shape (m,).
        n: number of resamples.
        seed: the run's seed; equal numbers of pairs get equal draws, so intervals of several metrics are paired.

    Raises:
        HlfError: as `auc`, or n < 1.
    """
    x, y = _checked(values, changed)
    if n < 1:
        raise HlfError(f"a bootstrap needs at least 1 resample, got {n}")
    rng = generator(seed, "bootstrap", "auc")
    counts = np.zeros((n, len(x)))
    for part in (~y, y):
        counts[:, part] = rng.multinomial(part.sum(), np.full(part.sum(), 1 / part.sum()), size=n)
    # how often each resample holds each distinct value among the unchanged and the changed pairs: (n, distinct)
    order = np.argsort(x, kind="stable")
    first = np.flatnonzero(np.diff(x[order], prepend=np.nan) != 0)
    still, moved = (np.add.reduceat((counts * part)[:, order], first, axis=1) for part in (~y, y))
    below = np.cumsum(still, axis=1) - still / 2
    return percentile_interval((moved * below).sum(axis=1) / (moved.sum(axis=1) * still.sum(axis=1)))


def roc(values: "Numbers", changed: "Numbers") -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """False alarms and sensitivity at every threshold, from (0, 0) to (1, 1); arguments as of `auc`.

    Returns:
        Two rising arrays: share of unchanged, and of changed pairs at or above each distinct value.
    """
    x, y = _checked(values, changed)
    levels = np.unique(x)[::-1]
    alarms, hits = (np.array([(x[part] >= level).mean() for level in levels]) for part in (~y, y))
    return np.concatenate([[0.0], alarms]), np.concatenate([[0.0], hits])


def sensitivity_at(values: "Numbers", changed: "Numbers", alarms: float) -> float:
    """Largest sensitivity, in [0, 1], of a threshold that at most the share `alarms` of the unchanged pairs reaches."""
    false, hits = roc(values, changed)
    return float(hits[false <= alarms].max())


def _checked(values: "Numbers", changed: "Numbers") -> "tuple[NDArray[np.float64], NDArray[np.bool_]]":
    x, y = np.asarray(values, dtype=np.float64), np.asarray(changed, dtype=np.float64) > 0.5
    if x.shape != y.shape or not np.isfinite(x).all():
        raise HlfError(f"an ROC curve needs finite values and as many answers, got {x.shape} and {y.shape}")
    if y.all() or not y.any():
        raise HlfError(f"an ROC curve needs changed and unchanged pairs, got {int(y.sum())} changed of {len(y)}")
    return x, y
