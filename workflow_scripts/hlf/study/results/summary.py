"""What a study found, by SR model and by order of trials, and how long people took (the statistics beside the scores).

All functions take a table `votes` (hlf.columns) and use its valid votes to pairs; rt_active_ms may stand in it.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.seeds import generator

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from hlf.stats.answers import Answers

    Floats = NDArray[np.float64]

ALL = "all models"
BINS = 10  # of the score, as in Figure 4, and of the order of trials
# resamples computed together, which bounds the memory
_TOGETHER = 256


def model_summary(votes: "pd.DataFrame", models: Mapping[str, str], n_boot: int, seed: int) -> "pd.DataFrame":
    """Mean score of each SR model and its share of pairs that most people call changed, with two-way intervals.

    People and GT images are both drawn with replacement, so an interval speaks of other people and other images. A pair
    none of whose people were drawn does not count in that resample. All models share the resamples.

    Args:
        votes: table `votes`, one source; the pairs to use are those of `models`.
        models: pair id -> SR model.
        n_boot: resamples, 10,000 by custom.
        seed: the run's seed.

    Returns:
        Rows by model name, then ALL; columns model, n (pairs), mean, mean_low, mean_high, share (of pairs with score >
        0.5), share_low, share_high, and bin_0 .. bin_9: pairs with a score in [0, 0.1), ..., [0.9, 1] as in Figure 4.

    Raises:
        HlfError: no valid vote to one of the pairs, n_boot < 1, or an interval undefined in more than 5 % of the
            resamples (a model on very few GT images).
    """
    import numpy as np
    import pandas as pd

    from hlf.stats.answers import Answers
    from hlf.stats.resampling import percentile_interval

    if n_boot < 1:
        raise HlfError(f"the two-way bootstrap needs at least 1 resample, got {n_boot}")
    answers = Answers.of(votes[votes["pair_id"].isin(models.keys())])
    of_pair = np.array([models[name] for name in answers.pairs])
    names = sorted(set(of_pair))
    member = np.stack([*(of_pair == name for name in names), np.ones(len(of_pair), dtype=bool)], axis=1).astype(float)
    yes, n = answers.counts()
    score, many = yes / n, 2 * yes > n
    drawn = [_by_model(k, size, weight, member) for k, size, weight in _two_way(answers, n_boot, seed)]
    means, shares = (np.concatenate([part[i] for part in drawn]) for i in (0, 1))
    rows = []
    for index, name in enumerate([*names, ALL]):
        own = member[:, index] > 0
        bins = np.bincount(_bin(score[own]), minlength=BINS)
        mean_low, mean_high = percentile_interval(means[:, index])
        share_low, share_high = percentile_interval(shares[:, index])
        row = {"model": name, "n": int(own.sum()), "mean": score[own].mean(), "mean_low": mean_low}
        row |= {"mean_high": mean_high, "share": many[own].mean(), "share_low": share_low, "share_high": share_high}
        rows.append(row | {f"bin_{i}": int(count) for i, count in enumerate(bins)})
    return pd.DataFrame(rows)


def _bin(score: "Floats") -> "NDArray[np.int64]":
    """Index of each score's bin; by rounding up a hair, so that 3 of 10 lies in the bin that begins at 0.3."""
    import numpy as np

    return np.minimum((score * BINS + 1e-9).astype(np.int64), BINS - 1)


def _two_way(answers: "Answers", n_boot: int, seed: int) -> "Iterator[tuple[Floats, Floats, Floats]]":
    """Chunks of resamples: weighted yes answers and answers of every pair, and its weight, each (pairs, resamples)."""
    import numpy as np
    from scipy import sparse

    random = generator(seed, "study", "two-way")
    people, (images, image) = len(answers.people), np.unique(answers.groups(), return_inverse=True)
    shape = (len(answers.pairs), people)
    asked = sparse.csr_array((np.ones(len(answers.yes)), (answers.pair, answers.person)), shape=shape)
    said = sparse.csr_array((answers.yes, (answers.pair, answers.person)), shape=shape)
    for start in range(0, n_boot, _TOGETHER):
        size = min(_TOGETHER, n_boot - start)
        persons = random.multinomial(people, np.full(people, 1 / people), size=size).T.astype(np.float64)
        weight = random.multinomial(len(images), np.full(len(images), 1 / len(images)), size=size)[:, image].T
        yield said @ persons, asked @ persons, weight.astype(np.float64)


def _by_model(yes: "Floats", n: "Floats", weight: "Floats", member: "Floats") -> "tuple[Floats, Floats]":
    """Mean score and share of scores above 0.5 of every model in every resample, each (resamples, models)."""
    import numpy as np

    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(n > 0, yes / n, 0.0)
        used = np.where(n > 0, weight, 0.0)
        pairs = used.T @ member
        return (used * score).T @ member / pairs, (used * (2 * yes > n)).T @ member / pairs


def positions(votes: "pd.DataFrame") -> "pd.Series":
    """Place of each vote to a pair among those its person gave, from 0, traps left out; NaN for traps.

    Same index as `votes`, whose columns participant, order_index, pair_id and is_trap are used.
    """
    trials = votes[~votes["is_trap"]].sort_values(["participant", "order_index", "pair_id"])
    return trials.groupby("participant").cumcount().astype(float).reindex(votes.index)


def order_means(votes: "pd.DataFrame", n_boot: int, seed: int, bins: int = BINS) -> "pd.DataFrame":
    """Yes rate by trap-free place in the sitting: does it drift as people grow tired?

    Args:
        votes: table `votes`, with a column `position` (see `positions`) where it is only a part of each sitting.
        n_boot: resamples of the people for the interval.
        seed: the run's seed.
        bins: stretches of the sitting with about equally many votes; fewer when sittings are short.

    Returns:
        One row per stretch: first, last (places, from 1), place (their mean), n (votes), mean, low, high (95 %, NaN
        where a few people gave all of them), and expected, the mean score of the pairs answered there, which shows what
        the choice of pairs alone would do.

    Raises:
        HlfError: no valid vote, n_boot < 1 or bins < 1.
    """
    import numpy as np
    import pandas as pd

    if n_boot < 1 or bins < 1:
        raise HlfError(f"means by order need n_boot >= 1 and bins >= 1, got {n_boot} and {bins}")
    table = votes if "position" in votes else votes.assign(position=positions(votes))
    used = table[table["valid"] & ~table["is_trap"]]
    if used.empty:
        raise HlfError("no valid vote, so nothing can be said about the order of trials; collect votes first")
    scores = used.groupby("pair_id")["answer"].mean()
    # about equally many votes each; edges by equal length would leave the last stretches to the few longest sittings
    cuts = np.quantile(used["position"], np.arange(1, bins) / bins, method="inverted_cdf")
    edges = np.unique([0, *(cuts + 1), used["position"].max() + 1]).astype(int)
    people = np.unique(used["participant"].to_numpy(dtype=str))
    place = np.searchsorted(edges, used["position"].to_numpy(), side="right") - 1
    rows = []
    for index in np.unique(place):
        own = used[place == index]
        low, high = _people_interval(own, people, n_boot, seed)
        row: dict[str, Any] = {"first": int(edges[index]) + 1, "last": int(edges[index + 1])}
        row |= {"place": own["position"].mean() + 1, "n": len(own), "mean": own["answer"].mean()}
        row |= {"low": low, "high": high, "expected": scores.reindex(own["pair_id"]).mean()}
        rows.append(row)
    return pd.DataFrame(rows)


def _people_interval(votes: "pd.DataFrame", people: "NDArray[np.str_]", n_boot: int, seed: int) -> tuple[float, float]:
    """95 % interval of the yes rate when the people are drawn anew; NaN where a few people gave all the votes."""
    import numpy as np

    from hlf.stats.resampling import percentile_interval

    by_person = votes.groupby("participant")["answer"].agg(["sum", "count"]).reindex(people, fill_value=0)
    draws = generator(seed, "study", "order").multinomial(len(people), np.full(len(people), 1 / len(people)), n_boot)
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = (draws @ by_person["sum"].to_numpy()) / (draws @ by_person["count"].to_numpy())
    try:
        return percentile_interval(rates)
    except HlfError:
        return float("nan"), float("nan")


def rt_by_score(votes: "pd.DataFrame") -> "pd.DataFrame":
    """Active reaction time by score of the pair: people should be slow where they disagree.

    Returns:
        One row per bin of the score that holds a vote with a time: low, high (ends of the bin), n (votes), median_ms,
        q25_ms, q75_ms. No row when no reaction time is known, as in simulated votes without the server.
    """
    import numpy as np
    import pandas as pd

    columns = ["low", "high", "n", "median_ms", "q25_ms", "q75_ms"]
    if "rt_active_ms" not in votes:
        return pd.DataFrame(columns=columns, dtype=float)
    used = votes[votes["valid"] & ~votes["is_trap"]]
    place = _bin(used.groupby("pair_id")["answer"].transform("mean").to_numpy(dtype=float))
    times = used["rt_active_ms"].astype(float)
    rows = []
    for index in range(BINS):
        own = times[place == index].dropna()
        if len(own):
            q25, median, q75 = np.percentile(own, [25, 50, 75])
            rows.append((index / BINS, (index + 1) / BINS, len(own), median, q25, q75))
    return pd.DataFrame(rows, columns=columns)


def before_after(votes: "pd.DataFrame") -> "pd.DataFrame":
    """Score of each pair from all votes and from the valid ones, sorted by pair.

    Returns:
        Columns pair_id, n_all, n_yes_all, score_all, n_valid, n_yes, score; a score without a vote is NaN.
    """
    trials = votes[~votes["is_trap"]].sort_values("pair_id")
    by_pair = trials.groupby("pair_id")["answer"].agg(n_all="count", n_yes_all="sum")
    valid = trials[trials["valid"]].groupby("pair_id")["answer"].agg(n_valid="count", n_yes="sum")
    table = by_pair.join(valid).fillna(0).astype(int)
    table.insert(2, "score_all", table["n_yes_all"] / table["n_all"])
    table["score"] = table["n_yes"] / table["n_valid"]  # 0 / 0 gives the documented NaN
    return table.reset_index()
