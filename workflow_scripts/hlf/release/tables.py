"""The tables of a data set package: one row per pair, per vote, per picture; columns with type and meaning."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hlf.iqa.registry import METRICS
from hlf.release.people import without_people
from hlf.study.results.dictionary import FLAG, INT, REAL, TEXT, Columns
from hlf.study.results.dictionary import TABLES as STUDY_TABLES

if TYPE_CHECKING:
    import pandas as pd

    from hlf.release.finished import Finished

IMAGE = "image"  # bytes of a PNG file
TRAIN, TEST, INCOMPLETE, TRAPS = "train", "test", "incomplete", "traps"
PARTS = (TRAIN, TEST, INCOMPLETE, TRAPS)  # splits, in their order

_STUDY = {**STUDY_TABLES["pairs"], **STUDY_TABLES["votes"]}
_ZOO = (TEXT, "zoo of the SR models: official (published checkpoints) | mini (trained on procedural scenes)")
_SOURCE = _STUDY["source"]
_PAIR = (TEXT, "name of the pair, image_id@level@model")
PAIRS: Columns = {
    "pair_id": _PAIR,
    "image_id": (TEXT, "name of the ground truth image"),
    "level": (REAL, "degradation level in (0, 1]"),
    "model": (TEXT, "SR model"),
    "part": (TEXT, "train | test | incomplete (too few votes for a score)"),
    "score": (REAL, "share of valid votes that say the content changed, in [0, 1]; higher = more people saw a change"),
    "wilson_low": (REAL, _STUDY["wilson_lo"][1]),
    "wilson_high": (REAL, "upper end"),
    "n_valid": _STUDY["n_valid"],
    "n_yes": _STUDY["n_yes"],
    "source": _SOURCE,
    "zoo": _ZOO,
    "similarity": (REAL, "cosine of the sampling backbone's embeddings of GT and SR, by which pairs were chosen"),
    "bin": (INT, "stratum of the similarity, from 0 = least alike"),
    "gt_path": (TEXT, "ground truth, a row of table images"),
    "lr_path": (TEXT, "low-resolution image, likewise"),
    "sr_path": (TEXT, "SR image, likewise"),
}
PICTURES: Columns = {
    "gt": (IMAGE, "ground truth"),
    "lr": (IMAGE, "low-resolution image, a quarter of its sides"),
    "sr": (IMAGE, "SR image"),
}
VOTES: Columns = {
    "pair_id": (TEXT, "name of the pair, or of the trap, whose pictures are not part of this data set"),
    "participant": (TEXT, "number of who answered, which says nothing about the person"),
    "part": (TEXT, "that of the pair, or traps"),
    **{
        name: _STUDY[name]
        for name in ("source", "is_trap", "trap_answer", "answer", "order_index")
    },
    "rt_active_ms": (REAL, _STUDY["rt_active_ms"][1]),
    "valid": _STUDY["valid"],
}  # fmt: skip
IMAGES: Columns = {
    "path": (TEXT, "of the PNG file below this folder, or below the one it is made again in"),
    "kind": (TEXT, "gt | lr | sr"),
    "image_id": (TEXT, "name of the ground truth image"),
    "level": (REAL, "degradation level; empty for gt"),
    "model": (TEXT, "SR model; empty for gt and lr"),
    "width": (INT, "pixels"),
    "height": (INT, "pixels"),
    "sha256": (TEXT, "SHA-256 of the PNG file"),
    "pixels_sha256": (TEXT, "SHA-256 of its RGB bytes, row by row, which no other PNG writer changes"),
    "means": (
        TEXT,
        "mean grey of 8 x 8 parts of the picture, two hexadecimal digits each: tells a last-bit difference",
    ),
    "recipe": (TEXT, "JSON that makes the picture again, with recipes.json; see README.md"),
    "weights_sha256": (TEXT, "digest of the SR model's weight files; empty for gt and lr"),
    "prompt": (TEXT, "text that the SR model was given; empty for most"),
    "tags": (TEXT, "tags that the SR model read from the LR image; empty for most"),
    "zoo": _ZOO,
}
MEASURES: Columns = {
    "column": (TEXT, "column of table pairs"),
    "measure": (TEXT, "name of the measure, or backbone of the HLF metric"),
    "kind": (TEXT, "FR: compares SR with GT | NR: sees SR alone"),
    "lower_better": (FLAG, "True: lower means better, or more alike"),
    "tuned": (FLAG, "True: fine-tuned on the scores of the train part; its values there are no predictions"),
    "failed": (INT, "pairs without a value"),
    "zoo": (TEXT, "of its weights; empty for a formula"),
    "weights_sha256": (TEXT, "digest of its weights; empty for a formula"),
    "convention": (TEXT, "colour space, value range, resizing"),
    "version": (TEXT, "what computed it"),
}


def measures(run: "Finished") -> "pd.DataFrame":
    """Table MEASURES: what the columns of values in table pairs are, image measures first."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for name, own in run.tables["iqa"].groupby("metric", sort=True):
        one = own.iloc[0]
        rows.append(
            {
                "column": f"iqa_{name}", "measure": str(name), "kind": one["kind"], "tuned": False,
                "lower_better": bool(one["lower_better"]), "failed": int((own["status"] != "ok").sum()),
                **{key: one[key] for key in ("zoo", "weights_sha256", "convention", "version")},
            }
        )  # fmt: skip
    for (backbone, tuned), own in run.tables["metric"].groupby(["backbone", "tuned"], sort=True):
        rows.append(
            {
                "column": _hlf_column(str(backbone), bool(tuned)), "measure": str(backbone), "kind": "FR",
                "lower_better": True, "tuned": bool(tuned), "failed": int(own["value"].isna().sum()),
                "zoo": own["zoo"].iloc[0], "weights_sha256": own["weights_sha256"].iloc[0],
                "convention": "raw distance of the embeddings, 1 - cosine unless its model folder says otherwise",
                "version": f"hlf {run.origin['packages']['hlf']}",
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(MEASURES))


def _hlf_column(backbone: str, tuned: bool) -> str:
    return f"hlf_{backbone.replace('-', '_')}_{'tuned' if tuned else 'untouched'}"


def value_columns(table: "pd.DataFrame") -> Columns:
    """Columns of table pairs that hold values of measures, from table `measures`."""
    found: Columns = {}
    for row in table.to_dict("records"):
        way = "lower is better" if row["lower_better"] else "higher is better"
        what = (
            f"measure {row['measure']}, {row['kind']}"
            if row["measure"] in METRICS and str(row["column"]).startswith("iqa_")
            else f"HLF metric on {row['measure']}, {'fine-tuned' if row['tuned'] else 'as published'}"
        )
        found[str(row["column"])] = (REAL, f"{what}, {way}; empty where it failed")
    return found


def parts_of(run: "Finished") -> "dict[str, str]":
    """Part of each pair: train, test, or incomplete."""
    split = dict(zip(run.tables["split"]["pair_id"], run.tables["split"]["part"], strict=True))
    return {name: split.get(name, INCOMPLETE) for name in run.tables["pairs"]["pair_id"]}


def pairs(run: "Finished", paths: Mapping[str, str]) -> "pd.DataFrame":
    """Table PAIRS with the values of every measure, sorted by pair.

    Args:
        run: finished.
        paths: path of each picture in the package, by its path in the run's results.
    """
    chosen, part, sr = run.tables["pairs"].drop(columns=["run", "seed"]), parts_of(run), run.tables["sr"]
    scores = run.tables["scores"].drop(columns=["run", "image_id", "level", "model"])
    table = chosen.merge(scores, on="pair_id", validate="one_to_one")
    zoo = dict(zip(sr["path"], sr["zoo"], strict=True))
    table = table.assign(part=table["pair_id"].map(part), zoo=table["sr_path"].map(zoo))
    for column in ("gt_path", "lr_path", "sr_path"):
        table[column] = table[column].map(paths)
    iqa = run.tables["iqa"].assign(column="iqa_" + run.tables["iqa"]["metric"].astype(str))
    metric = run.tables["metric"]
    names = [_hlf_column(str(b), bool(t)) for b, t in zip(metric["backbone"], metric["tuned"], strict=True)]
    for values in (iqa, metric.assign(column=names)):
        wide = values.pivot(index="pair_id", columns="column", values="value")
        table = table.merge(wide, left_on="pair_id", right_index=True, how="left", validate="one_to_one")
    return table.sort_values("pair_id").reset_index(drop=True)


def votes(run: "Finished") -> "pd.DataFrame":
    """Table VOTES: every vote, traps and screened people included, without people's names."""
    table, part = without_people(run.tables["votes"]), parts_of(run)
    parts = [TRAPS if trap else part[name] for name, trap in zip(table["pair_id"], table["is_trap"], strict=True)]
    return table.assign(part=parts)
