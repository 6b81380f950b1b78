"""Training pictures of the fine-tuning: which ones, and how each becomes a GT crop with its LR picture (paper 5).

Source of the rules: `make_paired_data.py` and the data set of cswry/SeeSR. There, pairs are made once and stored; here
each is made when its turn comes, from seeds of its name and epoch, so that a folder of any size can be used at once.
Deviations: crops and degradations are drawn anew in every epoch; a file that cannot be used is replaced by another one,
drawn by its name, and listed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from hlf.degradation import degrade
from hlf.degradation.realesrgan import make_pairs
from hlf.errors import HlfError
from hlf.images import ImageError, by_stem, decode_image, list_images, to_tensor
from hlf.nets.basicsr_adapter import usm_sharp
from hlf.scenes.scene import scene_for
from hlf.seeds import generator, seed_for

ROLE = "tuning"  # of training scenes: their seeds are disjoint from those of every other role
REPLACEMENTS = 32  # files tried in place of one before giving up: then the folder is useless as it is


class Pair(NamedTuple):
    """One training pair.

    Attributes:
        image_id: of the picture that was used.
        lr: (3, h, w) in [0, 1].
        gt: (3, 4h, 4w) in [0, 1].
        refused: files that could not be used, each with its reason.
    """

    image_id: str
    lr: Tensor
    gt: Tensor
    refused: tuple[tuple[str, str], ...]


class Source(Protocol):
    """Where pictures come from."""

    def read(self, image_id: str) -> np.ndarray:
        """Picture uint8 (H, W, 3) of an id; ImageError when it cannot be used."""


class Scenes:
    """Procedural scenes of role "tuning".

    Args:
        config_seed: the run's seed.
        side: of a scene in pixels.
        share: see `plan_scene`.
    """

    def __init__(self, config_seed: int, side: int, share: tuple[float, float]):
        self.config_seed, self.side, self.share = config_seed, side, share

    def read(self, image_id: str) -> np.ndarray:
        """See `Source`."""
        return scene_for(self.config_seed, ROLE, int(image_id.rpartition("-")[2]), self.side, self.share).image


class Photographs:
    """Files of a folder.

    Args:
        root: the folder.
        files: image id -> path below it.
        min_bytes: smaller files are refused, as by the official program.
        min_pixels: so are pictures of fewer pixels.
    """

    def __init__(self, root: Path, files: dict[str, str], min_bytes: int, min_pixels: int):
        self.root, self.files, self.min_bytes, self.min_pixels = root, files, min_bytes, min_pixels

    def read(self, image_id: str) -> np.ndarray:
        """See `Source`."""
        name = self.files[image_id]
        try:
            data = (self.root / name).read_bytes()
        except OSError as error:
            raise ImageError(f"image {name} cannot be opened: {error.strerror}") from error
        if len(data) < self.min_bytes:
            raise ImageError(f"image {name} has {len(data)} bytes, tuning.min_bytes is {self.min_bytes}")
        pixels = decode_image(data, name)
        if pixels.shape[0] * pixels.shape[1] < self.min_pixels:
            raise ImageError(
                f"image {name} is {pixels.shape[1]}x{pixels.shape[0]}, tuning.min_pixels is {self.min_pixels}"
            )
        return pixels


def choose(settings: dict[str, Any], config_seed: int, taken: Sequence[str]) -> list[tuple[str, str]]:
    """Ids and files of the training subset, in seeded order; no picture is opened.

    Args:
        settings: the configuration's group `tuning`.
        config_seed: the run's seed.
        taken: ids of the run's GT images, of which none may be trained on.

    Returns:
        (image id, path below tuning.folder); the path is "" for scenes.

    Raises:
        HlfError: too few files, or two files with one stem.
    """
    wanted = int(settings["images"])
    if settings["source"] == "scenes":
        return [(f"{ROLE}-{i:05d}", "") for i in range(wanted)]
    root, used = Path(settings["folder"]), set(taken)
    files = by_stem(list_images(root), root, "tuning.folder")
    free = sorted(
        (stem for stem in files if stem not in used), key=lambda stem: (seed_for(config_seed, "tuning-ids", stem), stem)
    )
    if len(free) < wanted:
        raise HlfError(
            f"tuning.images is {wanted}, but tuning.folder {root} holds {len(free)} images that are not the run's own; "
            "lower it or add images"
        )
    return [(stem, files[stem].relative_to(root).as_posix()) for stem in free[:wanted]]


@dataclass(frozen=True)
class Preparation:
    """How a picture becomes a pair.

    Attributes:
        crop: GT side in pixels, a multiple of 4.
        flip: share of pictures that are mirrored.
        sharpen: GT is sharpened first and stays so as the target, as in the official data.
        degradation: "realesrgan", as the official data; or "bsrgan", that of the run's own LR images.
        levels: strengths that the latter draws from.
    """

    crop: int
    flip: float
    sharpen: bool
    degradation: str
    levels: tuple[float, ...]


class Pairs(torch.utils.data.Dataset[Pair | HlfError]):
    """Training pairs by (epoch, number).

    Args:
        ids: of the training subset.
        source: gives their pictures.
        preparation: see there.
        config_seed: the run's seed; a pair depends on it, its image and its epoch alone.
    """

    def __init__(self, ids: Sequence[str], source: Source, preparation: Preparation, config_seed: int):
        self.ids, self.source, self.preparation, self.config_seed = list(ids), source, preparation, config_seed

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, place: tuple[int, int]) -> Pair | HlfError:
        """As `pair`, with the error as a value: a loader's helper process would make a traceback of it."""
        try:
            return self.pair(*place)
        except HlfError as error:
            return error

    def pair(self, epoch: int, number: int) -> Pair:
        """Pair of picture `number` in an epoch, both from 0.

        Raises:
            HlfError: neither the picture nor any of its replacements can be used.
        """
        name, refused = self.ids[number], []
        for attempt in range(REPLACEMENTS):
            try:
                pixels = self.source.read(name)
            except ImageError as error:
                refused.append((name, str(error)))
                name = self.ids[seed_for(self.config_seed, "tuning-replace", name, attempt) % len(self.ids)]
                continue
            rng = generator(self.config_seed, "tuning-pair", name, epoch)
            lr, gt = degraded_pair(cropped(pixels, self.preparation, rng), self.preparation, rng)
            return Pair(name, lr, gt, tuple(refused))
        raise HlfError(
            f"{REPLACEMENTS} training images in a row cannot be used, the last one: {refused[-1][1]}; "
            "look at tuning.folder"
        )


def cropped(pixels: np.ndarray, preparation: Preparation, rng: np.random.Generator) -> np.ndarray:
    """Random crop (side, side, 3), mirrored now and then; smaller pictures are reflected at the right and below."""
    side = preparation.crop
    lacking = [max(0, side - length) for length in pixels.shape[:2]]
    if any(lacking):  # numpy reflects again and again where a picture is much smaller
        pixels = np.pad(pixels, ((0, lacking[0]), (0, lacking[1]), (0, 0)), mode="reflect")
    top, left = (int(rng.integers(0, length - side + 1)) for length in pixels.shape[:2])
    part = pixels[top : top + side, left : left + side]
    return part[:, ::-1] if rng.random() < preparation.flip else part


def degraded_pair(gt: np.ndarray, preparation: Preparation, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """LR picture (3, h, w) and target (3, 4h, 4w), float32 in [0, 1], of a GT uint8 (4h, 4w, 3)."""
    clean = to_tensor(gt)
    if preparation.degradation == "realesrgan":
        lr, sharp = make_pairs(clean[None], [int(rng.integers(0, 2**63))])
        return lr[0], sharp[0] if preparation.sharpen else clean
    if preparation.sharpen:
        clean = usm_sharp()(clean[None])[0]
    level = float(rng.choice(preparation.levels))
    low = degrade(np.ascontiguousarray(clean.numpy().transpose(1, 2, 0)), rng, level=level)[0]
    return torch.from_numpy(np.ascontiguousarray(low.transpose(2, 0, 1))), clean
