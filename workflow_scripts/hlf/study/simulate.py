"""A whole study with simulated people: assignment, traps, answers and screening, without a server (paper 3.1)."""

import logging
import math
from typing import TYPE_CHECKING

from hlf.columns import conform
from hlf.errors import HlfError
from hlf.seeds import generator
from hlf.study.observers import TRAP_STRENGTH, draw_observer, strength_of
from hlf.study.screening import passes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

LOG = logging.getLogger(__name__)

# fewer traps decide too little: with 8, 86 % of coin flippers are caught and 0.6 % of people with 5 % slips lost
MIN_TRAPS = 8
# trials before the first trap
FIRST_TRAP = 3
# people tried, as a multiple of those needed if everybody were kept, before the study is called impossible
MAX_PEOPLE = 20


def simulate_votes(
    pairs: "pd.DataFrame",
    content_error: "pd.DataFrame",
    votes_per_pair: int,
    people_quota: int,
    careless: float,
    trap_rate: int,
    seed: int,
    run: str,
) -> "pd.DataFrame":
    """Let simulated people arrive one after another until every pair has `votes_per_pair` valid votes.

    Each person answers `people_quota` pairs (or all, if fewer): of every SR model in proportion to its pairs, those
    with the fewest valid votes first, ties at random. After each person the trap rule decides whether their votes
    count, so pairs of careless people stay open. Everybody sees a full quota, hence some pairs end with more votes.

    Args:
        pairs: table `pairs`.
        content_error: columns pair_id, content_error in [0, 1] (see `observers.strength_of`).
        votes_per_pair: valid votes each pair needs.
        people_quota: pairs one person answers.
        careless: expected share of careless people, in [0, 1).
        trap_rate: one trap in about this many trials, at least 8 traps per person where the quota has room for them.
        seed: the run's `seed`; every person has a generator of their own.
        run: name of the run, written into the rows.

    Returns:
        Table `votes` with source "simulated", in order of arrival; votes that do not count stay with valid False.

    Raises:
        HlfError: a wrong argument, a pair without content error, or so many careless people that the study cannot end.
    """
    import numpy as np
    import pandas as pd

    _check(votes_per_pair, people_quota, careless, trap_rate)
    # sorted, so that the row order of the table changes nothing
    pairs = pairs.sort_values("pair_id")
    names, strength = pairs["pair_id"].to_numpy(dtype=str), strength_of(pairs, content_error)
    models = np.unique(pairs["model"].to_numpy(dtype=str), return_inverse=True)[1]
    quota = min(people_quota, len(names))
    limit = MAX_PEOPLE * math.ceil(len(names) * votes_per_pair / max(quota, 1))
    load = np.zeros(len(names), dtype=np.int64)
    sheets: list[pd.DataFrame] = []
    while load.min(initial=votes_per_pair) < votes_per_pair:
        if len(sheets) >= limit:
            raise HlfError(
                f"after {limit} simulated people only {int((load >= votes_per_pair).sum())} of {len(names)} pairs have "
                f"{votes_per_pair} valid votes; lower study.careless ({careless})"
            )
        person = f"sim{len(sheets) + 1:05d}"
        rng = generator(seed, "study", person)
        chosen = assign(load, models, quota, rng)
        sheet, kept = _sitting(person, names[chosen], strength[chosen], careless, trap_rate, rng)
        load[chosen] += kept
        sheets.append(sheet.assign(valid=kept))
    if not sheets:
        raise HlfError("there is no pair to vote on; run the sampling stage first")
    votes = pd.concat(sheets).assign(run=run, source="simulated")
    rejected = sum(not sheet["valid"].iloc[0] for sheet in sheets)
    LOG.info("%d simulated people, %d rejected by their traps, %d votes", len(sheets), rejected, len(votes))
    return conform(votes, "votes")


def assign(
    load: "NDArray[np.int64]", models: "NDArray[np.int64]", quota: int, rng: "np.random.Generator"
) -> "NDArray[np.int64]":
    """Rows of the pairs one person gets, in the order shown.

    Args:
        load: valid votes of every pair, shape (n,).
        models: number of every pair's SR model, shape (n,).
        quota: pairs to give, at most n.
        rng: the person's generator.
    """
    import numpy as np

    exact = quota * np.bincount(models) / len(models)
    places = np.floor(exact).astype(int)
    # the places that rounding leaves go to other models for every person
    luck = rng.permutation(len(places))
    by_fraction = luck[np.argsort(-np.round(exact - places, 9)[luck], kind="stable")]
    places[by_fraction[: quota - places.sum()]] += 1
    chosen = []
    for model, count in enumerate(places):
        own = rng.permutation(np.flatnonzero(models == model))
        chosen.append(own[np.argsort(load[own], kind="stable")][:count])
    return rng.permutation(np.concatenate(chosen))


def trap_spots(trials: int, trap_rate: int, rng: "np.random.Generator") -> "NDArray[np.int64]":
    """How many pairs stand before each trap: at least 3 before the first, at least one between two traps.

    Args:
        trials: pairs that the person answers.
        trap_rate: one trap in about this many trials, traps counted in; never fewer than 8 traps if they fit.
        rng: the person's generator.
    """
    import numpy as np

    room = np.arange(FIRST_TRAP, trials + 1)
    count = min(max(MIN_TRAPS, round(trials / (trap_rate - 1))), len(room))
    # one spot in each of `count` stretches of equal length: spread evenly, yet not to be foreseen
    return np.array([rng.choice(part) for part in np.array_split(room, count)] if count else [], dtype=np.int64)


def _sitting(
    person: str,
    names: "NDArray[np.str_]",
    strength: "NDArray[np.float64]",
    careless: float,
    trap_rate: int,
    rng: "np.random.Generator",
) -> tuple["pd.DataFrame", bool]:
    """All answers of one person in the order given, and whether the trap rule keeps them."""
    import numpy as np
    import pandas as pd

    observer = draw_observer(person, careless, rng)
    spots = trap_spots(len(names), trap_rate, rng)
    # half yes, half no; an odd one out is drawn
    expected = rng.permutation((np.arange(len(spots)) + rng.integers(2)) % 2)
    seen = [np.cumsum(expected == kind) for kind in (0, 1)]
    traps = [f"trap_{'yes' if e else 'no'}_{seen[e][i]:02d}" for i, e in enumerate(expected)]
    # np.insert keeps the positions of the original array: a trap goes before the pair at its spot
    is_trap = np.insert(np.zeros(len(names), dtype=bool), spots, True)
    shown = np.insert(strength, spots, np.where(expected == 1, TRAP_STRENGTH, -TRAP_STRENGTH))
    answer = observer.answers(shown, rng)
    sheet = pd.DataFrame(
        {
            "participant": person,
            "pair_id": np.insert(names.astype(object), spots, traps),
            "is_trap": is_trap,
            "trap_answer": np.insert(np.full(len(names), -1), spots, expected),
            "answer": answer,
            "order_index": np.arange(len(shown)),
        }
    )
    return sheet, passes(len(spots), int((answer[is_trap] != expected).sum()))


def _check(votes_per_pair: int, people_quota: int, careless: float, trap_rate: int) -> None:
    """HlfError naming the configuration key of an argument out of range."""
    if votes_per_pair < 1 or people_quota < 1:
        raise HlfError(f"study.votes_per_pair and people_quota must be >= 1, got {votes_per_pair} and {people_quota}")
    if not 0.0 <= careless < 1.0:
        raise HlfError(f"study.careless must be a share in [0, 1), got {careless}")
    if trap_rate < 2:
        raise HlfError(f"study.trap_rate must be at least 2 (one trap in so many trials), got {trap_rate}")
