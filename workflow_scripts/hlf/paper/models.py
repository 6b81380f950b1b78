"""What each SR model does: the table of sharpness against content, five models and baselines side by side."""

from typing import TYPE_CHECKING

from hlf.columns import GT
from hlf.errors import HlfError
from hlf.paper import style

if TYPE_CHECKING:
    import pandas as pd

TITLE = "What each SR model does: sharpness against content"
NOTE = (
    "Means over the first dataset images by id. Sharpness: mean difference of neighbouring pixels in grey levels. "
    "PSNR: closeness to GT. Read right: share of pictograms and words that the content reader names as the content "
    "list does. A model that is as sharp as GT but reads less than GT paints what was not there; a blurred one that "
    "reads more keeps the content. Baselines are for comparison only: no pair is made of them."
)


def sr_models(measures: "pd.DataFrame") -> "pd.DataFrame":
    """One row per degradation level and SR model, baselines behind the models; the last row is GT itself.

    Args:
        measures: table `sr_measures`.

    Returns:
        Columns level, model, images, sharpness (grey levels), psnr (dB) and, where content is known, read_right
        (share). Level and psnr of GT are NaN.

    Raises:
        HlfError: nothing was measured.
    """
    import pandas as pd

    if measures.empty:
        raise HlfError("table of SR models: expected measured images, received an empty table")
    rows = []
    truth, made = measures[measures["model"] == GT], measures[measures["model"] != GT]
    for level, of_level in made.groupby("level"):
        for baseline, suffix in ((False, ""), (True, " (baseline)")):
            part = of_level[of_level["baseline"] == baseline]
            for name in style.model_order(part["model"]):
                rows.append({"level": level, **_row(style.model_name(name) + suffix, part[part["model"] == name])})
    table = pd.DataFrame([*rows, {"level": float("nan"), **_row(GT, truth)}])
    return table if measures["things"].any() else table.drop(columns="read_right")


def _row(name: str, images: "pd.DataFrame") -> dict[str, object]:
    """Means of one model's images; things count alike, whatever image they stand in."""
    things = int(images["things"].sum())
    return {
        "model": name,
        "images": len(images),
        "sharpness": float(images["sharpness"].mean()),
        "psnr": float(images["psnr"].mean()),
        "read_right": float(images["right"].sum() / things) if things else float("nan"),
    }
