"""Figures made of pictures: what each SR model made of an LR image, and the pairs that people liked least."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.columns import level_name
from hlf.errors import HlfError
from hlf.images import read_image
from hlf.paper import style
from hlf.paper.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure


# inches of one line of the pair sheet: a picture of 1.42, two lines of text, a gap
_LINE_HEIGHT = 1.85
# points of a row's label and of a picture's caption at print width
_LABEL, _CAPTION = 6.5, 6.5


@dataclass(frozen=True)
class SheetRow:
    """One row of the contact sheet: pictures of one GT at one degradation level.

    Attributes:
        label: text at the left, such as the image id and level.
        lr: path of the LR image.
        sr: SR model -> path of its output; every row names the same models.
        gt: path of the GT image.
    """

    label: str
    lr: Path
    sr: Mapping[str, Path]
    gt: Path


def contact_sheet(rows: "Sequence[SheetRow]", facts: Facts) -> "Figure":
    """Grid with columns LR (nearest neighbour), bicubic, each SR model, GT.

    Raises:
        HlfError: no row, rows with different models, or a picture that cannot be read.
    """
    if not rows:
        raise HlfError("contact sheet: expected at least one row of pictures")
    models = style.model_order(rows[0].sr)
    if any(set(row.sr) != set(models) for row in rows):
        raise HlfError(f"contact sheet: every row must show the same SR models, the first one has {models}")
    headers = ["LR\n(nearest \u00d74)", "bicubic", *(style.model_name(m) for m in models), "GT"]
    with style.look():
        page = style.new_page(
            1.5 * len(headers) + 0.5, 1.5 * len(rows) + 0.5, facts, "What the SR models make of the LR images"
        )
        axes = page.grid(len(rows), len(headers), left=0.55, bottom=0.05, right=0.1, top=0.5, across=0.08, along=0.08)
        for i, row in enumerate(rows):
            for j, picture in enumerate(_row_pictures(row, models)):
                show(axes[i][j], picture)
            axes[i][0].set_ylabel(row.label, fontsize=_LABEL * page.grow)
        for j, header in enumerate(headers):
            axes[0][j].set_title(header, loc="center", fontsize=7 * page.grow)
    return page.figure


def _row_pictures(row: SheetRow, models: list[str]) -> "list[np.ndarray]":
    import numpy as np
    from PIL import Image

    gt, lr = read_image(row.gt), read_image(row.lr)
    size = (gt.shape[1], gt.shape[0])
    ways = (Image.Resampling.NEAREST, Image.Resampling.BICUBIC)
    enlarged = [np.asarray(Image.fromarray(lr).resize(size, way)) for way in ways]
    return [*enlarged, *(read_image(row.sr[m]) for m in models), gt]


def pair_sheet(worst: "pd.DataFrame", root: str | Path, facts: Facts, n: int = 12) -> "Figure":
    """GT and SR side by side for the first `n` rows of `worst`, three pairs in a line.

    Args:
        worst: rows of `pairs.worst_pairs`: image_id, level, model, score, prediction (NaN = none), gt_path, sr_path.
        root: results folder of the run, to which the paths are relative.
        facts: provenance for stamp and small print.
        n: pairs to show at most.

    Raises:
        HlfError: no row, or a picture that cannot be read.
    """
    rows = list(worst.head(n).to_dict("records"))
    if not rows:
        raise HlfError("pair sheet: there is no scored pair to show")
    across = min(3, len(rows))
    lines = -(-len(rows) // across)
    with style.look():
        title = f"The {len(rows)} pairs with the highest score" if len(rows) > 1 else "The pair with the highest score"
        page = style.new_page(max(4.6, 3.1 * across), _LINE_HEIGHT * lines, facts, title)
        for index, row in enumerate(rows):
            line, column = divmod(index, across)
            y = _LINE_HEIGHT * (lines - 1 - line)
            left, right = (page.box(0.1 + 3.1 * column + 1.5 * k, y, 1.42, 1.42) for k in (0, 1))
            for ax, key in ((left, "gt_path"), (right, "sr_path")):
                show(ax, read_image(Path(root) / row[key]))
            prediction = "" if row["prediction"] != row["prediction"] else f", HLF {row['prediction']:.2f}"
            # the two captions stand side by side, so neither may be wider than its picture
            gt = f"{short(str(row['image_id']), 19)}\nGT, level {level_name(row['level'])}"
            left.set_title(gt, fontsize=_CAPTION * page.grow)
            sr = f"{style.model_name(row['model'])}\nscore {row['score']:.2f}{prediction}"
            right.set_title(sr, fontsize=_CAPTION * page.grow)
    return page.figure


def show(ax: Any, picture: "np.ndarray") -> None:
    """A picture, uint8 (H, W, 3), without ticks."""
    ax.imshow(picture, interpolation="none")
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set(visible=True, color=style.GRID)


def short(text: str, limit: int = 24) -> str:
    """Long ids lose their middle, so that two captions never run into each other."""
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}\u2026{text[-half:]}"
