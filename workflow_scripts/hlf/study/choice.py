"""Which pair a person sees next, and where traps stand: pure functions of what was seen so far and of seeds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from hlf.seeds import generator

if TYPE_CHECKING:
    import numpy as np

# fewer traps decide too little: with 8, 86 % of coin flippers are caught and 0.6 % of people with 5 % slips lost
MIN_TRAPS = 8
# trials before the first trap
FIRST_TRAP = 3
# how far the distance of two traps may be from the rate
JITTER = 2


class Candidate(NamedTuple):
    """A pair that a person has not had and that still needs votes.

    Attributes:
        pair: number of the pair in the database.
        image_id: of its GT.
        model: SR model.
        load: valid votes and live holds.
    """

    pair: int
    image_id: str
    model: str
    load: int


@dataclass(frozen=True)
class Frame:
    """What the sittings of all people of a study have in common.

    Attributes:
        quota: pairs that one person answers: the setting, or all pairs where there are fewer.
        trap_rate: one trap in about this many trials.
        shares: share of every SR model among the pairs; sums to 1.
    """

    quota: int
    trap_rate: int
    shares: dict[str, float]

    def total(self, seed: int, number: int) -> int:
        """Trials of person `number`, traps included."""
        return self.quota + len(sitting(seed, number, self.quota, self.trap_rate))


def choose(
    candidates: Sequence[Candidate],
    shares: dict[str, float],
    seen: "Counter[str]",
    recent: "set[str] | frozenset[str]",
    rng: "np.random.Generator",
) -> list[int]:
    """Numbers of the candidates, the one to show first.

    Pairs of a GT that the person has just seen wait while others are left. So do those of an SR model that would then
    be one pair above its share of the person's pairs; a model that would still be below its share goes first, the one
    furthest below before all: a person's bias must not become a bias between models. Among the rest the least loaded
    pair comes first, so that votes per pair stay even, then the model seen least, then chance.

    Args:
        candidates: pairs open to the person.
        shares: share of every SR model among the study's pairs; sums to 1.
        seen: pairs of each model that the person had so far.
        recent: GT images of the person's last trials.
        rng: generator of this person and trial.
    """
    import numpy as np

    count, n = sum(seen.values()) + 1, len(candidates)
    # rounded: whether one pair is one pair too many must not hang on the last bit of a share
    surplus = {model: round(seen[model] + 1 - count * share, 9) for model, share in shares.items()}
    over = np.fromiter((surplus[model] for _, _, model, _ in candidates), np.float64, n)
    load = np.fromiter((load for _, _, _, load in candidates), np.int64, n)
    just_seen = np.fromiter((image in recent for _, image, _, _ in candidates), np.bool_, n)
    # the last key is the first to sort by
    order = np.lexsort((rng.random(n), over, load, np.minimum(over, 0.0), over >= 1.0, just_seen))
    return [candidates[index].pair for index in order.tolist()]


def trap_spots(quota: int, trap_rate: int, rng: "np.random.Generator") -> list[int]:
    """Trials, counted from 0, that are traps in a sitting of `quota` pairs; the sitting is longer by their number.

    The first stands at least 3 trials after the start. Two traps are `trap_rate` trials apart, give or take 2; where
    fewer than 8 traps fit that way, 8 are spread evenly over the sitting, or as many as there are pairs to part them.

    Args:
        quota: pairs that the person answers.
        trap_rate: one trap in about this many trials.
        rng: the person's generator.
    """
    import numpy as np

    spots: list[int] = []
    spot = FIRST_TRAP + int(rng.integers(trap_rate - JITTER))
    # the last trial is a pair: who finishes has seen no trap in vain
    while spot < quota + len(spots):
        spots.append(spot)
        spot += int(rng.integers(trap_rate - JITTER, trap_rate + JITTER + 1))
    if len(spots) >= MIN_TRAPS:
        return spots
    # pairs that stand before each trap, one spot in each stretch of equal length
    room = np.arange(FIRST_TRAP, quota)
    parts = np.array_split(room, min(MIN_TRAPS, len(room))) if len(room) else []
    return [int(rng.choice(part)) + i for i, part in enumerate(parts)]


def trap_answers(count: int, rng: "np.random.Generator") -> list[int]:
    """Right answer of each of a person's traps: half yes, half no, in random order; an odd one out is drawn."""
    import numpy as np

    start = int(rng.integers(2))
    return [int(answer) for answer in rng.permutation((np.arange(count) + start) % 2)]


@lru_cache(maxsize=1000)
def sitting(seed: int, number: int, quota: int, trap_rate: int) -> dict[int, int]:
    """Trials of person `number` that are traps, with their right answers; the same whenever it is asked."""
    rng = generator(seed, "study", "traps", number)
    spots = trap_spots(quota, trap_rate, rng)
    return dict(zip(spots, trap_answers(len(spots), rng), strict=True))
