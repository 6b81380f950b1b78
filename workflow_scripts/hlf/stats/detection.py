"""How well a value tells changed from unchanged: ROC curve and the area below it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hlf.errors import HlfError
from hlf.stats.resampling import draw_groups, percentile_interval

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


def auc_interval(
    values: "Numbers", changed: "Numbers", groups: Sequence[str], n: int, seed: int
) -> tuple[float, float]:
    """Percentile bootstrap, 95 %, of `auc` that resamples whole groups; all resamples at once.

    Args:
        values: shape (m,), as of `auc`.
        changed: shape (m,).
        groups: what each pair hangs together with, length m; its own name for independent pairs.
        n: number of resamples.
        seed: the run's seed.

    Raises:
        HlfError: as `auc`, fewer than 2 groups, or more than 5 % of the resamples lack one of the classes.
    """
    x, y = _checked(values, changed)
    resamples = draw_groups(groups, n, seed)
    weights = resamples.counts[:, resamples.group].astype(np.float64)
    # per distinct value, the weight of each class: (n, distinct)
    order = np.argsort(x, kind="stable")
    first = np.flatnonzero(np.diff(x[order], prepend=np.nan) != 0)
    still, moved = (np.add.reduceat((weights * part)[:, order], first, axis=1) for part in (~y, y))
    below = np.cumsum(still, axis=1) - still / 2
    with np.errstate(invalid="ignore"):
        return percentile_interval((moved * below).sum(1) / (moved.sum(1) * still.sum(1)))


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
    """Largest sensitivity of a threshold that at most the share `alarms` of the unchanged pairs reaches."""
    false, hits = roc(values, changed)
    return float(hits[false <= alarms].max())


def _checked(values: "Numbers", changed: "Numbers") -> "tuple[NDArray[np.float64], NDArray[np.bool_]]":
    x, y = np.asarray(values, dtype=np.float64), np.asarray(changed, dtype=np.float64) > 0.5
    if x.shape != y.shape or not np.isfinite(x).all():
        raise HlfError(f"an ROC curve needs finite values and as many answers, got {x.shape} and {y.shape}")
    if y.all() or not y.any():
        raise HlfError(f"an ROC curve needs changed and unchanged pairs, got {int(y.sum())} changed of {len(y)}")
    return x, y
