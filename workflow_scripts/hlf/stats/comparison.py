"""Which differences between rows of a correlation table are real: paired bootstrap, Williams' test, Holm correction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from hlf.errors import HlfError
from hlf.stats.correlation import checked, plcc, ranks, srcc
from hlf.stats.resampling import Resamples, defined, draw_groups, percentile_interval, resampled_correlations
from hlf.stats.significance import holm, williams

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from hlf.stats.correlation import Numbers

# corrected p below which two rows count as different (our choice: the field's custom)
LEVEL = 0.05
# smallest corrected p that the bootstrap of a table must be able to give, well below LEVEL
_FINEST = 0.01
STATISTICS = {"srcc": srcc, "plcc": plcc}


@dataclass(frozen=True)
class Difference:
    """|correlation| of metric a with the scores less that of metric b.

    Attributes:
        value: in [-1, 1], positive when a follows the scores better.
        low: lower end of its 95 % percentile bootstrap interval.
        high: upper end.
        p: two-sided bootstrap p value of "no difference", in (0, 1].
    """

    value: float
    low: float
    high: float
    p: float


def paired_bootstrap(
    a: "Numbers",
    b: "Numbers",
    scores: "Numbers",
    groups: Sequence[str],
    n_boot: int,
    seed: int,
    statistic: str = "srcc",
) -> Difference:
    """Difference of two metrics' absolute correlations, both resampled with the same draws of GT groups.

    PSNR falls where LPIPS rises, so each metric is first turned round when its correlation over all pairs is negative;
    resamples keep that sign. For metrics that hardly correlate this makes the test cautious, because a sign that is
    chance counts in favour of neither. p is twice the share of resamples on the far side of 0, the value itself counted
    once, hence never 0.

    Args:
        a: values of one metric, shape (m,).
        b: values of the other, shape (m,).
        scores: human scores, shape (m,).
        groups: GT image id of every pair, length m.
        n_boot: number of resamples.
        seed: the run's `seed`.
        statistic: "srcc" or "plcc".

    Raises:
        HlfError: as `srcc`; lengths differ, fewer than 2 groups, or more than 5 % of the resamples undefined.
    """
    signed = _statistic(statistic)
    y = np.asarray(scores, dtype=np.float64)
    first, second = signed(a, y), signed(b, y)
    if len(groups) != len(y):
        raise HlfError(f"a bootstrap needs equal lengths, got {len(y)} scores and {len(groups)} groups")
    resamples = draw_groups(groups, n_boot, seed)
    drawn = [resampled_correlations(np.asarray(v, dtype=np.float64), y, resamples, statistic == "srcc") for v in (a, b)]
    return _difference(first, second, *drawn)


def _statistic(name: str) -> Callable[["Numbers", "Numbers"], float]:
    if name not in STATISTICS:
        raise HlfError(f"rows are compared by 'srcc' or 'plcc', got '{name}'")
    return STATISTICS[name]


def _difference(
    first: float, second: float, drawn_first: "NDArray[np.float64]", drawn_second: "NDArray[np.float64]"
) -> Difference:
    """Difference of two signed correlations, each turned round if negative, and of their resamples."""
    values = _sign(first) * drawn_first - _sign(second) * drawn_second
    low, high = percentile_interval(values)
    values = defined(values)
    tail = min(int((values <= 0).sum()), int((values >= 0).sum()))
    return Difference(abs(first) - abs(second), low, high, min(1.0, 2 * (tail + 1) / (len(values) + 1)))


def _sign(value: float) -> float:
    return -1.0 if value < 0 else 1.0


def compare_rows(
    values: "pd.DataFrame",
    scores: "Numbers",
    groups: Sequence[str],
    n_boot: int,
    seed: int,
    statistic: str = "srcc",
) -> "pd.DataFrame":
    """Every pair of rows of a correlation table: difference, interval, p values, verdict.

    Holm's correction runs over all pairs of rows and over the bootstrap p, because only that one respects that pairs of
    one GT belong together. Williams' p, uncorrected, stands beside it for comparison with other papers; it supposes
    independent pairs, and with `statistic` "srcc" it is computed on ranks. The intervals are not corrected, so one of
    them may exclude 0 where the verdict is "not distinguishable". Two rows are compared on the pairs both measured.

    Args:
        values: one row per pair, one column per metric (row of the printed table); NaN or infinite = not measured.
        scores: human scores in the order of the rows, shape (m,).
        groups: GT image id of every pair, length m.
        n_boot: least number of resamples of GT groups, shared by all metrics. A p value of n resamples is at least
            2 / (n + 1), so a table of many rows draws as many as a corrected p of 0.01 needs: 21,000 for 15 rows.
        seed: the run's `seed`.
        statistic: "srcc" or "plcc".

    Returns:
        One row per unordered pair of metrics, in the order of the columns: metric_a, metric_b, then with S the
        statistic S_difference (|S of a| - |S of b|), S_difference_low, S_difference_high, and p_bootstrap, p_williams,
        p_holm, n (common pairs), verdict ("a better", "b better", "not distinguishable" or "undefined"), status. A
        comparison that is undefined has NaN, stays out of Holm's correction, and `status` says why.

    Raises:
        HlfError: fewer than 2 metrics, a name that stands twice, lengths differ, fewer than 5 pairs, scores that are
            not finite or all equal, fewer than 2 groups, or an unknown statistic.
    """
    import pandas as pd

    names = [str(name) for name in values]
    if len(names) < 2 or len(set(names)) < len(names):
        raise HlfError(f"a comparison of rows needs at least 2 metrics, each named once, got {names}")
    signed = _statistic(statistic)
    y = np.asarray(scores, dtype=np.float64)
    if not len(values) == len(y) == len(groups):
        raise HlfError(f"a comparison of rows got {len(values)} pairs, {len(y)} scores and {len(groups)} groups")
    # the scores alone may already be too few or constant; then no row can be compared
    checked(y, np.arange(len(y), dtype=np.float64))
    pairs = len(names) * (len(names) - 1) // 2
    resamples = draw_groups(groups, max(n_boot, int(np.ceil(2 * pairs / _FINEST))), seed)
    table = _Table(values.to_numpy(dtype=np.float64), y, resamples, signed is srcc, {})
    rows = []
    for i, j in combinations(range(len(names)), 2):
        rows.append({"metric_a": names[i], "metric_b": names[j], **table.compare(i, j, statistic)})
    return _judged(pd.DataFrame(rows), statistic)


def _judged(result: "pd.DataFrame", statistic: str) -> "pd.DataFrame":
    """Comparisons with the corrected p values and verdicts of them all."""
    good = (result["status"] == "ok").to_numpy()
    result["p_holm"] = np.nan
    if good.any():
        result.loc[good, "p_holm"] = holm(result.loc[good, "p_bootstrap"].to_numpy())
    difference = result[f"{statistic}_difference"].to_numpy()
    clear = good & (result["p_holm"] < LEVEL).to_numpy()
    words = np.where(difference > 0, "a better", "b better")
    result["verdict"] = np.where(clear, words, np.where(good, "not distinguishable", "undefined"))
    order = ["p_bootstrap", "p_williams", "p_holm", "n", "verdict", "status"]
    return result[[c for c in result if c not in order] + order]


@dataclass(frozen=True)
class _Table:
    """Values of all rows with what their comparisons share.

    Attributes:
        values: shape (m, metrics).
        scores: shape (m,).
        resamples: draws of the m pairs' GT groups.
        ranked: SRCC or PLCC.
        known: resampled correlations by metric and pairs used; filled as comparisons ask.
    """

    values: "NDArray[np.float64]"
    scores: "NDArray[np.float64]"
    resamples: Resamples
    ranked: bool
    known: "dict[tuple[int, bytes], NDArray[np.float64]]"

    def compare(self, i: int, j: int, statistic: str) -> dict[str, float | int | str]:
        """Columns of one comparison; NaN and a reason when it is undefined."""
        both = np.isfinite(self.values[:, i]) & np.isfinite(self.values[:, j])
        row: dict[str, float | int | str] = {"n": int(both.sum()), "status": "ok"}
        name, nan = f"{statistic}_difference", float("nan")
        try:
            a, b, y = self.values[both, i], self.values[both, j], self.scores[both]
            if self.ranked:
                a, b, y = (ranks(v) for v in (a, b, y))
            first, second, between = plcc(a, y), plcc(b, y), plcc(a, b)
            found = _difference(first, second, self._drawn(i, both), self._drawn(j, both))
            turn = _sign(first) * _sign(second)
            p = williams(abs(first), abs(second), turn * between, len(y))[1]
            row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
            row |= {"p_bootstrap": found.p, "p_williams": p}
        except HlfError as error:
            row |= {name: nan, f"{name}_low": nan, f"{name}_high": nan, "p_bootstrap": nan, "p_williams": nan}
            row["status"] = f"undefined: {error}"
        return row

    def _drawn(self, metric: int, both: "NDArray[np.bool_]") -> "NDArray[np.float64]":
        key = metric, both.tobytes()
        if key not in self.known:
            some = self.resamples.only(both)
            self.known[key] = resampled_correlations(self.values[both, metric], self.scores[both], some, self.ranked)
        return self.known[key]
