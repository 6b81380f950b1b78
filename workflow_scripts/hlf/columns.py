"""Columns of every table that passes from one stage to the next: name, type, meaning. The only place they stand."""

from typing import TYPE_CHECKING

from hlf.errors import HlfError

if TYPE_CHECKING:
    import pandas as pd

# Paths in tables are relative to results/<run>/, so that a results folder can be moved whole.
# Seconds stand in no table: they live in the timing files, because tables must be the same bytes on every run.
GT = "GT"  # in a column of SR models, the ground truth itself
TEXT, INT, SEED, REAL, FLAG = "str", "int64", "uint64", "float64", "bool"

TABLES: dict[str, dict[str, str]] = {
    # one GT image; role: dataset | evaluation; folder: sub-folder of the image in every stage ("" up to 10k images)
    "manifest": {
        "run": TEXT, "image_id": TEXT, "role": TEXT, "folder": TEXT, "path": TEXT, "width": INT, "height": INT,
        "sha256": TEXT, "source": TEXT, "seed": SEED,
    },
    # one thing a scene shows; box in pixels, right and bottom excluded
    "content": {
        "image_id": TEXT, "kind": TEXT, "label": TEXT, "left": INT, "top": INT, "right": INT, "bottom": INT,
        "detail": TEXT,
    },
    # one LR image; plan: the drawn degradation as JSON, enough to make the image again
    "lr": {
        "run": TEXT, "image_id": TEXT, "level": REAL, "path": TEXT, "width": INT, "height": INT, "sha256": TEXT,
        "seed": SEED, "variant": TEXT, "plan": TEXT,
    },
    # one SR image; prompt and tags are empty for models that take none
    "sr": {
        "run": TEXT, "model": TEXT, "image_id": TEXT, "level": REAL, "path": TEXT, "width": INT, "height": INT,
        "sha256": TEXT, "seed": SEED, "zoo": TEXT, "weights_sha256": TEXT, "precision": TEXT, "prompt": TEXT,
        "tags": TEXT,
    },
    # what one SR image is like, baselines included; things: pictograms and words it should show (0 where the content is
    # unknown), right: those that the content reader names rightly; rows of the GT have level and psnr NaN
    "sr_measures": {
        "run": TEXT, "image_id": TEXT, "level": REAL, "model": TEXT, "baseline": FLAG, "sharpness": REAL, "psnr": REAL,
        "things": INT, "right": INT,
    },
    # one candidate pair and its PE-core cosine in [-1, 1], higher = more alike
    "similarity": {
        "run": TEXT, "pair_id": TEXT, "image_id": TEXT, "level": REAL, "model": TEXT, "similarity": REAL,
        "gt_path": TEXT, "lr_path": TEXT, "sr_path": TEXT, "backbone": TEXT, "weights_sha256": TEXT,
    },
    # one chosen pair; bin counts from 0 (least alike)
    "pairs": {
        "run": TEXT, "pair_id": TEXT, "image_id": TEXT, "level": REAL, "model": TEXT, "similarity": REAL, "bin": INT,
        "gt_path": TEXT, "lr_path": TEXT, "sr_path": TEXT, "seed": SEED,
    },
    # what each stratum asked for and got
    "strata": {
        "model": TEXT, "bin": INT, "low": REAL, "high": REAL, "available": INT, "wanted": INT, "taken": INT,
    },
    # one answer: 1 = "the content changed"; trap_answer is -1 where is_trap is False; rt_active_ms: from both images
    # painted to the answer, without the time that the page was hidden, NaN where unknown; valid after screening
    "votes": {
        "run": TEXT, "source": TEXT, "participant": TEXT, "pair_id": TEXT, "is_trap": FLAG, "trap_answer": INT,
        "answer": INT, "order_index": INT, "rt_active_ms": REAL, "valid": FLAG,
    },
    # human score of a pair in [0, 1], higher = more people saw a change; status: complete | incomplete
    "scores": {
        "run": TEXT, "pair_id": TEXT, "image_id": TEXT, "level": REAL, "model": TEXT, "n_valid": INT, "n_yes": INT,
        "score": REAL, "wilson_low": REAL, "wilson_high": REAL, "source": TEXT, "status": TEXT,
    },
    "split": {"pair_id": TEXT, "image_id": TEXT, "model": TEXT, "score": REAL, "part": TEXT, "seed": SEED},
    # one measurement; kind: FR | NR; zoo: of the weights, "" for a formula; status: ok | failed: why | weights missing:
    # file (value is NaN unless ok)
    "iqa": {
        "run": TEXT, "pair_id": TEXT, "metric": TEXT, "value": REAL, "kind": TEXT, "lower_better": FLAG,
        "convention": TEXT, "zoo": TEXT, "weights_sha256": TEXT, "version": TEXT, "status": TEXT,
    },
    # predicted share of viewers who see a change: 1 - cosine of embeddings (0 = same), lower is better
    "metric_scores": {
        "run": TEXT, "pair_id": TEXT, "backbone": TEXT, "tuned": FLAG, "value": REAL, "part": TEXT, "zoo": TEXT,
        "weights_sha256": TEXT,
    },
    # one pair with a known answer (hlf/metric/behaviour.py); group: edit | mild | map; value: raw, 0 = same; share:
    # calibrated; mass, area, hit: only in group map, else NaN; shares of the map's sum and area in the edited box,
    # and whether its peak lies there (1 or 0)
    "behaviour": {
        "run": TEXT, "backbone": TEXT, "tuned": FLAG, "zoo": TEXT, "weights_sha256": TEXT, "group": TEXT, "kind": TEXT,
        "way": TEXT, "number": INT, "value": REAL, "share": REAL, "mass": REAL, "area": REAL, "hit": REAL,
    },
    # a pair's value by a fine-tuning that did not see its fold (tuned), and by the untouched backbone (seed 0); folds
    # and seeds count from 0
    "metric_folds": {
        "run": TEXT, "pair_id": TEXT, "backbone": TEXT, "fold": INT, "seed": INT, "tuned": FLAG, "value": REAL,
        "zoo": TEXT,
    },
    # a test pair's value by a fine-tuning that saw no pair of its SR model
    "metric_left_out": {
        "run": TEXT, "pair_id": TEXT, "backbone": TEXT, "model": TEXT, "value": REAL, "zoo": TEXT,
    },
    # one measurement of a variant of SeeSR on an evaluation image (hlf/tuning/evaluate.py); group: held-out | trained
    # (HLF by a metric that the loss does not hold, or holds) | image (a measure of Table 2) | content (share of things
    # read right); sr_sha256: weights of the variant; weights_sha256: of the measure
    "tuning_evaluation": {
        "run": TEXT, "variant": TEXT, "image_id": TEXT, "level": REAL, "measure": TEXT, "group": TEXT, "value": REAL,
        "lower_better": FLAG, "zoo": TEXT, "sr_sha256": TEXT, "weights_sha256": TEXT,
    },
    # SR images of one variant on the evaluation images
    "tuning_sr": {
        "run": TEXT, "variant": TEXT, "image_id": TEXT, "level": REAL, "gt_path": TEXT, "lr_path": TEXT,
        "sr_path": TEXT, "prompt": TEXT, "tags": TEXT, "zoo": TEXT, "weights_sha256": TEXT,
    },
}  # fmt: skip


def pair_id(image_id: str, level: float, model: str) -> str:
    """Name of a GT-SR pair: `image_id@level@model`."""
    return f"{image_id}@{level_name(level)}@{model}"


def image_of(pair: str) -> str:
    """Image id in a pair's name, the inverse of `pair_id`.

    >>> image_of(pair_id("a@b", 0.3, "swinir"))
    'a@b'
    """
    return pair.rsplit("@", 2)[0]


def level_name(level: float) -> str:
    """Degradation level as it stands in paths and ids, such as "0.3" or "1.0"."""
    return repr(float(level))


def conform(table: "pd.DataFrame", name: str) -> "pd.DataFrame":
    """The same rows with exactly the columns, order and types of table `name`.

    Raises HlfError naming the missing or unknown column, or the value that does not fit its type.
    """
    columns = TABLES[name]
    missing, unknown = [c for c in columns if c not in table], [c for c in table if c not in columns]
    if missing or unknown:
        raise HlfError(f"table '{name}' lacks columns {missing} and has unknown columns {unknown}")
    for column, kind in columns.items():
        # astype would cut 1.5 to 1 without a word
        if kind in (INT, SEED) and table[column].dtype.kind == "f" and (table[column] % 1 != 0).any():
            raise HlfError(f"table '{name}' holds a value of the wrong type: '{column}' has fractions or gaps")
    try:
        return table[list(columns)].astype(columns).reset_index(drop=True)
    except (TypeError, ValueError) as error:
        raise HlfError(f"table '{name}' holds a value of the wrong type: {error}") from error
