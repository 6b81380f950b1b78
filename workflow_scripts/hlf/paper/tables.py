"""Tables 2 and 3: correlation of metrics with the human score on the test part (paper Sections 4.1 and 4.2)."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.files import read_table, write_table, write_text
from hlf.paper import expected
from hlf.paper.facts import OFFICIAL, Facts
from hlf.paper.formats import cell_text, paragraphs, to_latex, to_markdown, view

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import pandas as pd

READING = (
    "SRCC and PLCC are absolute values, as the paper prints them, with 95 % bootstrap intervals over GT images; "
    "an interval that starts at 0 means that the sign itself is unsettled. PLCC is on raw values, PLCC logistic after "
    "a 4-parameter logistic fit, and so is RMSE, in the score's unit. KRCC is the absolute Kendall tau-b."
)
TABLE3_READING = (
    f"{READING} Folds are mean and standard deviation of the correlation over folds of all scored pairs by GT image "
    "(metric.folds) and over fine-tunings with other seeds (metric.seeds), each fold scored by fine-tunings that did "
    "not see it, and by the untouched backbone."
)


def correlation_table(
    values: "pd.DataFrame",
    scores: "pd.DataFrame",
    split: "pd.DataFrame",
    n_boot: int,
    seed: int,
    paper: Mapping[str, expected.Correlation] | None = None,
) -> "pd.DataFrame":
    """One row per metric in the shape of the paper's Table 2, rows in order of first appearance.

    Args:
        values: tidy, columns pair_id, metric (row name), type ("FR" or "NR") and value (NaN = failed).
        scores: table `scores` (human score in [0, 1], higher = more people saw a change).
        split: table `split`; only pairs of the test part are used.
        n_boot: bootstrap resamples over GT images.
        seed: the run's seed; all rows share the resamples, so that intervals can be compared.
        paper: row name -> the paper's correlation, for the `paper_*` columns only.

    Returns:
        Columns metric, type, srcc, srcc_low, srcc_high, plcc, plcc_low, plcc_high (absolute values), plcc_logistic,
        krcc (absolute), rmse (after the logistic, in [0, 1] as the score), n, status, srcc_signed, plcc_signed,
        krcc_signed, paper_srcc, paper_plcc. What is undefined is NaN and `status` says why.

    Raises:
        HlfError: a missing column, an empty table or test part, a pair with no score or two values of one metric.
    """
    import pandas as pd

    wanted = part_scores(scores, split)
    need(values, ("pair_id", "metric", "type", "value"), "values")
    unknown = expected.Correlation(float("nan"), float("nan"))
    rows = []
    for name, group in values.groupby("metric", sort=False):
        if group["pair_id"].duplicated().any():
            raise HlfError(f"metric '{name}' has two values for one pair; expected one row per pair and metric")
        joined = wanted.merge(group[["pair_id", "value"]], on="pair_id", how="left").sort_values("pair_id")
        row = {"metric": str(name), "type": str(group["type"].iloc[0])} | _correlate(joined, n_boot, seed)
        missing = _missing_weights(group)
        if missing:
            row["status"] = missing
        theirs = (paper or {}).get(str(name), unknown)
        rows.append(row | {"paper_srcc": theirs.srcc, "paper_plcc": theirs.plcc})
    return pd.DataFrame(rows)


MISSING = "weights missing"  # how the status of a row begins whose metric lacks its files


def _missing_weights(values: "pd.DataFrame") -> str:
    """Status of values that all say which weights are missing; "" for others."""
    told = set(values["status"]) if "status" in values else set()
    return str(told.pop()) if len(told) == 1 and all(str(one).startswith(MISSING) for one in told) else ""


def refuse_incomplete(path: str | Path, folder: str | Path) -> None:
    """Raise an HlfError that names the rows of Table 2 that lack their weights, and the zoo's folder to put them into.

    Args:
        path: table2.csv.
        folder: of the zoo in use.
    """
    lacking = incomplete(read_table(path))
    if lacking:
        raise HlfError(
            f"Table 2 is incomplete, weights are missing: {'; '.join(lacking)}; put them into {folder}, or leave these "
            "metrics out of iqa.metrics"
        )


def incomplete(table: "pd.DataFrame") -> list[str]:
    """Rows of a table that lack their weights, as "name: file"."""
    rows = table[table["status"].astype(str).str.startswith(MISSING)]
    files = rows["status"].str.removeprefix(f"{MISSING}: ")
    return [f"{name}: {file}" for name, file in zip(rows["metric"].astype(str), files, strict=True)]


def part_scores(scores: "pd.DataFrame", split: "pd.DataFrame", part: str = "test") -> "pd.DataFrame":
    """Pairs of one part of the split with their human score: columns pair_id, image_id, model, score.

    Raises HlfError when the part is empty or one of its pairs has no complete score.
    """
    need(scores, ("pair_id", "image_id", "model", "score", "status"), "scores")
    need(split, ("pair_id", "part"), "split")
    pairs = split.loc[split["part"] == part, ["pair_id"]]
    if pairs.empty:
        raise HlfError(f"split holds no pair of part '{part}'; make the split again with a larger test_share")
    complete = scores.loc[scores["status"] == "complete", ["pair_id", "image_id", "model", "score"]]
    joined = pairs.merge(complete, on="pair_id", how="left")
    missing = joined.loc[joined["score"].isna(), "pair_id"].tolist()
    if missing:
        raise HlfError(f"{len(missing)} pairs of the {part} part have no complete score, such as {missing[0]}")
    return joined


def need(table: "pd.DataFrame", columns: tuple[str, ...], name: str) -> None:
    """Refuse, with an HlfError that calls it `name`, a table that lacks one of the columns or has no row."""
    missing = [c for c in columns if c not in table]
    if missing:
        raise HlfError(f"table '{name}' lacks the columns {missing}; it has {list(table)}")
    if table.empty:
        raise HlfError(f"table '{name}' holds no row; run the stage that makes it first")


def _correlate(joined: "pd.DataFrame", n_boot: int, seed: int) -> dict[str, float | int | str]:
    """Statistics of one metric; whatever is undefined stays NaN and is told in `status`."""
    import numpy as np

    from hlf import stats

    good = joined[np.isfinite(joined["value"])]
    a, b, groups = (good[c].to_numpy() for c in ("value", "score", "image_id"))
    notes = [] if len(good) == len(joined) else [f"{len(good)} of {len(joined)} pairs measured"]
    row: dict[str, float] = {}
    for name, statistic in (("srcc", stats.srcc), ("plcc", stats.plcc)):
        signed, low, high = _with_interval(statistic, a, b, groups, n_boot, seed, name, notes)
        row |= {name: abs(signed), f"{name}_low": low, f"{name}_high": high, f"{name}_signed": signed}
    # KRCC is undefined just where SRCC is, RMSE where PLCC logistic is: one note for both
    for name, statistic, words in (
        ("krcc_signed", stats.krcc, None),
        ("rmse", stats.rmse_logistic, None),
        ("plcc_logistic", stats.plcc_logistic, "PLCC logistic"),
    ):
        try:
            row[name] = float(statistic(a, b))
        except HlfError as error:
            row[name] = float("nan")
            notes += [f"{words} undefined: {error}"] if words else []
    row |= {"krcc": abs(row["krcc_signed"]), "plcc_logistic": abs(row["plcc_logistic"])}
    order = ("srcc", "srcc_low", "srcc_high", "plcc", "plcc_low", "plcc_high", "plcc_logistic", "krcc", "rmse")
    with_sign = {key: row[key] for key in ("srcc_signed", "plcc_signed", "krcc_signed")}
    return {**{key: row[key] for key in order}, "n": len(good), "status": "; ".join(notes) or "ok", **with_sign}


def _with_interval(
    statistic: "Callable[[np.ndarray, np.ndarray], float]",
    a: "np.ndarray",
    b: "np.ndarray",
    groups: "np.ndarray",
    n_boot: int,
    seed: int,
    name: str,
    notes: list[str],
) -> tuple[float, float, float]:
    """Signed statistic and the interval of its absolute value, each NaN with a note when undefined."""
    from hlf import stats

    nan = float("nan")
    try:
        value = float(statistic(a, b))
    except HlfError as error:
        notes.append(f"{name.upper()} undefined: {error}")
        return nan, nan, nan
    try:
        low, high = stats.absolute_interval(*stats.bootstrap_by_group(statistic, a, b, list(groups), n_boot, seed))
    except HlfError as error:
        notes.append(f"{name.upper()} interval undefined: {error}")
        return value, nan, nan
    return value, low, high


def table2(
    iqa: "pd.DataFrame", scores: "pd.DataFrame", split: "pd.DataFrame", n_boot: int, seed: int
) -> "pd.DataFrame":
    """Table 2 (Section 4.1): the measured IQA metrics, in the paper's order, unknown ones behind.

    Args: table `iqa`, and as `correlation_table`. Raises: as there.
    """
    paper = {n + ending: c for n, c in expected.TABLE2.items() for ending in ("", " (mini)")}
    return correlation_table(table2_values(iqa), scores, split, n_boot, seed, paper)


def table2_values(iqa: "pd.DataFrame") -> "pd.DataFrame":
    """Table `iqa` as the tidy values that `correlation_table` takes, rows named and ordered as in Table 2.

    A metric whose weights come from another zoo than the official one bears that zoo's name.
    """
    need(iqa, ("pair_id", "metric", "kind", "value", "zoo"), "iqa")
    order = list(expected.METRIC_NAMES)
    present = sorted(iqa["metric"].unique(), key=lambda m: (order.index(m) if m in order else len(order), m))
    names = [
        expected.METRIC_NAMES.get(m, m) + ("" if z in ("", OFFICIAL) else f" ({z})")
        for m, z in zip(iqa["metric"], iqa["zoo"], strict=True)
    ]
    values = iqa.rename(columns={"kind": "type"}).assign(
        metric=names,
        rank=iqa["metric"].map({m: i for i, m in enumerate(present)}),
    )
    return values.sort_values(["rank", "pair_id"], kind="stable")


def row_name(backbone: str, tuned: bool, zoo: str) -> str:
    """Row of Table 3, such as "(ft) DINOv2", with the zoo's name when it is not the official one.

    >>> row_name("dinov2", True, "mini")
    '(ft) DINOv2 (mini)'
    """
    name = expected.BACKBONE_NAMES.get(backbone, backbone)
    return ("(ft) " if tuned else "") + name + ("" if zoo == OFFICIAL else f" ({zoo})")


def table3(
    metric_scores: "pd.DataFrame", scores: "pd.DataFrame", split: "pd.DataFrame", n_boot: int, seed: int
) -> "pd.DataFrame":
    """Table 3 (Section 4.2): each backbone zero-shot, then fine-tuned "(ft)", in the paper's order.

    Args: table `metric_scores` (1 - cosine of embeddings), and as `correlation_table`. Raises: as there.
    """
    values = table3_values(metric_scores)
    zoos = sorted({str(z) for z in metric_scores["zoo"]})
    paper = {n + ("" if z == OFFICIAL else f" ({z})"): c for n, c in expected.TABLE3.items() for z in zoos}
    return correlation_table(values, scores, split, n_boot, seed, paper)


def table3_values(metric_scores: "pd.DataFrame") -> "pd.DataFrame":
    """Table `metric_scores` as tidy values, rows named and ordered as in Table 3."""
    need(metric_scores, ("pair_id", "backbone", "tuned", "value", "zoo"), "metric_scores")
    order = list(expected.BACKBONE_NAMES)
    kinds = metric_scores[["backbone", "tuned", "zoo"]].drop_duplicates().itertuples(index=False)
    rank = {
        row_name(str(k.backbone), bool(k.tuned), str(k.zoo)): (
            bool(k.tuned),
            order.index(str(k.backbone)) if k.backbone in order else len(order),
            str(k.backbone),
        )
        for k in kinds
    }
    position = {name: i for i, name in enumerate(sorted(rank, key=lambda name: rank[name]))}
    names = [
        row_name(str(b), bool(t), str(z))
        for b, t, z in zip(metric_scores["backbone"], metric_scores["tuned"], metric_scores["zoo"], strict=True)
    ]
    values = metric_scores.assign(metric=names, type="FR")
    return values.assign(rank=values["metric"].map(position)).sort_values(["rank", "pair_id"], kind="stable")


def write_all(
    table: "pd.DataFrame",
    facts: Facts,
    stem: str | Path,
    title: str,
    note: str = READING,
    best: Mapping[str, str] | None = None,
    second: bool = False,
    headings: Mapping[str, str] | None = None,
    apart: tuple[str, ...] = (),
) -> list[Path]:
    """Write `stem`.csv, .md and .tex; equal tables and facts give equal bytes.

    The CSV has every column plus the facts' columns and no comment line; Markdown and LaTeX carry title, stamp, note
    and provenance as a caption and mark the best values of each column. `formats.view` explains best, second, headings.
    Columns of long text that are named in `apart` stand below the Markdown table and in no LaTeX.

    Returns: the three paths. Raises HlfError when a file cannot be written.
    """
    stem = Path(stem)
    paths = [stem.with_name(stem.name + suffix) for suffix in (".csv", ".md", ".tex")]
    text = table.apply(lambda column: column.map(lambda value: cell_text(str(column.name), value))).assign(
        **facts.columns(), stamp=facts.stamp()
    )
    write_table(text, paths[0])
    shown = view(table.drop(columns=list(apart)), best, second, headings)
    parts = (facts.stamp(), note, facts.caption(), facts.weights_caption())
    caption = [part for part in parts if part]
    marked = [f"**{p}**" if p == facts.stamp() else p for p in caption]
    write_text(paths[1], to_markdown(shown, [f"**{title}**", *marked]) + paragraphs(table, apart, headings))
    stopped = [p if p.endswith(".") else p + "." for p in caption]
    write_text(paths[2], to_latex(shown, [f"{title}.", *stopped], stem.name))
    return paths
