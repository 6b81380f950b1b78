"""Figure 1: quality and fidelity are two things. Every pair by both, and one example of each quadrant."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hlf.errors import HlfError
from hlf.images import read_image
from hlf.paper import style
from hlf.paper.facts import HUMAN, Facts
from hlf.paper.pairs import PATHS
from hlf.paper.sheets import show
from hlf.paper.tables import need
from hlf.seeds import generator

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# (fidelity, quality), in the order in which they lie in the plot
QUADRANTS = {
    "low fidelity, high quality": (-1, 1),
    "high fidelity, high quality": (1, 1),
    "low fidelity, low quality": (-1, -1),
    "high fidelity, low quality": (1, -1),
}
FIGURE1_CAPTION = (
    "Left: every scored pair by fidelity (1 - score) and by a measure that sees the SR image only, with mean and "
    "1-sigma ellipse of each SR model; scores take few values, so the points, and nothing else, are spread a little "
    "along the fidelity axis. Right: the SR image, and GT beside it, that lies deepest in each quadrant: by ranks on "
    "both axes, split at the medians, the pair with the largest distance to the nearer split line. No pair was chosen "
    "by hand; an empty quadrant says so."
)
JITTER = 0.03  # largest shift of a drawn point along the fidelity axis
_LEFT = 2.75  # inches of the plot
_SR, _GT = 1.0, 0.58  # inches of an example's two pictures


def unmeasured(facts: Facts, measure_name: str, why: str) -> "Figure":
    """Page in place of Figure 1 when its measure has no value, such as for lack of its weights: it says so.

    Args:
        facts: provenance.
        measure_name: as people call it.
        why: status of its rows.
    """
    with style.look():
        page = style.new_page(_LEFT + 3.0, 0.9, facts, "Quality and fidelity are two things")
        page.label(f"Not drawn: {measure_name} was not measured ({why}).", 0.4)
    return page.figure


def quadrants(quality: "pd.DataFrame", scores: "pd.DataFrame", pairs: "pd.DataFrame") -> "pd.DataFrame":
    """The pair that lies deepest in each quadrant of fidelity and quality, split at the medians of both.

    Depth is the distance to the nearer median in ranks, of which equal values share the mean; ties go to the larger sum
    of both distances, then by pair id. A quadrant without a pair has no row.

    Args:
        quality: columns pair_id, value (no-reference measure of the SR image, NaN = failed), lower_better.
        scores: table `scores`; incomplete pairs are left out.
        pairs: table `pairs`, for the picture paths.

    Returns:
        At most four rows in the order of QUADRANTS: quadrant, pair_id, image_id, level, model, fidelity (1 - score, in
        [0, 1]), value, gt_path, lr_path, sr_path.

    Raises:
        HlfError: no pair has both values, two values of one pair, or a chosen pair that is not in `pairs`.
    """
    import pandas as pd

    table = _joined(quality, scores)
    across, along = _centred(table["fidelity"]), _centred(_upward(table))
    chosen = []
    for name, (right, up) in QUADRANTS.items():
        sides = np.stack([right * across, up * along])
        inside = table.assign(quadrant=name, depth=sides.min(axis=0), total=sides.sum(axis=0))
        inside = inside[inside["depth"] > 0]
        chosen.append(inside.sort_values(["depth", "total", "pair_id"], ascending=[False, False, True]).head(1))
    found = pd.concat(chosen).merge(pairs[["pair_id", *PATHS]], on="pair_id", how="left", validate="one_to_one")
    if found["sr_path"].isna().any():
        raise HlfError(
            f"Figure 1: pair {found.loc[found['sr_path'].isna(), 'pair_id'].iloc[0]} is not in table 'pairs'"
        )
    columns = ["quadrant", "pair_id", "image_id", "level", "model", "fidelity", "value", *PATHS]
    return found[columns].reset_index(drop=True)


def _joined(quality: "pd.DataFrame", scores: "pd.DataFrame") -> "pd.DataFrame":
    """Pairs with both values by pair id: pair_id, image_id, level, model, fidelity, value, lower_better."""
    need(quality, ("pair_id", "value", "lower_better"), "quality")
    need(scores, ("pair_id", "image_id", "level", "model", "score", "status"), "scores")
    if quality["pair_id"].duplicated().any() or quality["lower_better"].nunique() > 1:
        raise HlfError("Figure 1: expected one measure with one value per pair and one direction")
    known = scores[scores["status"] == "complete"].assign(fidelity=1 - scores["score"])
    known = known[["pair_id", "image_id", "level", "model", "fidelity"]]
    table = known.merge(quality[["pair_id", "value", "lower_better"]], on="pair_id")
    table = table[np.isfinite(table["value"])].sort_values("pair_id").reset_index(drop=True)
    if table.empty:
        raise HlfError("Figure 1: no pair has a complete score and a value of the no-reference measure")
    return table


def _upward(table: "pd.DataFrame") -> "pd.Series":
    """Quality, turned so that more is better."""
    return table["value"].where(~table["lower_better"].astype(bool), -table["value"])


def _centred(values: "pd.Series") -> np.ndarray:
    """Ranks less the median rank, shape (pairs,); equal values share the mean of their ranks."""
    return values.rank().to_numpy(float) - (len(values) + 1) / 2


def _split(values: "pd.Series") -> float:
    """Value between the lower and the upper half as `_centred` has them; the median when one of them is empty."""
    side = _centred(values)
    if not (side < 0).any() or not (side > 0).any():
        return float(values.median())
    return float(values[side < 0].max() + values[side > 0].min()) / 2


def figure1(
    quality: "pd.DataFrame",
    scores: "pd.DataFrame",
    pairs: "pd.DataFrame",
    root: str | Path,
    facts: Facts,
    measure_name: str,
) -> "Figure":
    """Every pair by fidelity and quality with mean and 1-sigma ellipse per SR model, and an example per quadrant.

    Args:
        quality: see `quadrants`, as are the next two.
        scores: see there.
        pairs: see there.
        root: results folder of the run, to which the paths are relative.
        facts: provenance for stamp and small print.
        measure_name: of the no-reference measure, for people.

    Raises:
        HlfError: as `quadrants`, or a picture that cannot be read.
    """
    table, chosen = _joined(quality, scores), quadrants(quality, scores, pairs)
    with style.look():
        page = style.new_page(style.PRINT_WIDTH, 4.5, facts, "Quality and fidelity are two things")
        ax = page.box(0.65, 1.0, _LEFT, 3.4)
        _cloud(ax, table, facts)
        lower = bool(table["lower_better"].iloc[0])
        ax.set_ylabel(f"Quality: {measure_name} ({'axis turned, ' if lower else ''}up is better)")
        who = "people" if facts.votes == HUMAN else f"{facts.votes} observers"
        ax.set_xlabel(
            f"Fidelity: share of {who} who saw no change\n(points spread by up to \u00b1{JITTER:g})", fontsize=8
        )
        page.legend(ax, 0.1, columns=min(5, table["model"].nunique()))
        for place, name in enumerate(QUADRANTS):
            row, column = divmod(place, 2)
            x, y = _LEFT + 0.8 + 1.85 * column, 3.05 - 1.95 * row
            _example(page, x, y, name, chosen[chosen["quadrant"] == name], Path(root), measure_name)
    return page.figure


def _cloud(ax: Any, table: "pd.DataFrame", facts: Facts) -> None:
    """Points, means and ellipses of all SR models, and the two split lines."""
    from matplotlib.colors import to_rgba

    table = table.assign(x=table["fidelity"] + generator(facts.seed, "figure1").uniform(-JITTER, JITTER, len(table)))
    colors, marks = style.model_colors(table["model"]), style.model_marks(table["model"])
    for model, color in colors.items():
        some = table[table["model"] == model]
        ax.scatter(some["x"], some["value"], s=7, color=color, marker=marks[model], alpha=0.45, lw=0)
        mean = some["fidelity"].mean(), some["value"].mean()
        name = f"{style.model_name(model)} (n = {len(some)})"
        ax.plot(*mean, marks[model], ms=8, mfc=color, mec="white", mew=1.2, zorder=5, ls="none", label=name)
        if len(some) > 2:
            spread = np.cov(some["fidelity"].to_numpy(float), some["value"].to_numpy(float))
            ax.add_patch(_ellipse(mean, spread, fc=to_rgba(color, 0.1), ec=color, lw=1.4, zorder=4))
    ax.axvline(_split(table["fidelity"]), color=style.MUTED, lw=0.8, ls="--", zorder=1)
    ax.axhline(_split(table["value"]), color=style.MUTED, lw=0.8, ls="--", zorder=1)
    low, high = ax.get_xlim()  # an ellipse may reach beyond the shares
    ax.set_xlim(min(low, -0.06), max(high, 1.06))
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
    if table["lower_better"].iloc[0]:
        ax.invert_yaxis()


def _ellipse(mean: tuple[float, float], spread: np.ndarray, **look: Any) -> Any:
    """Where a normal distribution of this mean and covariance (2, 2) is one standard deviation away."""
    from matplotlib.patches import Ellipse

    (a, b), (_, c) = spread
    middle, half = (a + c) / 2, np.hypot((a - c) / 2, b)
    width, height = (2 * np.sqrt(max(v, 0.0)) for v in (middle + half, middle - half))
    return Ellipse(mean, width, height, angle=float(np.degrees(np.arctan2(2 * b, a - c) / 2)), **look)


def _example(
    page: style.Page, x: float, y: float, name: str, row: "pd.DataFrame", root: Path, measure_name: str
) -> None:
    """SR with GT beside it, at (x, y) inches; a frame that says so when the quadrant is empty."""
    left = page.box(x, y, _SR, _SR)
    left.set_title(name.replace(", ", ",\n"), fontsize=8)
    if row.empty:
        left.set_xticks([])
        left.set_yticks([])
        left.text(0.5, 0.5, "no pair here", ha="center", va="center", fontsize=7.5, color=style.MUTED)
        return
    one = row.iloc[0]
    right = page.box(x + _SR + 0.06, y, _GT, _GT)
    show(left, read_image(root / one["sr_path"]))
    show(right, read_image(root / one["gt_path"]))
    right.set_title("GT", loc="center", fontsize=7, pad=2)
    numbers = f"{style.model_name(one['model'])}, fidelity {one['fidelity']:.2f}\n{measure_name} {one['value']:.3f}"
    left.text(0, -0.04, numbers, transform=left.transAxes, ha="left", va="top", fontsize=7)
