"""From a source of images to the run's GT files and their manifest (paper 3.1, KonIQ-10k).

Every source yields (image id, role, pixels, facts); one function crops, writes and keeps what is already there.
"""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.columns import TABLES, conform
from hlf.errors import HlfError
from hlf.images import ImageError, by_stem, decode_image, list_images, write_png
from hlf.resume import kept, record_path, remember
from hlf.seeds import seed_for

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

log = logging.getLogger(__name__)
ROLES = ("dataset", "evaluation")
FOLDER_LIMIT = 10_000  # a folder with more files is slow on cluster file systems


@dataclass
class Prepared:
    """Rows gathered while images are written: the manifest, what scenes show, and what was refused."""

    manifest: list[dict[str, Any]] = field(default_factory=list)
    content: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[dict[str, str]] = field(default_factory=list)

    def tables(self) -> "tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]":
        """Tables `manifest`, `content`, and the refused files with their reasons."""
        import pandas as pd

        content = pd.DataFrame(self.content, columns=list(TABLES["content"]))
        rejected = pd.DataFrame(self.rejected, columns=["file", "reason"])
        return conform(pd.DataFrame(self.manifest), "manifest"), conform(content, "content"), rejected


def prepare_images(settings: dict[str, Any], results: Path, run: str, config_seed: int, key: str) -> Prepared:
    """Write the GT images of a run to `images/gt/` and return their tables.

    Args:
        settings: the configuration's group `images`.
        results: folder of the run.
        run: name of the run.
        config_seed: the run's seed.
        key: digest of code and settings; an image made under the same key is kept.

    Raises:
        HlfError: no folder, duplicate stems, or fewer usable images than asked for.
    """
    prepared = Prepared()
    wanted = {role: int(settings[role]) for role in ROLES}
    split_folders = sum(wanted.values()) > FOLDER_LIMIT
    source = _scenes if settings["source"] == "scenes" else _photographs
    for image_id, role, source_name, load, facts in source(settings, wanted, config_seed, prepared):
        folder = hashlib.blake2b(image_id.encode(), digest_size=1).hexdigest() if split_folders else ""
        path = Path("images/gt", folder, f"{image_id}.png")
        facts = {**facts, "key": key}
        side = int(settings["crop"])
        if not kept(results / path, record_path(results / path), facts):
            data = write_png(results / path, load())
            remember(hashlib.sha256(data).hexdigest(), record_path(results / path), facts)
        row = {"run": run, "image_id": image_id, "role": role, "folder": folder, "path": path.as_posix()}
        row |= {"width": side, "height": side, "source": source_name, "seed": seed_for(config_seed, "images", image_id)}
        prepared.manifest.append({**row, "sha256": hashlib.sha256((results / path).read_bytes()).hexdigest()})
    return prepared


def _scenes(
    settings: dict[str, Any], wanted: dict[str, int], seed: int, prepared: Prepared
) -> Iterator[tuple[Any, ...]]:
    """Procedural scenes, roles with disjoint seeds; their content goes into the table `content`."""
    from hlf.scenes.scene import scene_for

    side, share = int(settings["crop"]), (float(settings["objects"][0]), float(settings["objects"][1]))
    for role, count in wanted.items():
        for index in range(count):
            scene, image_id = scene_for(seed, role, index, side, share), f"{role}-{index:05d}"
            for thing in scene.objects:
                box = dict(zip(("left", "top", "right", "bottom"), thing.box, strict=True))
                named = {"kind": thing.kind, "label": thing.label, "detail": thing.detail}
                prepared.content.append({"image_id": image_id, **named, **box})
            facts = {"source": "scenes", "role": role, "index": index, "seed": seed, "side": side, "share": list(share)}
            yield image_id, role, scene.caption, lambda scene=scene: scene.image, facts


def _photographs(
    settings: dict[str, Any], wanted: dict[str, int], seed: int, prepared: Prepared
) -> Iterator[tuple[Any, ...]]:
    """Usable photographs of a folder in seeded order: first all of the dataset, then those for evaluation."""
    root = Path(settings["folder"])
    files = list_images(root)
    by_stem(files, root, "images.folder")  # refuses two of one id
    # a seeded order, so that the roles do not follow upload date or name
    files.sort(key=lambda p: (seed_for(seed, "images-order", p.stem), p.stem))
    roles = [role for role in ROLES for _ in range(wanted[role])]
    for path in files:
        if not roles:
            return
        name = path.relative_to(root).as_posix()
        try:
            data = path.read_bytes()
            pixels = centre_crop(decode_image(data, name), int(settings["crop"]), settings["resize_short"], name)
        except (ImageError, OSError) as error:
            log.warning("rejected: %s", error)
            prepared.rejected.append({"file": name, "reason": str(error)})
            continue
        facts = {"source_sha256": hashlib.sha256(data).hexdigest(), "crop": settings["crop"]}
        yield path.stem, roles.pop(0), name, lambda pixels=pixels: pixels, facts | {"resize": settings["resize_short"]}
    if roles:
        raise HlfError(
            f"images.folder {root} holds {len(prepared.manifest)} usable images of {len(files)}, but images.dataset "
            f"and images.evaluation ask for {sum(wanted.values())}; lower them or add images (rejected: "
            f"{'; '.join(r['reason'] for r in prepared.rejected[:3]) or 'none'})"
        )


def centre_crop(pixels: "np.ndarray", side: int, resize_short: int | None, name: str) -> "np.ndarray":
    """Middle side x side pixels of a uint8 (H, W, 3) image, after an optional resize of its short side (Lanczos).

    Raises:
        ImageError: the image is smaller than the crop.
    """
    import numpy as np
    from PIL import Image

    height, width = pixels.shape[:2]
    if resize_short is not None and min(height, width) > resize_short:
        factor = resize_short / min(height, width)
        size = (max(resize_short, round(width * factor)), max(resize_short, round(height * factor)))
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
        height, width = pixels.shape[:2]
    if min(height, width) < side:
        raise ImageError(
            f"image {name} is {width}x{height}, too small for images.crop {side}; lower that or leave it out"
        )
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]
