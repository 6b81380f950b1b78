"""Whose votes count: the trap rule (paper 3.1: people "who consistently fail on these trap questions are discarded").

The paper gives no threshold. Ours scales with the number of traps seen: a fixed one would reject careful people with a
few slips or keep coin flippers. Raw votes stay; only the column `valid` says what counts.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# changes whenever the rule below changes, so that a report can name it
RULE = "traps-1"


def passes(seen: int, failed: int) -> bool:
    """Whether a person's votes count, from the traps they saw and failed.

    8 traps or more: out at a third of them (rounded up); 4 to 7: out at more than half; fewer: undecided, kept.
    Coin flippers are caught by 8 traps with probability 0.86, people with 5 % slips lost with 0.006 (binomial).

    >>> passes(8, 2), passes(8, 3), passes(6, 3), passes(3, 3)
    (True, False, True, True)
    """
    if seen >= 8:
        return failed < -(-seen // 3)
    return seen < 4 or failed <= seen / 2


def screen(votes: "pd.DataFrame") -> "pd.DataFrame":
    """Judge every person in a table of votes; a pure function of the trap rows, whatever their order.

    Args:
        votes: columns participant, is_trap, trap_answer, answer.

    Returns:
        One row per person, sorted: participant, traps, failed, keep, flag. `flag` is a short reason, empty for people
        who are kept without doubt.
    """
    import pandas as pd

    rows = []
    for person, own in votes.groupby("participant", sort=True):
        traps = own[own["is_trap"]]
        seen, failed = len(traps), int((traps["answer"] != traps["trap_answer"]).sum())
        keep = passes(seen, failed)
        flag = "" if keep else f"failed {failed} of {seen} traps"
        if seen < 4:
            flag = f"undecided: saw {seen} traps, 4 needed"
        rows.append((str(person), seen, failed, keep, flag))
    return pd.DataFrame(rows, columns=["participant", "traps", "failed", "keep", "flag"])


def apply_screening(votes: "pd.DataFrame") -> "pd.DataFrame":
    """The same votes with `valid` set: True in every row, traps too, of a person who is kept."""
    kept = screen(votes).set_index("participant")["keep"]
    return votes.assign(valid=votes["participant"].map(kept).astype(bool))
