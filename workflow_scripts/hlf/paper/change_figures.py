"""Pictures of change maps: one pair for a user, and examples of planted edits for the report."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hlf.errors import HlfError
from hlf.paper import style
from hlf.paper.facts import NO_VOTES, Facts, Provenance
from hlf.paper.sheets import show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hlf.backbones.base import Backbone
    from hlf.metric.behaviour import Pair
    from hlf.metric.change_map import Region
    from hlf.scenes.scene import Box

UNIT = "1 \u2212 cosine of patch tokens"
COLOR_MAP = "magma"  # perceptually uniform, and rising in lightness, so that a grey print still reads
LEAST_TOP = 0.02  # least value of the brightest colour, so that rounding noise of equal pictures stays dark
FRAME = "#00B3A4"  # teal, which the colour map does not hold
DPI = 150


@dataclass(frozen=True)
class ModelFacts:
    """Provenance of a picture made outside a run, behind which stands one model only.

    Attributes:
        model: its name, such as "hlf-dinov2".
        zoo: "official" or "mini".
        weights_sha256: digest of its weights.
        warning: stamp of the run that tuned it; "" when none did.
    """

    model: str
    zoo: str
    weights_sha256: str
    warning: str = ""

    def stamp(self) -> str:
        """That of the run, else as `Facts.stamp` has it for models alone."""
        return self.warning or Facts("", "", self.zoo, NO_VOTES, 0, 0, "").stamp()

    def caption(self) -> str:
        """One sentence of provenance in plain ASCII."""
        return f"{self.model}, {self.zoo} zoo, weights {self.weights_sha256[:12]}."


def change_figure(
    sr: np.ndarray, gt: np.ndarray, heat: np.ndarray, facts: Provenance, regions: "Sequence[Region]" = ()
) -> "Figure":
    """GT, SR, and the map over the grey SR with a colour bar; regions are framed and numbered.

    Args:
        sr: uint8 (H, W, 3).
        gt: the same size.
        heat: map (H, W) of `change_map`; NaN is left bare.
        facts: provenance for stamp and small print.
        regions: of `top_regions`.

    Raises:
        HlfError: sizes differ, or the map has no value.
    """
    if not sr.shape[:2] == gt.shape[:2] == heat.shape or not np.isfinite(heat).any():
        raise HlfError(
            "change figure: expected SR, GT and a map with values of one size, got "
            f"{sr.shape}, {gt.shape} and {heat.shape}"
        )
    height = 2.1 * heat.shape[0] / heat.shape[1]
    with style.look():
        page = style.new_page(style.PRINT_WIDTH, height + 0.35, facts, "Where did it change?")
        axes = [page.box(0.1 + 2.18 * i, 0.05, 2.1, height) for i in range(3)]
        for ax, picture, name in zip(axes, (gt, sr, _grey(sr)), ("GT", "SR", "Change map over SR"), strict=True):
            show(ax, picture)
            ax.set_title(name, loc="center")
        drawn = _lay_over(axes[2], heat, _top([heat]))
        for number, region in enumerate(regions, start=1):
            _frame(axes[2], region.box, str(number))
        bar = page.figure.colorbar(drawn, cax=page.box(6.62, 0.05, 0.12, height))
        bar.set_label(UNIT, fontsize=7.5)
        bar.ax.tick_params(labelsize=7)
    return page.figure


def save_overlay(
    path: str | Path,
    sr: np.ndarray,
    gt: np.ndarray,
    heat: np.ndarray,
    facts: Provenance,
    regions: "Sequence[Region]" = (),
) -> None:
    """`change_figure` as one PNG file, written atomically; arguments as there."""
    from hlf.files import atomic

    figure = change_figure(sr, gt, heat, facts, regions)
    with style.look(), atomic(path) as tmp:
        figure.savefig(tmp, format="png", dpi=DPI, metadata={"Software": None})  # type: ignore[dict-item]


def change_examples(
    pairs: "Sequence[Pair]", backbones: "Mapping[str, Backbone]", facts: Facts, device: str = "cpu"
) -> "Figure":
    """A row per pair: GT, the pair's other picture with the edited box framed, and the map of each backbone over it.

    Args:
        pairs: planted edits or mild changes.
        backbones: name for the heading -> backbone.
        facts: provenance for stamp and small print.
        device: where the backbones run.

    Raises:
        HlfError: no pair or no backbone.
    """
    from hlf.images import to_tensor
    from hlf.metric.change_map import change_map

    if not pairs or not backbones:
        raise HlfError(f"change maps: expected pairs and backbones, got {len(pairs)} and {len(backbones)}")
    sides = [(to_tensor(pair.sr)[None].to(device), to_tensor(pair.gt)[None].to(device)) for pair in pairs]
    heats = [
        [change_map(b.to(device), sr, gt)[0].double().cpu().numpy() for sr, gt in sides] for b in backbones.values()
    ]
    with style.look():
        columns = len(backbones) + 2
        width, height = max(5.2, 1.3 * columns + 0.5), 1.3 * len(pairs) + 1.1
        page = style.new_page(width, height, facts, "Change maps of planted edits and of mild changes")
        axes = page.grid(len(pairs), columns, left=0.3, bottom=0.6, right=0.1, top=0.45, across=0.08, along=0.08)
        for i, pair in enumerate(pairs):
            for ax, picture in zip(axes[i], (pair.gt, pair.sr, *[_grey(pair.sr)] * len(backbones)), strict=True):
                show(ax, picture)
                if pair.box is not None and ax is not axes[i][0]:
                    _frame(ax, pair.box)
            axes[i][0].set_ylabel(pair.way.replace("_", " "), fontsize=6.5 * page.grow)
        for j, name in enumerate(("GT", "changed", *backbones)):
            axes[0][j].set_title("\n".join(textwrap.wrap(name, 18)), loc="center", fontsize=6.5 * page.grow)
        for j, column in enumerate(heats, start=2):
            top = _top(column)
            for i, heat in enumerate(column):
                drawn = _lay_over(axes[i][j], heat, top)
            _bar(page, axes[-1][j], drawn, top)
        page.label(UNIT, 0.05)
    return page.figure


def _grey(picture: np.ndarray) -> np.ndarray:
    """Grey and paler, so that the map's colours stand out; uint8 (H, W, 3)."""
    return np.repeat((255 - (255 - picture.mean(-1, keepdims=True)) * 0.7).astype(np.uint8), 3, axis=-1)


def _top(heats: Sequence[np.ndarray]) -> float:
    """Value of the brightest colour."""
    return max(LEAST_TOP, *(float(np.nanmax(heat)) for heat in heats))


def _lay_over(ax: Any, heat: np.ndarray, top: float) -> Any:
    """The map over what the axes show, more opaque where higher; colours by the square root, to show weak places."""
    from matplotlib.colors import PowerNorm

    scale = PowerNorm(0.5, 0, top)
    values = np.nan_to_num(heat)
    opacity = np.clip(0.1 + np.asarray(scale(values)), 0, 0.85) * np.isfinite(heat)
    return ax.imshow(values, cmap=COLOR_MAP, norm=scale, alpha=opacity, interpolation="none")


def _bar(page: style.Page, above: Any, drawn: Any, top: float) -> None:
    """A colour bar as wide as a column of maps, below its last one."""
    place = above.get_position()
    total = page.figure.get_size_inches()[1]
    cax = page.figure.add_axes((place.x0, place.y0 - 0.16 / total, place.width, 0.08 / total))
    bar = page.figure.colorbar(drawn, cax=cax, orientation="horizontal", ticks=[0, top / 4, top])
    bar.ax.tick_params(labelsize=6.5 * page.grow, length=2)
    labels = bar.ax.set_xticklabels(["0", f"{top / 4:.2f}", f"{top:.2f}"])
    # neighbouring bars stand close together
    labels[0].set_horizontalalignment("left")
    labels[-1].set_horizontalalignment("right")


def _frame(ax: Any, box: "Box", text: str = "") -> None:
    from matplotlib.patches import Rectangle

    left, top, right, bottom = box
    look: dict[str, Any] = {"fill": False, "edgecolor": FRAME, "linewidth": 1.2}
    ax.add_patch(Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, **look))
    if text:
        plate = {"facecolor": FRAME, "edgecolor": "none", "pad": 1.0}
        ax.text(left + 2, top + 2, text, ha="left", va="top", fontsize=7, fontweight="bold", color="white", bbox=plate)
