"""Means of all resamples at once, for intervals of means, shares and their differences."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hlf.stats.resampling import Resamples


def resampled_means(
    values: "NDArray[np.float64]", resamples: "Resamples", weights: "NDArray[np.float64] | None" = None
) -> "NDArray[np.float64]":
    """Mean of finite `values` in every resample: one that is drawn k times counts k times.

    Args:
        values: shape (m,), any unit.
        resamples: draws for these m values; share them between means whose difference is wanted (paired).
        weights: how much each value counts when drawn once, shape (m,); None for all alike.

    Returns:
        Shape (n,); NaN where a resample holds none of the values.
    """
    counts = resamples.counts[:, resamples.group]
    weighted = counts if weights is None else counts * weights
    with np.errstate(invalid="ignore"):
        return np.asarray((weighted * values).sum(axis=1) / weighted.sum(axis=1))
