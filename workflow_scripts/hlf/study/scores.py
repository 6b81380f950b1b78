"""The human score of each pair: the mean of its valid votes (paper 3.1), with its interval and source."""

import logging
from typing import TYPE_CHECKING

from hlf.columns import conform
from hlf.errors import HlfError
from hlf.stats import wilson

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def score_pairs(pairs: "pd.DataFrame", votes: "pd.DataFrame", votes_per_pair: int, run: str) -> "pd.DataFrame":
    """Average the valid votes of every pair; traps and people who failed them do not count.

    Args:
        pairs: table `pairs`.
        votes: table `votes`, of one source.
        votes_per_pair: valid votes below which a pair is "incomplete".
        run: name of the run, written into the rows.

    Returns:
        Table `scores`, sorted by pair id. `score` in [0, 1], higher = more people saw a change. A pair without any
        valid vote is incomplete, its score NaN and its interval [0, 1].

    Raises:
        HlfError: votes of more than one source, of an unknown pair, or none that counts.
    """
    import pandas as pd

    sources = sorted(votes["source"].unique())
    if len(sources) > 1:
        raise HlfError(
            f"the votes come from different sources {sources}, which are never averaged; score one at a time"
        )
    counted = votes[votes["valid"] & ~votes["is_trap"]]
    if counted.empty:
        raise HlfError(f"none of the {len(votes)} votes counts: no pair can be scored; check the screening of people")
    strangers = set(counted["pair_id"]) - set(pairs["pair_id"])
    if strangers:
        raise HlfError(
            f"votes name {len(strangers)} pairs that are not in the study, such as {min(strangers)}; "
            "give votes on this run's pairs"
        )
    tally = counted.groupby("pair_id")["answer"].agg(["count", "sum"])
    rows = pairs[["pair_id", "image_id", "level", "model"]].sort_values("pair_id").reset_index(drop=True)
    rows["n_valid"] = rows["pair_id"].map(tally["count"]).fillna(0).astype("int64")
    rows["n_yes"] = rows["pair_id"].map(tally["sum"]).fillna(0).astype("int64")
    # 0 / 0 gives the documented NaN of a pair without votes
    rows["score"] = rows["n_yes"] / rows["n_valid"]
    limits = [wilson(k, n) if n else (0.0, 1.0) for k, n in zip(rows["n_yes"], rows["n_valid"], strict=True)]
    rows[["wilson_low", "wilson_high"]] = pd.DataFrame(limits, index=rows.index)
    rows["status"] = ["complete" if n >= votes_per_pair else "incomplete" for n in rows["n_valid"]]
    open_pairs = int((rows["status"] == "incomplete").sum())
    if open_pairs:
        log.warning("%d of %d pairs have fewer than %d valid votes", open_pairs, len(rows), votes_per_pair)
    return conform(rows.assign(run=run, source=sources[0]), "scores")
