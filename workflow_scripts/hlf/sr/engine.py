"""The one loop over pictures that the workflow stage and the command share: read, upscale, check, write, remember.

An image that fails costs one entry in the list of failures, never the run; a disk that cannot be written ends it.
"""

import hashlib
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.files import read_json, sha256, write_json
from hlf.images import decode_image, from_tensor, to_tensor, write_png
from hlf.resume import kept, record_path, remember
from hlf.sr.base import Upscaler
from hlf.sr.tiling import check_tile, upscale_tiled

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

# what one image can cause: its own faults, sizes and memory; anything else is a bug and must end the run
_FAULTS = (HlfError, RuntimeError, ValueError, MemoryError)
# an SR below one grey level everywhere, of an LR that has light in it: half precision overflowed without a NaN
_BLACK, _LIGHT = 1 / 255, 8 / 255


@dataclass(frozen=True)
class Item:
    """One picture to make: `lr_sha256` is checked unless empty."""

    image_id: str
    level: float
    lr: Path
    sr: Path
    seed: int
    lr_sha256: str = ""


@dataclass(frozen=True)
class Settings:
    """How to run: key of everything else that the pictures depend on, images per forward, tiles, keep what is there."""

    key: str
    batch_size: int = 1
    tile: int = 0
    tile_overlap: int = 16
    resume: bool = True


@dataclass(frozen=True)
class Made:
    """A picture that stands on disk; `seconds` is None when it was kept from an earlier run."""

    item: Item
    width: int
    height: int
    sha256: str
    precision: str
    prompt: str
    tags: str
    seconds: float | None


@dataclass(frozen=True)
class Failed:
    """A picture that could not be made, and why."""

    item: Item
    reason: str


def upscale_items(items: Iterable[Item], upscaler: Upscaler, settings: Settings) -> tuple[list[Made], list[Failed]]:
    """Make the SR picture of every item; results and failures come in the order of the items.

    Images of equal size share a forward of up to `batch_size`. Convolutions on a CPU round differently in the last
    bit for other batch sizes, so only batch size 1 gives the same bytes whatever else is in the run.

    Raises:
        HlfError: settings that do not fit the model, or an output that cannot be written.
    """
    items = list(items)
    if settings.batch_size < 1:
        raise HlfError(f"batch size is {settings.batch_size}, expected at least 1")
    check_tile(upscaler.descriptor, settings.tile, settings.tile_overlap)
    done: list[Made | Failed] = []
    waiting: dict[tuple[int, ...], list[tuple[Item, Tensor, str]]] = {}
    for item in items:
        found = _open(item, upscaler, settings)
        if isinstance(found, Made | Failed):
            done.append(found)
            continue
        group = waiting.setdefault(tuple(found[1].shape), [])
        group.append(found)
        if len(group) == settings.batch_size:
            done += _make(waiting.pop(tuple(found[1].shape)), upscaler, settings)
    for group in waiting.values():
        done += _make(group, upscaler, settings)
    order = {id(item): place for place, item in enumerate(items)}
    done.sort(key=lambda result: order[id(result.item)])
    for result in done:
        if isinstance(result, Failed):
            log.warning("%s: %s", result.item.image_id, result.reason)
    return [r for r in done if isinstance(r, Made)], [r for r in done if isinstance(r, Failed)]


def _open(item: Item, upscaler: Upscaler, settings: Settings) -> "tuple[Item, Tensor, str] | Made | Failed":
    """The item with its LR (3, h, w) and the digest of the LR's bytes; or its result, if kept or unreadable."""
    try:
        data = item.lr.read_bytes()
    except OSError as error:
        return Failed(item, f"image {item.lr} cannot be opened: {error.strerror}")
    digest = hashlib.sha256(data).hexdigest()
    if item.lr_sha256 not in ("", digest):
        return Failed(item, f"image {item.lr} is not the one its table describes (other SHA-256); make it again")
    try:
        if settings.resume:
            for precision in dict.fromkeys((upscaler.precision, "fp32")):
                if kept(item.sr, record_path(item.sr), _facts(item, digest, precision, upscaler, settings)):
                    return _kept(item, data, precision, upscaler)
        image = to_tensor(decode_image(data, str(item.lr), upscaler.descriptor.min_side))
        upscaler.introduce(image, item.image_id, item.level)
        return item, image, digest
    except HlfError as error:
        return Failed(item, str(error))


def _kept(item: Item, data: bytes, precision: str, upscaler: Upscaler) -> Made:
    """Result of a picture that is already there."""
    from PIL import Image

    with Image.open(item.sr) as picture:
        width, height = picture.size
    digest, prompt, tags = sha256(item.sr), "", ""
    if upscaler.descriptor.needs_prompt:
        known = _noted_texts(item.sr, digest)
        if known is None:
            image = to_tensor(decode_image(data, str(item.lr)))
            upscaler.introduce(image, item.image_id, item.level)
            known = upscaler.texts(image[None])[0]
        prompt, tags = known
    return Made(item, width, height, digest, precision, prompt, tags, None)


def _texts_path(picture: Path) -> Path:
    """Where the texts that a picture was made with stand: finding them again may cost more than the picture."""
    return record_path(picture).with_suffix(".texts")


def _noted_texts(picture: Path, digest: str) -> tuple[str, str] | None:
    """Prompt and tags of a picture of an earlier run, None when nothing whole tells them."""
    try:
        noted = read_json(_texts_path(picture))
        return (str(noted["prompt"]), str(noted["tags"])) if noted["sha256"] == digest else None
    except (HlfError, OSError, KeyError, TypeError):
        return None


def _make(group: "list[tuple[Item, Tensor, str]]", upscaler: Upscaler, settings: Settings) -> list[Made | Failed]:
    """Upscale and write a batch of equally large images."""
    import torch

    start = time.perf_counter()
    lr = torch.stack([tensor for _, tensor, _ in group])
    outcomes = _upscale(lr, [item.seed for item, _, _ in group], upscaler, settings)
    texts = upscaler.texts(lr)
    seconds = (time.perf_counter() - start) / len(group)
    results: list[Made | Failed] = []
    for (item, _, digest), (sr, precision, reason), text in zip(group, outcomes, texts, strict=True):
        if sr is None:
            results.append(Failed(item, reason))
            continue
        written = hashlib.sha256(write_png(item.sr, from_tensor(sr))).hexdigest()
        if upscaler.descriptor.needs_prompt:
            write_json(_texts_path(item.sr), {"sha256": written, "prompt": text[0], "tags": text[1]})
        remember(written, record_path(item.sr), _facts(item, digest, precision, upscaler, settings))
        results.append(Made(item, sr.shape[-1], sr.shape[-2], written, precision, *text, seconds))
    return results


def _upscale(
    lr: "Tensor", seeds: list[int], upscaler: Upscaler, settings: Settings
) -> "list[tuple[Tensor | None, str, str]]":
    """SR (3, H, W), the precision it was made in and "", or None, "" and the reason, for each image of `lr`."""
    if len(lr) > 1:
        try:
            sr = upscale_tiled(upscaler, lr, seeds, settings.tile, settings.tile_overlap)
        except _FAULTS:  # which image it was shows when each runs alone
            return [_upscale_one(one[None], seed, upscaler, settings) for one, seed in zip(lr, seeds, strict=True)]
        return [
            _upscale_one(lr[i : i + 1], seed, upscaler, settings)
            if _fault(lr[i], sr[i])
            else (sr[i], upscaler.precision, "")
            for i, seed in enumerate(seeds)
        ]
    return [_upscale_one(lr, seeds[0], upscaler, settings)]


def _upscale_one(lr: "Tensor", seed: int, upscaler: Upscaler, settings: Settings) -> "tuple[Tensor | None, str, str]":
    """As `_upscale` for one image (1, 3, h, w): a NaN or black result is tried again in fp32."""
    reason = ""
    for precision in dict.fromkeys((upscaler.precision, "fp32")):
        try:
            sr = upscale_tiled(upscaler, lr, [seed], settings.tile, settings.tile_overlap, precision)[0]
        except _FAULTS as error:
            message = str(error).strip() or type(error).__name__
            return None, "", message.splitlines()[0]
        reason = _fault(lr[0], sr)
        if not reason:
            return sr, precision, ""
        log.info("model %s in %s: %s", upscaler.descriptor.name, precision, reason)
    return None, "", reason


def _fault(lr: "Tensor", sr: "Tensor") -> str:
    """Why a picture cannot be right, or ""."""
    import torch

    name = "the model's result"
    if not torch.isfinite(sr).all():
        return f"{name} holds NaN or infinite values"
    if float(sr.max()) < _BLACK and float(lr.max()) >= _LIGHT:
        return f"{name} is black although the input is not"
    return ""


def _facts(item: Item, digest: str, precision: str, upscaler: Upscaler, settings: Settings) -> dict[str, Any]:
    """Everything a picture depends on, for `hlf.resume`; `precision` is the one it came out in, maybe at second try."""
    texts = upscaler.descriptor.texts_sha256
    return {
        **({"texts_sha256": texts} if texts else {}),
        "lr_sha256": digest,
        "weights_sha256": upscaler.descriptor.weights_sha256,
        "model": upscaler.descriptor.name,
        "precision": upscaler.precision,
        "made_in": precision,
        "seed": item.seed,
        "key": settings.key,
    }
