"""Models with a hidden value per pair: Dawid-Skene (how often a person is right), and a logistic bias per person.

Both describe people. Neither gives the fidelity score, which is the mean of the votes (paper 3.1): Dawid-Skene supposes
that a pair is either changed or not and turns a yes rate of 0.3 into about 0, where 0.3 is what we want to know.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlf.errors import HlfError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hlf.stats.answers import Answers

    Floats = NDArray[np.float64]

# the mean of Beta(1, 1) after k of n: (k + 1) / (n + 2)
_ADDED = 1.0
_ROUNDS, _TOLERANCE = 20_000, 1e-8
# standard deviations of the priors of theta, b and log a, our choice: wide enough to leave clear data alone, narrow
# enough that a person who always says yes, or a pair that all call changed, has a finite value
_SPREAD_THETA, _SPREAD_BIAS, _SPREAD_SLOPE = 3.0, 1.0, 0.5


@dataclass(frozen=True)
class DawidSkene:
    """Result of `dawid_skene`.

    Attributes:
        sensitivity: P(yes | changed) of each person, shape (p,), in (0, 1).
        specificity: P(no | not changed) of each person, shape (p,), in (0, 1).
        posterior: P(changed | answers) of each pair, shape (m,). NOT the fidelity score.
        prior: share of changed pairs, in (0, 1).
        rounds: rounds of the algorithm.
    """

    sensitivity: "Floats"
    specificity: "Floats"
    posterior: "Floats"
    prior: float
    rounds: int


def dawid_skene(answers: "Answers") -> DawidSkene:
    """Sensitivity and specificity of each person without known truth (Dawid and Skene 1979), two classes.

    Expectation-maximisation from the pairs' yes rates; every rate is the mean of its Beta(1, 1) posterior, so nobody is
    called perfect after a few answers. Swapping yes and no swaps sensitivity and specificity.

    Raises:
        HlfError: no convergence within 20,000 rounds.
    """
    size, pair, person, yes = len(answers.people), answers.pair, answers.person, answers.yes
    told, n = answers.counts()
    posterior = told / n

    def rate(weight: "Floats", hit: "Floats") -> "Floats":
        """Share of answers per person that hit, weighted, and drawn towards one half where there are few."""
        hits, total = np.bincount(person, weight * hit, size), np.bincount(person, weight, size)
        return (hits + _ADDED) / (total + 2 * _ADDED)

    for rounds in range(1, _ROUNDS + 1):
        changed = posterior[pair]
        sensitivity, specificity = rate(changed, yes), rate(1 - changed, 1 - yes)
        prior = float((posterior.sum() + _ADDED) / (len(posterior) + 2 * _ADDED))
        said_yes = np.log(sensitivity) - np.log1p(-specificity)
        said_no = np.log1p(-sensitivity) - np.log(specificity)
        evidence = np.bincount(pair, np.where(yes > 0, said_yes[person], said_no[person]), len(posterior))
        new = _logistic(evidence + np.log(prior) - np.log1p(-prior))
        done = np.abs(new - posterior).max() < _TOLERANCE
        posterior = new
        if done:
            return DawidSkene(sensitivity, specificity, posterior, prior, rounds)
    raise HlfError(f"Dawid-Skene did not converge within {_ROUNDS:,} rounds on {len(yes)} votes; collect more votes")


@dataclass(frozen=True)
class PersonBias:
    """Result of `person_bias`: logit P(yes) = slope * (theta - bias).

    Attributes:
        theta: strength of each pair's change, shape (m,); 0 = even odds for a person without bias.
        bias: strength at which each person says yes half of the time, shape (p,); above 0 = says yes less often.
        slope: how sharply each person tells pairs apart, shape (p,), > 0; near 0 = answers at random.
    """

    theta: "Floats"
    bias: "Floats"
    slope: "Floats"

    def rate(self) -> "Floats":
        """P(yes) of a person without bias and of slope 1 for each pair, shape (m,), in (0, 1)."""
        return _logistic(self.theta)


def person_bias(answers: "Answers") -> PersonBias:
    """Logistic analogue for yes/no answers of the bias and inconsistency models of P.910 and P.913, which are graded.

    logit P(yes) = a_s (theta_e - b_s) for person s and pair e, at its posterior mode under normal priors on theta, b
    and log a. Swapping yes and no swaps the signs of theta and b.

    Raises:
        HlfError: the optimiser gives up.
    """
    from scipy.optimize import minimize

    pairs, people = len(answers.pairs), len(answers.people)
    yes, n = answers.counts()
    start = np.concatenate([np.log((yes + 1) / (n - yes + 1)), np.zeros(2 * people)])
    found = minimize(_bias_loss, start, args=(answers,), jac=True, method="L-BFGS-B", options={"maxiter": 5000})
    if not found.success:
        raise HlfError(f"the person-bias model did not converge on {len(answers.yes)} votes: {found.message}")
    theta, bias, log_slope = np.split(found.x, [pairs, pairs + people])
    return PersonBias(theta, bias, np.exp(log_slope))


def _bias_loss(values: "Floats", answers: "Answers") -> "tuple[float, Floats]":
    """Negative log posterior and its gradient; `values` are theta (m), bias (p), log slope (p)."""
    pairs, people = len(answers.pairs), len(answers.people)
    theta, bias, log_slope = np.split(values, [pairs, pairs + people])
    slope = np.exp(log_slope)[answers.person]
    logit = slope * (theta[answers.pair] - bias[answers.person])
    error = _logistic(logit) - answers.yes
    scale = np.repeat([_SPREAD_THETA, _SPREAD_BIAS, _SPREAD_SLOPE], [pairs, people, people])
    loss = np.logaddexp(0.0, logit).sum() - (answers.yes * logit).sum() + 0.5 * ((values / scale) ** 2).sum()
    slopes = [
        np.bincount(answers.pair, error * slope, pairs),
        -np.bincount(answers.person, error * slope, people),
        np.bincount(answers.person, error * logit, people),
    ]
    return float(loss), np.concatenate(slopes) + values / scale**2


def _logistic(values: "Floats") -> "Floats":
    from scipy.special import expit

    return np.asarray(expit(values), dtype=np.float64)
