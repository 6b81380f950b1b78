"""Results of the SR loop as tables."""

from pathlib import Path
from typing import TYPE_CHECKING

from hlf.columns import TABLES, conform
from hlf.sr.base import Descriptor
from hlf.sr.engine import Failed, Made

if TYPE_CHECKING:
    import pandas as pd


def result_tables(
    made: list[Made], failed: list[Failed], rule: Descriptor, run: str, root: Path
) -> "tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]":
    """Table `sr`, timing (model, image_id, level, seconds) and failures (image_id, level, model, reason).

    Args:
        made: pictures on disk; those kept from an earlier run have no row in the timing.
        failed: pictures that could not be made.
        rule: descriptor of the model.
        run: name of the run.
        root: folder that the paths in the table are relative to.
    """
    import pandas as pd

    rows = [
        {
            "run": run, "model": rule.name, "image_id": m.item.image_id, "level": m.item.level,
            "path": m.item.sr.relative_to(root).as_posix(), "width": m.width, "height": m.height, "sha256": m.sha256,
            "seed": m.item.seed, "zoo": rule.zoo, "weights_sha256": rule.weights_sha256, "precision": m.precision,
            "prompt": m.prompt, "tags": m.tags,
        }
        for m in made
    ]  # fmt: skip
    seconds = [(rule.name, m.item.image_id, m.item.level, m.seconds) for m in made if m.seconds is not None]
    reasons = [(f.item.image_id, f.item.level, rule.name, f.reason) for f in failed]
    return (
        conform(pd.DataFrame(rows, columns=list(TABLES["sr"])), "sr"),
        pd.DataFrame(seconds, columns=["model", "image_id", "level", "seconds"]),
        pd.DataFrame(reasons, columns=["image_id", "level", "model", "reason"]),
    )
