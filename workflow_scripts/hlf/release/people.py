"""Votes without the people who gave them: new names that say nothing, and only columns that are meant to be seen."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# of table `votes`; whatever else a table holds stays behind
KEPT = (
    "participant", "pair_id", "source", "is_trap", "trap_answer", "answer", "order_index", "rt_active_ms", "valid",
)  # fmt: skip


def without_people(votes: "pd.DataFrame") -> "pd.DataFrame":
    """Columns KEPT of table `votes`, people called p0001 and so on, traps trap-01 and so on.

    A file of votes may call people by their names or addresses, and traps by anything. So the numbers follow from the
    answers alone: other names give the same table, and nobody who knows the people can tell their order. People with
    the same answers in the same order may swap numbers, which changes no row.

    Returns:
        Rows sorted by participant, order_index and pair_id.
    """
    votes = votes[list(KEPT)].sort_values(["order_index", "pair_id"], kind="stable").reset_index(drop=True)
    traps = sorted(set(votes.loc[votes["is_trap"], "pair_id"]))
    new = {name: f"trap-{number:02d}" for number, name in enumerate(traps, start=1)}
    pairs = [new[p] if trap else p for p, trap in zip(votes["pair_id"], votes["is_trap"], strict=True)]
    votes = votes.assign(pair_id=pairs)
    given = {
        str(person): tuple(map(repr, own.drop(columns="participant").itertuples(index=False, name=None)))
        for person, own in votes.groupby("participant")
    }
    people = {name: f"p{number:04d}" for number, name in enumerate(sorted(given, key=given.__getitem__), start=1)}
    votes = votes.assign(participant=[people[str(name)] for name in votes["participant"]])
    return votes.sort_values(["participant", "order_index", "pair_id"], kind="stable").reset_index(drop=True)
