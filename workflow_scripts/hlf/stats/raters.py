"""How far people agree on yes/no answers: Krippendorff's alpha, Fleiss' kappa, intraclass correlation, share agreeing.

All of them are functions of two numbers per pair, its yes answers and its answers. So every sum over pairs is linear in
how often a resample holds each pair, and a bootstrap is one matrix product.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlf.errors import HlfError
from hlf.stats.resampling import draw_groups, percentile_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hlf.stats.answers import Answers

    Floats = NDArray[np.float64]

# resamples computed together, which bounds the memory
_TOGETHER = 512
STATISTICS = ("alpha", "kappa", "icc1", "icck", "percent")


@dataclass(frozen=True)
class Coefficient:
    """A statistic with its 95 % bootstrap interval over GT groups; NaN and a reason in `status` when undefined."""

    value: float
    low: float
    high: float
    status: str = "ok"


@dataclass(frozen=True)
class RaterAgreement:
    """Agreement of the people on pairs with at least two answers.

    Attributes:
        alpha: Krippendorff's alpha, nominal; 1 = full agreement, 0 = as by chance.
        kappa: Fleiss' kappa; undefined when pairs have different numbers of answers.
        icc1: ICC(1), one-way: reliability of one answer.
        icck: ICC(1,k), one-way: reliability of the mean of a pair's answers.
        percent: mean share of pairs of people who agree, in [0, 1].
        pairs: pairs used.
        votes: their answers.
        fewest: answers of the pair with the fewest.
        most: answers of the pair with the most.
    """

    alpha: Coefficient
    kappa: Coefficient
    icc1: Coefficient
    icck: Coefficient
    percent: Coefficient
    pairs: int
    votes: int
    fewest: int
    most: int


def krippendorff_alpha(yes: "Sequence[float] | Floats", n: "Sequence[float] | Floats") -> float:
    """Krippendorff's alpha of yes/no answers with missing ones (nominal; Krippendorff, Content Analysis, ch. 12).

    alpha = 1 - Do / De, Do = (1/N) sum_u 2 y_u (n_u - y_u) / (n_u - 1), De = 2 Y (N - Y) / (N (N - 1)), over pairs u
    with n_u >= 2 answers, y_u of them yes; N and Y are the sums.

    Args:
        yes: yes answers of every pair, shape (m,).
        n: answers of every pair, shape (m,); pairs with fewer than 2 do not count.

    Returns:
        At most 1; 0 = as much agreement as by chance, below 0 = less.

    Raises:
        HlfError: no pair with 2 answers, all answers equal, or more yes answers than answers.
    """
    return _statistic("alpha", yes, n)


def fleiss_kappa(yes: "Sequence[float] | Floats", n: "Sequence[float] | Floats") -> float:
    """Fleiss' kappa of yes/no answers (Fleiss 1971), which is defined for equal numbers of answers only.

    Args and returns as `krippendorff_alpha`.

    Raises:
        HlfError: as there, or different numbers of answers; alpha allows them.
    """
    return _statistic("kappa", yes, n)


def icc1(yes: "Sequence[float] | Floats", n: "Sequence[float] | Floats") -> float:
    """ICC(1) of a one-way analysis of variance (Shrout and Fleiss 1979): reliability of one answer, at most 1.

    Other people answer every pair, so only the one-way model fits. Unequal numbers of answers enter by their usual mean
    n0 = (N - sum n_u^2 / N) / (m - 1). Args as `krippendorff_alpha`.

    Raises:
        HlfError: as there, or fewer than 2 pairs.
    """
    return _statistic("icc1", yes, n)


def icck(yes: "Sequence[float] | Floats", n: "Sequence[float] | Floats") -> float:
    """ICC(1,k) = (MSB - MSW) / MSB, one-way: reliability of the mean of all answers of a pair, at most 1.

    Args as `krippendorff_alpha`.

    Raises:
        HlfError: as `icc1`, or equal means of all pairs.
    """
    return _statistic("icck", yes, n)


def percent_agreement(yes: "Sequence[float] | Floats", n: "Sequence[float] | Floats") -> float:
    """Mean over pairs of the share of two different people who give the same answer, in [0, 1].

    It is high by chance alone where nearly all answers are equal. Args as `krippendorff_alpha`.

    Raises:
        HlfError: no pair with 2 answers.
    """
    return _statistic("percent", yes, n)


def rater_agreement(answers: "Answers", n_boot: int, seed: int) -> RaterAgreement:
    """All statistics of this file with bootstrap intervals over GT groups, from the same resamples.

    Args:
        answers: who said yes to what.
        n_boot: resamples of the GT images with all their pairs.
        seed: the run's seed.

    Raises:
        HlfError: no pair with 2 answers, fewer than 2 GT images or n_boot < 1. A statistic that is undefined for other
            reasons is NaN, its reason in `status`.
    """
    yes, n = answers.counts()
    columns, used = _columns(yes, n), n[n >= 2].astype(int)
    draws = draw_groups([g for g, many in zip(answers.groups(), n, strict=True) if many >= 2], n_boot, seed)
    resampled = []
    for start in range(0, n_boot, _TOGETHER):
        weights = draws.counts[start : start + _TOGETHER][:, draws.group].astype(np.float64)
        resampled.append(_values(weights @ columns))

    def coefficient(name: str) -> Coefficient:
        """One coefficient with its interval; NaN and a reason where it is undefined."""
        nan = float("nan")
        try:
            value = _statistic(name, yes, n)
        except HlfError as error:
            return Coefficient(nan, nan, nan, f"undefined: {error}")
        try:
            low, high = percentile_interval(np.concatenate([part[name] for part in resampled]))
        except HlfError as error:
            return Coefficient(value, nan, nan, f"no interval: {error}")
        return Coefficient(value, low, high)

    parts = {name: coefficient(name) for name in STATISTICS}
    return RaterAgreement(**parts, pairs=len(used), votes=int(used.sum()), fewest=int(used.min()), most=int(used.max()))


def _statistic(name: str, yes: "Sequence[float] | Floats", n: "Sequence[float] | Floats") -> float:
    """One statistic of all pairs; HlfError where it is undefined."""
    columns = _columns(yes, n)
    counts = columns[:, 1]
    if name == "kappa" and np.ptp(counts):
        raise HlfError(
            f"Fleiss' kappa needs equally many answers for every pair, got {counts.min():.0f} to {counts.max():.0f}; "
            "use Krippendorff's alpha"
        )
    if name in ("icc1", "icck") and len(columns) < 2:
        raise HlfError("an intraclass correlation needs at least 2 pairs with 2 answers, got 1")
    value = float(_values(columns.sum(axis=0))[name])
    if np.isnan(value):
        raise HlfError(f"all answers are alike, or all pairs have equal means: {name} is undefined for these pairs")
    return value


def _columns(yes: "Sequence[float] | Floats", n: "Sequence[float] | Floats") -> "Floats":
    """What each pair with 2 answers or more adds to the sums that `_values` reads, shape (pairs, 7)."""
    y, k = np.asarray(yes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if y.shape != k.shape or y.ndim != 1:
        raise HlfError(f"agreement needs as many yes counts as answer counts, got shapes {y.shape} and {k.shape}")
    if (y < 0).any() or (y > k).any():
        raise HlfError("agreement needs 0 <= yes answers <= answers for every pair")
    y, k = y[k >= 2], k[k >= 2]
    if not len(k):
        raise HlfError("agreement needs at least one pair with 2 answers; collect more votes")
    # answers of a pair that differ from one another, of n - 1 others each
    unlike = 2 * y * (k - y) / (k - 1)
    return np.stack([np.ones_like(k), k, k * k, y, y * y / k, unlike, unlike / k], axis=1)


def _values(sums: "Floats") -> "dict[str, Floats]":
    """All statistics from sums over pairs, shape (..., 7); NaN where undefined."""
    pairs, total, squares, y, between, unlike, share = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = 2 * y * (total - y) / (total * (total - 1))
        chance = 2 * y * (total - y) / total**2
        # one-way analysis of variance; a yes answer is its own square, so the total sum of squares is y - y^2 / total
        ms_between = (between - y * y / total) / (pairs - 1)
        ms_within = (y - between) / (total - pairs)
        size = (total - squares / total) / (pairs - 1)
        return {
            "alpha": 1 - unlike / total / _nonzero(expected),
            "kappa": 1 - share / pairs / _nonzero(chance),
            "icc1": (ms_between - ms_within) / _nonzero(ms_between + (size - 1) * ms_within),
            "icck": (ms_between - ms_within) / _nonzero(ms_between),
            "percent": 1 - share / pairs,
        }


def _nonzero(values: "Floats") -> "Floats":
    """The same with NaN for what is 0 but for rounding."""
    return np.where(np.abs(values) > 1e-12, values, np.nan)
