"""Table 4: SeeSR as published against SeeSR fine-tuned with the HLF loss, and how sure the difference is (paper 5)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlf.errors import HlfError
from hlf.iqa.registry import METRICS
from hlf.paper import expected
from hlf.paper.facts import OFFICIAL
from hlf.paper.tables import need
from hlf.tuning.variants import BASELINE, CONTENT, HELD_OUT, IMAGE, READ_RIGHT, TRAINED, alpha_of

if TYPE_CHECKING:
    import pandas as pd

    from hlf.stats.resampling import Resamples

TABLE4_TITLE = "Table 4. SeeSR fine-tuned with the HLF loss"
TABLE4_READING = (
    "Means over evaluation images, each image being the mean over its degradation levels; n is their number. A picture "
    "that a measure could not judge in one variant counts in none. HLF is the raw value of a fine-tuned "
    "backbone, 1 - cosine in [0, 2], and lower is better; those that judge are not in the loss, and the one that is "
    "stands last, for comparison only. In brackets alpha of Equation 1. Best values are bold, second best ones "
    "underlined."
)
CHANGES_TITLE = "Table 4 in pairs: what the fine-tuning changed"
CHANGES_READING = (
    "Tuned - baseline of the means of Table 4, with 95 % bootstrap intervals over GT images; all rows share the "
    "resamples, and both variants are resampled together. Better: yes or worse when the interval lies wholly on one "
    "side of 0, else unsettled. The intervals are not corrected for the number of rows. Group: held-out, an HLF metric "
    "that the loss does not hold; trained, the one that it holds; image, a measure of Table 2; content, the share of "
    "pictograms and words that are read rightly. Paper difference: of the printed means."
)
CHANGES_HEADINGS = {"difference": "Tuned \u2212 baseline"}
YES, WORSE, UNSETTLED = "yes", "worse", "unsettled"
# short names of the backbones, as the paper heads the columns of Table 4
_SHORT = {"vit": "ViT", "clip": "CLIP", "blip": "BLIP", "dinov2": "DINOv2", "pe-core": "PE"}
_GROUPS = (HELD_OUT, IMAGE, CONTENT, TRAINED)  # in the order of the columns
# the paper's order within a group; others behind by name
_FIRST = ("clip", "blip", "pe-core", "psnr", "ssim", "vif", "lpips", "dists")


@dataclass(frozen=True)
class Measure:
    """One measured column of Table 4.

    Attributes:
        name: backbone, image measure or "read_right", as in table `tuning_evaluation`.
        group: see `hlf.columns`.
        lower_better: direction.
    """

    name: str
    group: str
    lower_better: bool

    @property
    def column(self) -> str:
        """Name of its column, such as "pe_hlf" or "dinov2_hlf_trained"."""
        if self.group not in (HELD_OUT, TRAINED):
            return self.name
        stem = "pe" if self.name == "pe-core" else self.name
        return f"{stem}_hlf" + ("_trained" if self.group == TRAINED else "")

    @property
    def heading(self) -> str:
        """Name for people, such as "PE HLF" or "DINOv2 HLF (in the loss)"."""
        if self.group in (HELD_OUT, TRAINED):
            return f"{_SHORT.get(self.name, self.name)} HLF" + (" (in the loss)" if self.group == TRAINED else "")
        return "Read right" if self.group == CONTENT else expected.METRIC_NAMES.get(self.name, self.name)


def measures(evaluation: "pd.DataFrame") -> list[Measure]:
    """What the evaluation measured, in the order of Table 4's columns.

    Raises:
        HlfError: a missing column, no row, an unknown group, or one measure with two directions.
    """
    need(evaluation, ("variant", "image_id", "level", "measure", "group", "value", "lower_better"), "tuning_evaluation")
    kinds = evaluation[["measure", "group", "lower_better"]].drop_duplicates()
    unknown = sorted(set(kinds["group"]) - set(_GROUPS))
    if unknown or kinds[["measure", "group"]].duplicated().any():
        raise HlfError(
            f"table 'tuning_evaluation' holds unknown groups {unknown}, expected {list(_GROUPS)}, or a measure whose "
            "direction is not the same in every row; evaluate the variants again"
        )
    found = [Measure(str(k.measure), str(k.group), bool(k.lower_better)) for k in kinds.itertuples(index=False)]
    place = {name: i for i, name in enumerate(_FIRST)}
    return sorted(found, key=lambda m: (_GROUPS.index(m.group), place.get(m.name, len(place)), m.name))


def variant_order(variants: "set[str]") -> list[str]:
    """Variants as Table 4 has them: the baseline, then falling alpha.

    >>> variant_order({"seesr-hlf0.01", "seesr", "seesr-hlf0.1"})
    ['seesr', 'seesr-hlf0.1', 'seesr-hlf0.01']
    """
    return sorted(variants, key=lambda v: (v != BASELINE, -(alpha_of(v) or 0.0)))


def table4(evaluation: "pd.DataFrame") -> "pd.DataFrame":
    """Table 4: one row per variant, the baseline first, then by falling alpha.

    Args:
        evaluation: table `tuning_evaluation`.

    Returns:
        Columns model, n (images), then means over images of every measure in the order of `measures`, the trained
        metric last. A measure that judged no picture of all variants is NaN.

    Raises:
        HlfError: as `measures`, or a picture that was measured twice or not in every variant.
    """
    import pandas as pd

    columns, values = measures(evaluation), by_image(evaluation)
    images, names = evaluation["image_id"].nunique(), _model_names(evaluation)
    rows = [
        {"model": name, "n": images} | {m.column: float(values[m.name, m.group][variant].mean()) for m in columns}
        for variant, name in names.items()
    ]
    return pd.DataFrame(rows)


def table4_best(table: "pd.DataFrame") -> dict[str, str]:
    """Which end of each measured column of `table4` is best, also after the table was written and read."""
    return {m.column: "min" if m.lower_better else "max" for m in _in_columns(table)}


def table4_headings(table: "pd.DataFrame") -> dict[str, str]:
    """Headings of the measured columns of `table4`, also after the table was written and read."""
    return {m.column: m.heading for m in _in_columns(table)}


def _in_columns(table: "pd.DataFrame") -> list[Measure]:
    """The measures behind the columns of `table4`; directions of image measures are the registry's."""
    found = []
    for column in map(str, table):
        stem, hlf, trained = column.partition("_hlf")
        if hlf and trained in ("", "_trained"):
            found.append(Measure("pe-core" if stem == "pe" else stem, TRAINED if trained else HELD_OUT, True))
        elif column == READ_RIGHT or column in METRICS:
            group = CONTENT if column == READ_RIGHT else IMAGE
            found.append(Measure(column, group, column in METRICS and METRICS[column].lower_better))
    return found


def table4_changes(evaluation: "pd.DataFrame", n_boot: int, seed: int) -> "pd.DataFrame":
    """What each fine-tuning changed: one row per tuned variant and measure, in the order of Table 4.

    Args:
        evaluation: table `tuning_evaluation`.
        n_boot: bootstrap resamples over GT images.
        seed: the run's seed; all rows share the resamples.

    Returns:
        Columns model, measure (for people), group, baseline, tuned (means), difference (tuned - baseline),
        difference_low, difference_high, better ("yes", "worse" or "unsettled"), n (images), paper_difference (NaN where
        the paper has none), status ("ok", or why there is no interval).

    Raises:
        HlfError: as `table4`, fewer than 2 images, or no baseline.
    """
    import pandas as pd

    from hlf.stats.resampling import draw_groups

    columns, values, names = measures(evaluation), by_image(evaluation), _model_names(evaluation)
    if BASELINE not in names:
        raise HlfError(f"changes of Table 4 need the variant {BASELINE}; put 'baseline' into tuning.variants")
    images, rows = sorted(evaluation["image_id"].unique()), []
    draws = draw_groups(images, n_boot, seed)
    for variant in (name for name in names if name != BASELINE):
        for m in columns:
            before, after = (values[m.name, m.group][v].reindex(images).to_numpy(float) for v in (BASELINE, variant))
            named = {"model": names[variant], "measure": m.heading, "group": m.group}
            found = change(before, after, draws, m.lower_better)
            status = {"paper_difference": paper_difference(variant, m), "status": found.pop("status")}
            rows.append({**named, **found, **status})
    return pd.DataFrame(rows)


def by_image(evaluation: "pd.DataFrame") -> "dict[tuple[str, str], pd.DataFrame]":
    """Mean over levels of every image: (measure, group) -> images by id, a column per variant; NaN = not measured.

    Only pictures that the measure judged in every variant count, so that all variants are means of the same pictures.
    Raises as `by_picture`.
    """
    wide = by_picture(evaluation)
    wide.loc[wide.isna().any(axis=1)] = np.nan
    means = wide.groupby(level=["measure", "group", "image_id"]).mean()
    found = means.groupby(level=["measure", "group"])
    return {(str(name), str(group)): part.droplevel(["measure", "group"]) for (name, group), part in found}


def by_picture(evaluation: "pd.DataFrame") -> "pd.DataFrame":
    """Values by measure, group, image_id and level, in that order, a column per variant.

    Raises:
        HlfError: a picture that was measured twice, or that is missing in one variant.
    """
    key = ["measure", "group", "image_id", "level"]
    twice = evaluation[evaluation.duplicated([*key, "variant"])]
    if len(twice):
        one = twice.iloc[0]
        raise HlfError(
            f"{one['measure']} of {one['variant']} measured {one['image_id']} twice; expected one value each"
        )
    wide = evaluation.pivot(index=key, columns="variant", values="value").sort_index()
    if wide.size != len(evaluation):
        counts = evaluation.groupby("variant").size().to_dict()
        raise HlfError(
            f"the variants were not evaluated on the same pictures: values of each are {counts}; evaluate them again"
        )
    return wide


def _model_names(evaluation: "pd.DataFrame") -> dict[str, str]:
    """Variant -> row name, in the table's order, with the zoo's name when it is not the official one."""
    names = {}
    for variant in variant_order(set(evaluation["variant"])):
        zoos = set(evaluation.loc[evaluation["variant"] == variant, "zoo"].fillna("")) - {"", OFFICIAL}
        names[variant] = paper_name(variant) + "".join(f" ({zoo})" for zoo in sorted(zoos))
    return names


def paper_name(variant: str) -> str:
    """Row of a variant in the paper's Table 4.

    >>> paper_name("seesr-hlf0.1"), paper_name("seesr")
    ('SeeSR-Finetuned (0.1)', 'SeeSR-Original')
    """
    alpha = alpha_of(variant)
    return "SeeSR-Original" if alpha is None else f"SeeSR-Finetuned ({alpha:g})"


def paper_difference(variant: str, measure: Measure, base: str = BASELINE) -> float:
    """Difference of the paper's printed means of two variants, as names of the run; NaN where it has none."""
    names = paper_name(variant), paper_name(base)
    if not set(names) <= set(expected.TABLE4) or measure.column not in expected.TABLE4_MEASURES:
        return float("nan")
    after, before = (expected.TABLE4[name][expected.TABLE4_MEASURES.index(measure.column)] for name in names)
    return after - before


def change(
    before: np.ndarray, after: np.ndarray, draws: "Resamples", lower_better: bool
) -> dict[str, float | int | str]:
    """Columns of `table4_changes` for the values of two variants, shape (images,), NaN = not measured."""
    from hlf.stats.means import resampled_means
    from hlf.stats.resampling import percentile_interval

    nan, good = float("nan"), np.isfinite(before) & np.isfinite(after)
    row: dict[str, float | int | str] = dict.fromkeys(("baseline", "tuned", "difference"), nan)
    row |= {"difference_low": nan, "difference_high": nan, "better": UNSETTLED, "n": int(good.sum())}
    if not good.any():
        return {**row, "status": "no picture was judged in every variant"}
    difference = (after - before)[good]
    row |= {"baseline": float(before[good].mean()), "tuned": float(after[good].mean())}
    row["difference"] = float(difference.mean())
    try:
        low, high = percentile_interval(resampled_means(difference, draws.only(good)))
    except HlfError as error:
        return {**row, "status": f"interval undefined: {error}"}
    gain = (-high, -low) if lower_better else (low, high)
    better = YES if gain[0] > 0 else WORSE if gain[1] < 0 else UNSETTLED
    return {**row, "difference_low": low, "difference_high": high, "better": better, "status": "ok"}


def reward_hacking(changes: "pd.DataFrame") -> list[str]:
    """A sentence for each tuned variant that pleases the metric in its loss and no other one, or harms another one.

    Args:
        changes: of `table4_changes`.
    """
    found = []
    for model, rows in changes.groupby("model", sort=False):
        trained = rows[(rows["group"] == TRAINED) & (rows["better"] == YES)]
        judges = rows[rows["group"] == HELD_OUT]
        harmed = judges.loc[judges["better"] == WORSE, "measure"].tolist()
        if trained.empty or (not harmed and (judges["better"] == YES).any()):
            continue
        first = f"{model}: {', '.join(trained['measure'])} became better"
        if judges.empty:
            found.append(f"{first}, and no metric that the loss does not hold was asked, so it may have been fooled.")
        elif harmed:
            found.append(f"{first} while {', '.join(harmed)} became worse, a sign that the loss was fooled.")
        else:
            found.append(f"{first} while none of {', '.join(judges['measure'])} did, a sign that the loss was fooled.")
    return found


def table4_note(reading: str, changes: "pd.DataFrame") -> str:
    """A table's note with the sentences of `reward_hacking` behind it."""
    return " ".join([reading, *reward_hacking(changes)])
