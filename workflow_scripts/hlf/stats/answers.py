"""The votes of a study as arrays: who said yes to which pair. Statistics of agreement and of people start here."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlf.columns import image_of
from hlf.errors import HlfError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Answers:
    """Answers to pairs, traps left out, at most one per person and pair; sorted by pair, then person.

    Attributes:
        pairs: names of the m pairs, sorted.
        people: names of the p people, sorted.
        pair: index of each answer's pair, shape (answers,).
        person: index of each answer's person, shape (answers,).
        yes: 1.0 = "the content changed", 0.0 = it did not, shape (answers,).
    """

    pairs: list[str]
    people: list[str]
    pair: "NDArray[np.int64]"
    person: "NDArray[np.int64]"
    yes: "NDArray[np.float64]"

    @classmethod
    def of(cls, votes: "pd.DataFrame", only_valid: bool = True) -> "Answers":
        """Arrays of a table `votes`.

        Args:
            votes: columns participant, pair_id, is_trap, answer, source, and valid where `only_valid`; any order.
            only_valid: leave out the votes that do not count.

        Raises:
            HlfError: several sources, no vote left, an answer other than 0 or 1, or two answers of one person to one
                pair.
        """
        sources = sorted(set(votes["source"]))
        if len(sources) > 1:
            raise HlfError(f"the votes come from different sources {sources}; judge one at a time")
        used = votes[~votes["is_trap"] & votes["valid"]] if only_valid else votes[~votes["is_trap"]]
        if used.empty:
            raise HlfError(f"none of the {len(votes)} votes counts; there is nothing to compute, collect votes first")
        used = used.sort_values(["pair_id", "participant"])
        twice = used[used.duplicated(["pair_id", "participant"])]
        if len(twice):
            raise HlfError(
                f"{twice['participant'].iloc[0]} has two votes for pair {twice['pair_id'].iloc[0]}; keep one"
            )
        yes = used["answer"].to_numpy(dtype=np.float64)
        if not np.isin(yes, (0.0, 1.0)).all():
            raise HlfError(f"answers must be 0 or 1, got {yes[~np.isin(yes, (0.0, 1.0))][0]}")
        pairs, pair = np.unique(used["pair_id"].to_numpy(dtype=str), return_inverse=True)
        people, person = np.unique(used["participant"].to_numpy(dtype=str), return_inverse=True)
        return cls(pairs.tolist(), people.tolist(), pair, person, yes)

    def counts(self) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
        """Number of yes answers and of all answers of every pair, each of shape (m,)."""
        size = len(self.pairs)
        yes = np.bincount(self.pair, self.yes, size)
        return yes.astype(np.float64), np.bincount(self.pair, minlength=size).astype(np.float64)

    def groups(self) -> list[str]:
        """GT image of every pair, length m; pairs of one image are not independent."""
        return [image_of(name) for name in self.pairs]
