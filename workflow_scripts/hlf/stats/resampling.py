"""Bootstrap resamples of whole GT groups, drawn once, and the correlations of all of them at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlf.errors import HlfError
from hlf.seeds import generator
from hlf.stats.correlation import MIN_PAIRS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# share of resamples that may be undefined (all values equal) before an interval is refused
MAX_UNDEFINED = 0.05
# resamples computed together: small enough to stay in a processor's cache
_TOGETHER = 256


@dataclass(frozen=True)
class Resamples:
    """Draws of GT groups with replacement; every metric that uses the same object is resampled alike (paired).

    Attributes:
        counts: how often each resample holds each group, shape (n, groups).
        group: index of each pair's group, shape (m,).
    """

    counts: "NDArray[np.int64]"
    group: "NDArray[np.int64]"

    def only(self, pairs: "NDArray[np.bool_]") -> "Resamples":
        """The same draws for some of the pairs, such as those that two metrics both measured; `pairs`: shape (m,)."""
        return Resamples(self.counts, self.group[pairs])

    def rows(self) -> Iterator["NDArray[np.int64]"]:
        """Indices (k,) of the pairs of each resample, repeated as often as drawn, in ascending order."""
        pairs = np.arange(len(self.group))
        for count in self.counts:
            yield np.repeat(pairs, count[self.group])


def draw_groups(groups: Sequence[str], n: int, seed: int) -> Resamples:
    """Draw `n` resamples of the GT groups, each as many groups as there are.

    Args:
        groups: GT image id of every pair, length m.
        n: number of resamples.
        seed: the run's `seed`; same seed and number of groups, same draws.

    Raises:
        HlfError: fewer than 2 groups or n < 1.
    """
    names, group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    if len(names) < 2 or n < 1:
        raise HlfError(f"a bootstrap needs at least 2 GT groups and 1 resample, got {len(names)} and {n}")
    draws = generator(seed, "bootstrap").integers(0, len(names), size=(n, len(names)))
    flat = (draws + len(names) * np.arange(n)[:, None]).ravel()
    return Resamples(np.bincount(flat, minlength=n * len(names)).reshape(n, -1), group)


def percentile_interval(values: "NDArray[np.float64]") -> tuple[float, float]:
    """2.5 % and 97.5 % percentiles of a statistic's values over resamples, shape (n,), NaN = undefined there.

    Raises:
        HlfError: more than 5 % of the resamples undefined.
    """
    low, high = np.percentile(defined(values), [2.5, 97.5])
    return float(low), float(high)


def defined(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Values (n,) that are not NaN; HlfError when more than 5 % are."""
    good = values[~np.isnan(values)]
    if len(values) - len(good) > MAX_UNDEFINED * len(values):
        raise HlfError(
            f"the bootstrap interval is undefined: {len(values) - len(good)} of {len(values)} resamples of the GT "
            f"groups gave no value (at most {MAX_UNDEFINED:.0%} may); use more GT images"
        )
    return good


def resampled_correlations(
    a: "NDArray[np.float64]", b: "NDArray[np.float64]", resamples: Resamples, ranked: bool
) -> "NDArray[np.float64]":
    """Correlation of `a` and `b` in every resample: a pair drawn k times has the weight k.

    Args:
        a: finite values, shape (m,).
        b: finite values, shape (m,).
        resamples: draws for these m pairs.
        ranked: True for SRCC, whose ranks are those within each resample; False for PLCC.

    Returns:
        Signed values, shape (n,); NaN where a resample holds fewer than 5 pairs or equal values only.
    """
    columns = [_Sorted.of(v) for v in (a, b)]
    found = []
    for start in range(0, len(resamples.counts), _TOGETHER):
        weights = resamples.counts[start : start + _TOGETHER][:, resamples.group].astype(np.float64)
        size = weights.sum(axis=1, keepdims=True)
        x, y = (column.centred(weights, size, ranked) for column in columns)
        with np.errstate(invalid="ignore", divide="ignore"):
            # every sum runs along one resample, so the result does not depend on how many are computed together
            power = np.sqrt((weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1))
            value = np.clip((weights * x * y).sum(axis=1) / power, -1.0, 1.0)
        found.append(np.where(size[:, 0] >= MIN_PAIRS, value, np.nan))
    return np.concatenate(found)


@dataclass(frozen=True)
class _Sorted:
    """One column with what ranks in any resample need: its order and its ties.

    Attributes:
        values: shape (m,).
        order: indices that sort the values.
        first: position in the sorted values where each distinct value begins, shape (distinct,).
        level: index of each pair's distinct value, shape (m,).
    """

    values: "NDArray[np.float64]"
    order: "NDArray[np.int64]"
    first: "NDArray[np.int64]"
    level: "NDArray[np.int64]"

    @classmethod
    def of(cls, values: "NDArray[np.float64]") -> "_Sorted":
        """Sort values (n,) once for all their resamples."""
        order = np.argsort(values, kind="stable")
        new = np.diff(values[order], prepend=np.nan) != 0.0
        level = np.empty(len(values), dtype=np.int64)
        level[order] = np.cumsum(new) - 1
        return cls(values, order, np.flatnonzero(new), level)

    def centred(
        self, weights: "NDArray[np.float64]", size: "NDArray[np.float64]", ranked: bool
    ) -> "NDArray[np.float64]":
        """Values or ranks less their mean in each resample, largest size 1; NaN where all are equal, shape (r, m)."""
        drawn = np.add.reduceat(weights[:, self.order], self.first, axis=1)
        if ranked:
            # equal values share the mean of the ranks they take together
            values = (np.cumsum(drawn, axis=1) - (drawn - 1) / 2)[:, self.level]
        else:
            values = np.broadcast_to(self.values, weights.shape)
        with np.errstate(invalid="ignore", divide="ignore"):
            around = np.where(weights > 0, values - (weights * values).sum(axis=1, keepdims=True) / size, 0.0)
            largest = np.abs(around).max(axis=1, keepdims=True)
            several = (drawn > 0).sum(axis=1, keepdims=True) > 1
            return np.where(several & (largest > 0), around / largest, np.nan)
