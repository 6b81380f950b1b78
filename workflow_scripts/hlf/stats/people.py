"""One person against the others: correlation with their mean, and the rejection of BT.500 as information."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlf.errors import HlfError
from hlf.stats.correlation import MIN_PAIRS, plcc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hlf.stats.answers import Answers

# ITU-R BT.500, screening of observers: width of the band where the answers are about normal, and elsewhere
_NORMAL, _OTHER = 2.0, np.sqrt(20.0)
# there, too: share of answers outside the band, and how one-sided they may be, for a person to be rejected
_OUTSIDE, _ONE_SIDED = 0.05, 0.3


def leave_one_out(answers: "Answers", trusted: "NDArray[np.bool_] | None" = None) -> "NDArray[np.float64]":
    """Correlation of each person's answers with the mean answer of the others to the same pairs.

    Args:
        answers: who said yes to what.
        trusted: people whose answers make up the others' mean, shape (p,); everybody when None. A person is never
            compared with themselves.

    Returns:
        Pearson correlation, shape (p,), in [-1, 1]; NaN for people with fewer than 5 pairs that others answered too, or
        whose answers, or the others' means, are all alike.
    """
    use = np.ones(len(answers.people), dtype=bool) if trusted is None else np.asarray(trusted, dtype=bool)
    if use.shape != (len(answers.people),):
        raise HlfError(f"trusted must have one value for each of {len(answers.people)} people, got shape {use.shape}")
    counted = use[answers.person].astype(np.float64)
    size = len(answers.pairs)
    yes, n = (np.bincount(answers.pair, v, size)[answers.pair] for v in (counted * answers.yes, counted))
    others_yes, others = yes - counted * answers.yes, n - counted
    found = np.full(len(answers.people), np.nan)
    for person in range(len(found)):
        own = (answers.person == person) & (others > 0)
        if own.sum() >= MIN_PAIRS:
            found[person] = _correlation(answers.yes[own], others_yes[own] / others[own])
    return found


def _correlation(a: "NDArray[np.float64]", b: "NDArray[np.float64]") -> float:
    try:
        return plcc(a, b)
    except HlfError:
        return float("nan")  # all values alike


@dataclass(frozen=True)
class Bt500:
    """What the rejection of BT.500 would do; information only.

    Attributes:
        above: answers of each person above the band of their pair, shape (p,).
        below: below it, shape (p,).
        answers: answers of each person, shape (p,).
        rejected: people it would reject, shape (p,).
    """

    above: "NDArray[np.int64]"
    below: "NDArray[np.int64]"
    answers: "NDArray[np.int64]"
    rejected: "NDArray[np.bool_]"


def bt500(answers: "Answers") -> Bt500:
    """Kurtosis-based rejection of people (ITU-R BT.500, screening of observers), which must not exclude anybody here.

    The band of a pair is its mean +- 2 standard deviations where 2 <= kurtosis <= 4, else +- sqrt(20). A person is
    rejected when more than 5 % of their answers lie outside and these are not mostly on one side (difference below 30 %
    of their sum). It is made for graded scales: of 12 yes/no answers none ever lies outside, and with other numbers it
    depends on odd splits, such as 2 of 11.
    """
    yes, n = answers.counts()
    mean = yes / n
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = mean * (1 - mean)
        # fourth central moment over the squared second, of a share: (1 - 3 v) / v
        kurtosis = (1 - 3 * variance) / variance
        # sample standard deviation, with n - 1, as the recommendation has it
        deviation = np.sqrt(variance * n / (n - 1))
    half = np.where((kurtosis >= 2) & (kurtosis <= 4), _NORMAL, _OTHER) * deviation
    # pairs without spread have no band; the margin keeps a rounding error from deciding on its edge
    half = np.where(variance > 0, half - 1e-12, np.inf)
    size, away = len(answers.people), answers.yes - mean[answers.pair]
    above, below = (np.bincount(answers.person, side >= half[answers.pair], size).astype(int) for side in (away, -away))
    total = np.bincount(answers.person, minlength=size)
    outside = above + below
    one_sided = np.abs(above - below) / np.maximum(outside, 1)
    return Bt500(above, below, total, (outside / total > _OUTSIDE) & (one_sided < _ONE_SIDED))
