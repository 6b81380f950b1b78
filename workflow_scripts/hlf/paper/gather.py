"""From a rule's settings and tables to what figures and the report need: facts, examples by rule, counts."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.paper.facts import NO_VOTES, Facts

if TYPE_CHECKING:
    import pandas as pd

    from hlf.paper.sheets import SheetRow


def facts_of(settings: dict[str, Any], scores: "pd.DataFrame | None", *weighted: "pd.DataFrame") -> Facts:
    """Facts of a table or figure.

    Args:
        settings: a rule's settings with run, seed, scale, zoo, config_hash.
        scores: table `scores`, for the source of the votes and the number of pairs; None where no vote takes part.
        weighted: tables `sr` or `metric_scores`, for the weights behind the numbers.

    Raises:
        HlfError: the scores hold no pair.
    """
    if scores is not None and scores.empty:
        raise HlfError("the table of scores holds no pair, so there is nothing to show; see study/scores.csv")
    weights: dict[str, str] = {}
    for table in weighted:
        if "backbone" in table:
            names = table["backbone"] + table["tuned"].map({True: " (ft)", False: ""})
        else:
            names = table["model"]
        weights |= {n: w for n, w in zip(names, table["weights_sha256"], strict=True) if w}  # baselines have none
    return Facts(
        run=settings["run"],
        scale=settings["scale"],
        zoo=settings["zoo"],
        votes=NO_VOTES if scores is None else str(scores["source"].iloc[0]),
        n_pairs=0 if scores is None else len(scores),
        seed=settings["seed"],
        config_hash=settings["config_hash"],
        weights=dict(sorted(weights.items())),
    )


def example_rows(
    manifest: "pd.DataFrame", lr: "pd.DataFrame", sr: "pd.DataFrame", results: Path, per_level: int
) -> "list[SheetRow]":
    """Rows of the contact sheet: at every level, the first `per_level` images of the dataset by id; none by hand."""
    from hlf.paper.sheets import SheetRow

    chosen = sorted(manifest[manifest["role"] == "dataset"]["image_id"])
    gt = dict(zip(manifest["image_id"], manifest["path"], strict=True))
    rows = []
    for number, level in enumerate(sorted(set(lr["level"]))):
        # other images at each level, so that the sheet shows more of the data set
        names = chosen[number * per_level : (number + 1) * per_level] or chosen[:per_level]
        for name in names:
            outputs = sr[(sr["image_id"] == name) & (sr["level"] == level)]
            low = lr[(lr["image_id"] == name) & (lr["level"] == level)]["path"].iloc[0]
            made = {m: results / p for m, p in zip(outputs["model"], outputs["path"], strict=True)}
            rows.append(SheetRow(f"{name}\nlevel {level}", results / low, made, results / gt[name]))
    return rows


def counts(
    manifest: "pd.DataFrame", rejected: "pd.DataFrame", lr: "pd.DataFrame", sr: "pd.DataFrame", votes: "pd.DataFrame",
    scores: "pd.DataFrame", iqa: "pd.DataFrame",
) -> dict[str, int]:  # fmt: skip
    """What the run made and used, in the order of the stages."""
    people = votes.groupby("participant")["valid"].first()
    return {
        "GT images": len(manifest),
        "rejected files": len(rejected),
        "LR images": len(lr),
        "SR models": sr["model"].nunique(),
        "SR images": len(sr),
        "pairs": len(scores),
        "votes": int((~votes["is_trap"]).sum()),
        "valid votes": int((~votes["is_trap"] & votes["valid"]).sum()),
        "observers": len(people),
        "observers screened out": int((~people).sum()),
        "failed measurements": int((iqa["status"] != "ok").sum()),
    }
