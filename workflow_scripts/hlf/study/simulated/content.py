"""Content error of a pair: how much of what a scene shows an independent reader finds changed in the SR image.

The simulated observers' only view of a pair (docs/design.md, "The mini world"). Beside that, the reader network only
tells a table what SR models keep (`reads_right`): no metric that is later compared with the votes takes part in them.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.images import read_image, to_tensor

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

    from hlf.scenes.reader import ContentReader


def load_reader(zoo_folder: Path) -> "ContentReader":
    """The content reader of the mini zoo (there is no official one: photographs have no known content)."""
    from hlf.files import read_json
    from hlf.scenes import reader
    from hlf.zoo.load import load_strict, read_state
    from hlf.zoo.registry import find_weights

    paths = find_weights("mini", zoo_folder, "reader")
    net = reader.build(read_json(paths[0]))
    load_strict(net, read_state(paths[1]), paths[1])
    return net.eval()


def content_errors(
    pairs: "pd.DataFrame", content: "pd.DataFrame", results: Path, reader: "ContentReader"
) -> "pd.DataFrame":
    """Columns pair_id and content_error in [0, 1]: 0 = everything reads as in the GT, 1 = something certainly does not.

    Args:
        pairs: table `pairs`.
        content: table `content`, what each GT scene shows and where.
        results: folder of the run.
        reader: trained content reader.

    Raises:
        HlfError: a pair's GT has no known content, as with one's own photographs.
    """
    import pandas as pd

    shown = dict(iter(content.groupby("image_id")))
    unknown = sorted(set(pairs["image_id"]) - set(shown))
    if unknown:
        raise HlfError(
            f"no known content for {len(unknown)} images (first: {unknown[0]}), so votes cannot be simulated; run a "
            "study with people and give its votes as study.votes: <file.csv>"
        )
    rows = []
    for image_id, group in pairs.sort_values("pair_id").groupby("image_id"):
        things = shown[str(image_id)]
        reference = _readings(to_tensor(read_image(results / str(group["gt_path"].iloc[0]))), things, reader)
        for pair in group.itertuples(index=False):
            readings = _readings(to_tensor(read_image(results / str(pair.sr_path))), things, reader)
            same = [_agreement(a, b) for a, b in zip(reference, readings, strict=True)]
            # one changed thing is enough for a viewer to say yes
            kept = 1.0
            for value in same:
                kept *= value
            rows.append({"pair_id": pair.pair_id, "content_error": 1.0 - kept})
    return pd.DataFrame(rows).sort_values("pair_id").reset_index(drop=True)


def reads_right(
    image: "Tensor", kind: str, label: str, box: tuple[int, int, int, int], reader: "ContentReader"
) -> bool:
    """Whether the reader names a pictogram, or every letter of a sign, as the content list does.

    Args:
        image: (3, H, W) in [0, 1].
        kind: glyph or sign; codes are no reading matter.
        label: what the content list says.
        box: left, top, right, bottom in pixels.
        reader: trained content reader.
    """
    from hlf.scenes.reader import crop_box, letter_targets, read
    from hlf.scenes.vocabulary import glyph_classes

    glyph, letters = read(reader, crop_box(image, box)[None])
    if kind == "glyph":
        return glyph_classes()[int(glyph.argmax())] == label
    return bool(letters[0].argmax(-1).tolist() == letter_targets(label))


def _readings(image: "Tensor", things: "pd.DataFrame", reader: "ContentReader") -> "list[np.ndarray]":
    """Per thing, probabilities of each reading: (1, 68) for a glyph, (5, 27) for a sign, (121, 2) for a code."""
    import torch

    from hlf.scenes.reader import crop_box, read

    sides = things[["left", "top", "right", "bottom"]].to_numpy(dtype=int)
    boxes = [(int(a), int(b), int(c), int(d)) for a, b, c, d in sides]
    glyphs, letters = read(reader, torch.stack([crop_box(image, box) for box in boxes]))
    found = []
    for i, (kind, box) in enumerate(zip(things["kind"], boxes, strict=True)):
        if kind == "code":
            found.append(_modules(image, box))
        else:
            found.append((glyphs[i][None] if kind == "glyph" else letters[i]).double().numpy())
    return found


def _modules(image: "Tensor", box: tuple[int, int, int, int]) -> "np.ndarray":
    """Modules of a code as a scanner samples them: (121, 2) certain probabilities of light and dark."""
    import numpy as np

    from hlf.scenes.objects import CODE_SIDE, QUIET_ZONE

    left, top, right, _ = box
    grey = image.mean(0).numpy()
    step = (right - left) / (CODE_SIDE + 2 * QUIET_ZONE)
    centres = ((np.arange(CODE_SIDE) + QUIET_ZONE + 0.5) * step).astype(int)
    values = grey[np.ix_(top + centres, left + centres)]
    dark = values < (values.min() + values.max()) / 2
    return np.stack([~dark, dark], -1).reshape(-1, 2).astype(float)


def _agreement(gt: "np.ndarray", sr: "np.ndarray") -> float:
    """Probability-like agreement of two readings in [0, 1]: product over places of the Bhattacharyya coefficient.

    A code has error correction: up to 4 % of its modules may differ (M1 detects, hardly corrects), then it is lost.
    """
    import numpy as np

    per_place = np.sqrt(gt * sr).sum(-1)
    if len(gt) > 5:
        wrong = 1 - per_place.mean()
        return float(np.clip(1 - wrong / 0.04, 0, 1))
    return float(per_place.prod().clip(0, 1))
