"""Figures of the fine-tuning: pictures chosen by rule (paper Figures 6 and 7), and its losses by step."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.images import read_image
from hlf.paper import style
from hlf.paper.facts import Facts
from hlf.paper.sheets import short, show
from hlf.paper.tables import need
from hlf.paper.tuning import HELD_OUT, by_picture, variant_order
from hlf.tuning.variants import BASELINE, alpha_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

FIGURE6_CAPTION = (
    "LR, SeeSR as published, fine-tuned SeeSR and GT of the images that gained most: those whose mean HLF over the "
    "metrics that the loss does not hold fell most, each image at its best level. Below the pictures that mean, "
    "of 1 - cosine in [0, 2]; lower is better. Shown is the alpha with the lowest mean of it over all images. No "
    "picture was chosen by hand."
)
FIGURE7_CAPTION = (
    "As Figure 6, for the images on which the fine-tuned model still fails: those with the highest mean HLF after the "
    "fine-tuning, each image at its worst level."
)
CURVES_CAPTION = (
    "The two losses of Equation 1 by optimiser step: pale as they are, dark their running mean. Steps that were "
    "skipped are left out."
)
PICTURES = ("lr_path", "baseline_path", "tuned_path", "gt_path")
_SIDE = 1.5  # inches of a picture
_ROW = _SIDE + 0.22  # and the line of text below it
_POINTS = 2000  # of a curve at most, so that long trainings stay small files
_SMOOTH = 20  # the running mean runs over the steps divided by this


def best_variant(evaluation: "pd.DataFrame") -> str:
    """The tuned variant with the lowest mean HLF by held-out metrics; of equal ones that with the smallest alpha.

    Raises:
        HlfError: no tuned variant, or no held-out metric.
    """
    judged = evaluation[(evaluation["group"] == HELD_OUT) & (evaluation["variant"] != BASELINE)]
    need(judged, ("variant", "value"), "tuning_evaluation")
    means = judged.groupby("variant")["value"].mean()
    return min(map(str, means.index), key=lambda name: (float(means[name]), alpha_of(name) or 0.0))


def largest_gain(evaluation: "pd.DataFrame", images: "pd.DataFrame", variant: str, n: int) -> "pd.DataFrame":
    """The `n` images whose mean held-out HLF the fine-tuning lowered most, each at the level where it did so most.

    Equal gains by image id, then by level. Where fewer than `n` images gained, images that lost least follow.

    Args:
        evaluation: table `tuning_evaluation`; group held-out judges.
        images: table `tuning_sr` of the baseline and `variant`.
        variant: name of a tuned variant, as in the tables.
        n: rows at most.

    Returns:
        Columns variant, image_id, level, before, after (mean held-out HLF of baseline and variant, lower is better),
        gain (before - after), lr_path, baseline_path, tuned_path, gt_path (relative to the results folder).

    Raises:
        HlfError: no held-out metric, no picture that all of them judged in both variants, or a picture not in `images`.
    """
    return _first(_judged(evaluation, images, variant), "gain", n)


def largest_left(evaluation: "pd.DataFrame", images: "pd.DataFrame", variant: str, n: int) -> "pd.DataFrame":
    """The `n` images with the highest mean held-out HLF after the fine-tuning, each at the level where it is highest.

    Args, returns and raises: as `largest_gain`.
    """
    return _first(_judged(evaluation, images, variant), "after", n)


def _judged(evaluation: "pd.DataFrame", images: "pd.DataFrame", variant: str) -> "pd.DataFrame":
    """Every picture that all held-out metrics judged in both variants, with values and paths."""
    import pandas as pd

    need(images, ("variant", "image_id", "level", "gt_path", "lr_path", "sr_path"), "tuning_sr")
    judges = evaluation[(evaluation["group"] == HELD_OUT) & evaluation["variant"].isin([BASELINE, variant])]
    if variant == BASELINE or set(judges["variant"]) != {BASELINE, variant}:
        raise HlfError(
            f"examples of '{variant}' need metrics that the loss does not hold, evaluated for it and for {BASELINE}; "
            "put at least two backbones into metric.finetune"
        )
    # a picture's metrics side by side, always in one order, so that the order of rows changes no digit
    wide = pd.DataFrame(by_picture(judges).droplevel("group").unstack("measure")).dropna()
    if wide.empty:
        raise HlfError(f"examples of '{variant}': no picture was judged by every metric that the loss does not hold")
    means = {name: wide[[one]].mean(axis=1) for name, one in (("before", BASELINE), ("after", variant))}
    table = wide.index.to_frame(index=False).assign(variant=variant, **{k: v.to_numpy() for k, v in means.items()})
    table["gain"] = table["before"] - table["after"]
    keys = ["image_id", "level"]
    for name, column, more in ((BASELINE, "baseline_path", ["lr_path", "gt_path"]), (variant, "tuned_path", [])):
        some = images[images["variant"] == name].rename(columns={"sr_path": column})
        table = table.merge(some[[*keys, column, *more]], on=keys, how="left", validate="one_to_one")
    lost = table.loc[table[["baseline_path", "tuned_path"]].isna().any(axis=1), "image_id"].tolist()
    if lost:
        raise HlfError(f"{len(lost)} judged pictures are not in table 'tuning_sr', such as one of {lost[0]}")
    return table[["variant", *keys, "before", "after", "gain", *PICTURES]]


def _first(table: "pd.DataFrame", column: str, n: int) -> "pd.DataFrame":
    """The `n` rows with the largest values, one per image; equal ones by image id, then level."""
    ordered = table.sort_values([column, "image_id", "level"], ascending=[False, True, True])
    return ordered.drop_duplicates("image_id").head(n).reset_index(drop=True)


def figure6(rows: "pd.DataFrame", root: str | Path, facts: Facts) -> "Figure":
    """LR (nearest neighbour), SeeSR as published, fine-tuned and GT of the images that gained most (paper Figure 6).

    Args:
        rows: of `largest_gain`.
        root: results folder of the run, to which the paths are relative.
        facts: provenance for stamp and small print.

    Raises:
        HlfError: no row, or a picture that cannot be read.
    """
    rule = "Rule: largest fall of the mean held-out HLF, one level per image"
    return _grid(rows, root, facts, "What the fine-tuning improved most", rule)


def figure7(rows: "pd.DataFrame", root: str | Path, facts: Facts) -> "Figure":
    """As `figure6` for rows of `largest_left`, where the fine-tuned model still fails (paper Figure 7)."""
    rule = "Rule: highest mean held-out HLF after the fine-tuning, one level per image"
    return _grid(rows, root, facts, "What is still wrong after the fine-tuning", rule)


def _grid(rows: "pd.DataFrame", root: str | Path, facts: Facts, title: str, rule: str) -> "Figure":
    if rows.empty:
        raise HlfError("examples of the fine-tuning: there is no picture to show")
    heads = ("LR (nearest \u00d74)", "SeeSR", f"SeeSR, {label(str(rows['variant'].iloc[0]))}", "GT")
    with style.look():
        page = style.new_page(4 * (_SIDE + 0.08) + 0.5, _ROW * len(rows) + 0.55, facts, title)
        for i, row in enumerate(rows.to_dict("records")):
            bottom = 0.5 + _ROW * (len(rows) - 1 - i)
            axes = [page.box(0.45 + j * (_SIDE + 0.08), bottom, _SIDE, _SIDE) for j in range(len(heads))]
            for ax, picture in zip(axes, _pictures(row, Path(root)), strict=True):
                show(ax, picture)
            axes[0].set_ylabel(f"{short(str(row['image_id']), 20)}\nlevel {row['level']}", fontsize=7)
            for ax, value in ((axes[1], row["before"]), (axes[2], row["after"])):
                ax.set_xlabel(f"mean HLF {value:.3f}", fontsize=7.5, labelpad=2)
            for ax, head in zip(axes, heads if i == 0 else (), strict=False):
                ax.set_title(head, loc="center", fontsize=9)
        page.label(rule, 0.05)
    return page.figure


def _pictures(row: dict[Any, Any], root: Path) -> "list[np.ndarray]":
    import numpy as np
    from PIL import Image

    lr, *others = (read_image(root / row[column]) for column in PICTURES)
    size = (others[-1].shape[1], others[-1].shape[0])
    return [np.asarray(Image.fromarray(lr).resize(size, Image.Resampling.NEAREST)), *others]


def label(variant: str) -> str:
    """A variant in the words of Equation 1.

    >>> label("seesr"), label("seesr-hlf0.01")
    ('as published', '\u03b1 = 0.01')
    """
    alpha = alpha_of(variant)
    return "as published" if alpha is None else f"\u03b1 = {alpha:g}"


def tuning_curves(histories: "Mapping[str, pd.DataFrame]", facts: Facts) -> "Figure":
    """Both losses of Equation 1 by optimiser step, a line per variant: every step pale, the running mean dark.

    Args:
        histories: variant -> columns step, loss_ori, loss_hlf and skipped (1 = the step was skipped, and is left out).
        facts: provenance for stamp and small print.

    Raises:
        HlfError: no variant, a missing column, or a variant whose steps were all skipped.
    """
    if not histories:
        raise HlfError("tuning curves: no variant was trained; put an alpha into tuning.variants")
    names = variant_order(set(histories))
    with style.look():
        page = style.new_page(style.PRINT_WIDTH, 3.1, facts, "Fine-tuning of SeeSR with the HLF loss")
        axes = page.grid(1, 2, left=0.65, bottom=0.85, across=0.75, right=0.2)[0]
        for index, name in enumerate(names):
            need(histories[name], ("step", "loss_ori", "loss_hlf", "skipped"), f"history of {name}")
            table = histories[name][histories[name]["skipped"] == 0].sort_values("step")
            need(table, ("step",), f"history of {name} without skipped steps")
            color = (style.FIRST, style.SECOND, style.THIRD, style.MUTED)[index % 4]
            line = ("-", "--", ":", "-.")[index % 4]
            for ax, column in zip(axes, ("loss_ori", "loss_hlf"), strict=True):
                _curve(ax, table["step"], table[column], label(name), color, line)
        axes[0].set_title(r"Diffusion loss $\mathcal{L}_\mathrm{ori}$")
        axes[1].set_title(r"$\mathcal{L}_\mathrm{HLF}$, not multiplied by $\alpha$")
        for ax in axes:
            ax.grid()
        axes[0].set_ylabel("Loss")
        page.label("Optimiser step", 0.36)
        page.legend(axes[0], 0.1, columns=4)
    return page.figure


def _curve(ax: Any, steps: "pd.Series", losses: "pd.Series", name: str, color: str, line: str) -> None:
    window, every = max(1, len(steps) // _SMOOTH), -(-len(steps) // _POINTS)
    smooth = losses.rolling(window, min_periods=1).mean()
    ax.plot(steps[::every], losses[::every], color=color, lw=0.6, alpha=0.3)
    ax.plot(steps[::every], smooth[::every], color=color, lw=1.6, ls=line, zorder=3, label=name)
