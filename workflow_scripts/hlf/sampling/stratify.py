"""Choosing pairs that spread evenly over similarity levels and SR models (paper 3.1).

The paper chose 723 pairs by PE-core cosine "to ensure an even distribution across different similarity levels" and
ended with 141 to 148 pairs a model. Equal-width bins, equal shares of the models and a limit per GT are our choice.
"""

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hlf.columns import conform
from hlf.errors import HlfError
from hlf.seeds import seed_for

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

log = logging.getLogger(__name__)


@dataclass
class _Stratum:
    """Candidates of one model in one similarity bin: (order, pair id, image id), in seeded order."""

    wanted: int
    waiting: list[tuple[int, str, str]] = field(default_factory=list)
    available: int = 0
    taken: list[str] = field(default_factory=list)


def choose_pairs(
    similarity: "pd.DataFrame",
    total: int,
    bins: int,
    max_per_gt: int,
    model_quota: dict[str, float],
    seed: int,
    run: str,
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Choose exactly `total` pairs, spread over SR models and equal-width similarity bins.

    Every model gets its share of `total`, spread equally over the bins. A bin that runs short hands its places on to
    the other bins of its model, a model that runs short to the other models. Within a stratum GTs used least come
    first, then a seeded order. Neither row order nor index of `similarity` changes the result.

    Args:
        similarity: table `similarity` (see hlf.columns), one row per candidate.
        total: pairs to choose.
        bins: equal-width bins between the lowest and the highest similarity of all candidates.
        max_per_gt: most pairs that one GT may give.
        model_quota: share of each model, any positive unit, 0 leaves a model out; empty for equal shares.
        seed: the run's `seed`.
        run: name of the run, written into the rows.

    Returns:
        Tables `pairs` (sorted by pair id) and `strata` (what each stratum had, wanted and gave).

    Raises:
        HlfError: a wrong argument, NaN or duplicates in `similarity`, shares of unknown models, or more pairs asked for
            than the candidates and `max_per_gt` allow.
    """
    table = _checked(similarity, total, bins, max_per_gt)
    quota = model_places(sorted(table["model"].unique()), total, model_quota)
    table = table[table["model"].isin([m for m in quota if model_quota.get(m, 1) > 0])]
    most = int(table.groupby("image_id").size().clip(upper=max_per_gt).sum())
    if total > most:
        raise HlfError(
            f"sampling.total asks for {total} pairs, but {len(table)} candidates of {table['image_id'].nunique()} GT "
            f"images give at most {most} with sampling.max_per_gt {max_per_gt}; lower total or raise max_per_gt"
        )
    edges, spots = _bins(table["similarity"].to_numpy(), bins)
    table = table.assign(bin=spots, seed=[seed_for(seed, "sampling", name) for name in table["pair_id"]], run=run)
    strata = _strata(table, quota, bins)
    _fill(strata, quota, total, max_per_gt)
    chosen = {name for stratum in strata.values() for name in stratum.taken}
    pairs = table[table["pair_id"].isin(chosen)].sort_values("pair_id")
    pairs = pairs.drop(columns=["backbone", "weights_sha256"])
    return conform(pairs, "pairs"), _strata_table(strata, edges)


def model_places(models: list[str], total: int, shares: dict[str, float]) -> dict[str, int]:
    """Places of each model: `total` divided by shares, remainders to the largest fractions, ties by name.

    Args:
        models: names found among the candidates.
        total: places to give.
        shares: share of every model in `models`, or empty for equal shares.

    Raises:
        HlfError: shares that name other models, are negative or all 0.

    >>> model_places(["bsrgan", "swinir"], 5, {})
    {'bsrgan': 3, 'swinir': 2}
    """
    if shares and set(shares) != set(models):
        raise HlfError(f"sampling.model_quota names {sorted(shares)}, expected a share for each of {models}")
    parts = {model: float(shares.get(model, 1.0)) for model in models}
    if min(parts.values()) < 0 or sum(parts.values()) <= 0:
        raise HlfError(f"sampling.model_quota must hold shares >= 0 that are not all 0, got {shares}")
    exact = {model: total * parts[model] / sum(parts.values()) for model in models}
    places = {model: int(exact[model]) for model in models}
    # rounding keeps equal shares tied: 0.6000000000000227 is no larger a fraction than 0.6
    by_fraction = sorted(models, key=lambda m: (-round(exact[m] - places[m], 9), m))
    for model in by_fraction[: total - sum(places.values())]:
        places[model] += 1
    return places


def _checked(similarity: "pd.DataFrame", total: int, bins: int, max_per_gt: int) -> "pd.DataFrame":
    """The candidates with fixed columns; HlfError when an argument or a value cannot be used."""
    for name, value in (("total", total), ("bins", bins), ("max_per_gt", max_per_gt)):
        if value < 1:
            raise HlfError(f"sampling.{name} must be at least 1, got {value}")
    table = conform(similarity, "similarity")
    if table.empty:
        raise HlfError("the similarity table holds no candidate pair; run the sr stage first")
    if table["similarity"].isna().any():
        names = table.loc[table["similarity"].isna(), "pair_id"].head(3).tolist()
        raise HlfError(f"the similarity of {int(table['similarity'].isna().sum())} pairs is missing, such as {names}")
    if table["pair_id"].duplicated().any():
        names = table.loc[table["pair_id"].duplicated(), "pair_id"].head(3).tolist()
        raise HlfError(f"the similarity table holds pairs more than once, such as {names}")
    return table


def _bins(values: "NDArray[np.float64]", bins: int) -> "tuple[NDArray[np.float64], NDArray[np.int64]]":
    """Edges (bins + 1,) of equal-width bins over values (n,), and the bin of each (n,)."""
    import numpy as np

    low, high = float(values.min()), float(values.max())
    edges = np.linspace(low, high, bins + 1)
    # the inner edges only, so that the highest value falls into the last bin; one value for all gives bin 0
    spots = np.searchsorted(edges[1:-1], values, side="right") if high > low else np.zeros(len(values), np.int64)
    return edges, spots


def _strata(table: "pd.DataFrame", quota: dict[str, int], bins: int) -> dict[tuple[str, int], _Stratum]:
    """All strata (model, bin), with their candidates in seeded order and the number of pairs they should give."""
    strata: dict[tuple[str, int], _Stratum] = {}
    start = 0
    for model in sorted(table["model"].unique()):
        base, extra = divmod(quota[model], bins)
        # the places left over start where those of the model before ended, so that the bins stay even over all models
        lucky = {(start + i) % bins for i in range(extra)}
        strata.update({(model, b): _Stratum(base + (b in lucky)) for b in range(bins)})
        start += extra
    rows = zip(table["model"], table["bin"], table["seed"], table["pair_id"], table["image_id"], strict=True)
    for model, spot, order, name, image in sorted(rows, key=lambda row: (row[2], row[3])):
        strata[model, int(spot)].waiting.append((order, name, image))
    for stratum in strata.values():
        stratum.available = len(stratum.waiting)
    return strata


def _fill(strata: dict[tuple[str, int], _Stratum], quota: dict[str, int], total: int, max_per_gt: int) -> None:
    """Take pairs until `total` is reached: always the model, then the bin, that lacks most of what it should have.

    One limit per GT makes any set that cannot grow as large as any other, so `total` is always reached when it can be.
    """
    used: dict[str, int] = {}
    given = dict.fromkeys({model for model, _ in strata}, 0)
    for _ in range(total):
        for model, spot in sorted(
            strata, key=lambda s: (given[s[0]] - quota[s[0]], s[0], len(strata[s].taken) - strata[s].wanted, s[1])
        ):
            name = _take(strata[model, spot], used, max_per_gt)
            if name is not None:
                strata[model, spot].taken.append(name)
                given[model] += 1
                break


def _take(stratum: _Stratum, used: dict[str, int], max_per_gt: int) -> str | None:
    """Next candidate of a stratum whose GT is used least and less than `max_per_gt` times; None when there is none."""
    best, least = -1, max_per_gt
    for position, (_, _, image) in enumerate(stratum.waiting):
        count = used.get(image, 0)
        if count < least:
            best, least = position, count
        if least == 0:
            break
    if best < 0:
        stratum.waiting.clear()  # a GT that is used up stays so
        return None
    _, name, image = stratum.waiting.pop(best)
    used[image] = least + 1
    return name


def _strata_table(strata: dict[tuple[str, int], _Stratum], edges: "NDArray[np.float64]") -> "pd.DataFrame":
    """Table `strata`, sorted by model and bin; a short stratum is told in the log."""
    import pandas as pd

    rows = []
    for (model, spot), stratum in sorted(strata.items()):
        taken = len(stratum.taken)
        rows.append((model, spot, edges[spot], edges[spot + 1], stratum.available, stratum.wanted, taken))
        if taken < stratum.wanted:
            log.info("stratum %s bin %d gives %d of %d pairs", model, spot, taken, stratum.wanted)
    names = ["model", "bin", "low", "high", "available", "wanted", "taken"]
    return conform(pd.DataFrame(rows, columns=names), "strata")
