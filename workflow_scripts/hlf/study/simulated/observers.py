"""Simulated people: how likely each of them says "the content changed". They test the software and nothing else.

P(yes) = lapse / 2 + (1 - lapse) * Phi((m - threshold) / spread), m = 4 * (content error - 0.5). The content error must
come from a reader that is never scored as a metric, or the correlations of Tables 2 and 3 would be circular.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hlf.errors import HlfError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

# strength of the planted changes of traps, beyond what a content error of 0 or 1 gives a usual pair
TRAP_STRENGTH = 2.0
CARELESS_KINDS = ("coin", "always_no", "too_fast")
# a person who answers too fast sees about a third of the pairs; our choice
TOO_FAST_LAPSE = 0.7
# medians of the time to an answer, in ms; our choice
USUAL_MS, TOO_FAST_MS = 3000.0, 300.0


@dataclass(frozen=True)
class Observer:
    """One simulated person.

    Attributes:
        participant: name, written into the votes.
        kind: "attentive" or one of `CARELESS_KINDS`.
        lapse: share of trials answered by a coin, in [0, 1].
        threshold: strength at which the person says yes half of the time; infinite: never.
        spread: width of the doubtful zone, > 0.
    """

    participant: str
    kind: str
    lapse: float
    threshold: float
    spread: float

    def p_yes(self, strength: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Probability of "yes" for changes of `strength` (any shape, about -2..2); same shape, in [0, 1]."""
        from scipy.special import ndtr

        return self.lapse / 2 + (1 - self.lapse) * ndtr((strength - self.threshold) / self.spread)

    def answers(self, strength: "NDArray[np.float64]", rng: "np.random.Generator") -> "NDArray[np.int64]":
        """One drawn answer per strength (n,): 1 = "the content changed", 0 = "it did not"."""
        import numpy as np

        return (rng.random(strength.shape) < self.p_yes(strength)).astype(np.int64)

    def answer(self, strength: float, rng: "np.random.Generator") -> tuple[int, int]:
        """One drawn answer (1 = "the content changed") and the time it took, in ms.

        Times are log-normal; doubtful changes take up to twice as long, people who answer too fast a tenth.
        """
        import numpy as np

        p = float(self.p_yes(np.float64(strength)))  # type: ignore[arg-type]
        median = TOO_FAST_MS if self.kind == "too_fast" else USUAL_MS * (1 + 4 * p * (1 - p))
        return int(rng.random() < p), round(median * float(rng.lognormal(0.0, 0.35)))


def draw_observer(participant: str, careless: float, rng: "np.random.Generator") -> Observer:
    """Draw a person: with probability `careless` one of `CARELESS_KINDS`, each as likely, otherwise an attentive one.

    Attentive people: lapse ~ Beta(1, 30), threshold ~ N(0, 0.35), spread ~ 0.5 times a log-normal of sigma 0.2.
    """
    lapse, threshold = float(rng.beta(1.0, 30.0)), float(rng.normal(0.0, 0.35))
    spread = 0.5 * float(rng.lognormal(0.0, 0.2))
    if rng.random() >= careless:
        return Observer(participant, "attentive", lapse, threshold, spread)
    kind = CARELESS_KINDS[int(rng.integers(len(CARELESS_KINDS)))]
    if kind == "coin":
        return Observer(participant, kind, 1.0, threshold, spread)
    if kind == "always_no":
        return Observer(participant, kind, 0.0, float("inf"), spread)
    return Observer(participant, kind, TOO_FAST_LAPSE, threshold, spread)


def strength_of(pairs: "pd.DataFrame", content_error: "pd.DataFrame") -> "NDArray[np.float64]":
    """Strength m = 4 * (error - 0.5) of every pair, (n,) in the order of `pairs`, in [-2, 2].

    Args:
        pairs: table with column pair_id.
        content_error: columns pair_id, content_error in [0, 1]: 0 = same content, 1 = all of it changed.

    Raises:
        HlfError: a missing column, a pair without an error or named twice, or a value outside [0, 1].
    """
    import numpy as np

    missing = [c for c in ("pair_id", "content_error") if c not in content_error]
    if missing:
        raise HlfError(f"the table of content errors lacks columns {missing}, it has {list(content_error)}")
    if content_error["pair_id"].duplicated().any():
        name = content_error.loc[content_error["pair_id"].duplicated(), "pair_id"].iloc[0]
        raise HlfError(f"the table of content errors names pair {name} more than once")
    found = content_error.set_index("pair_id")["content_error"].reindex(pairs["pair_id"])
    values = found.to_numpy(dtype=np.float64)
    wrong = ~((values >= 0.0) & (values <= 1.0))  # written so that NaN counts as wrong
    if wrong.any():
        raise HlfError(
            f"{int(wrong.sum())} of {len(values)} pairs have no content error in [0, 1], such as "
            f"{pairs['pair_id'].iloc[int(np.argmax(wrong))]}; simulated votes need one for every pair"
        )
    return 4.0 * (values - 0.5)
