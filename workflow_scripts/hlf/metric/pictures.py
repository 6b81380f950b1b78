"""What may be scored: files, Pillow pictures and tensors, one or many, all to the same numbers."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from hlf.errors import HlfError
from hlf.images import check_batch, from_pil, picture_key, read_image, rgb_batch, to_tensor

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

One: TypeAlias = Union[str, Path, "Image.Image", "Tensor"]
Pictures: TypeAlias = One | Sequence[One]


def as_list(pictures: Pictures, name: str) -> tuple[list[Any], bool]:
    """Pictures one by one, and whether they came as a single one.

    Args:
        pictures: a path, Pillow picture or tensor (3, H, W); a list of these; or a batch (N, 3, H, W).
        name: "SR" or "GT", for sentences.

    Raises:
        HlfError: something else, or nothing.
    """
    import torch
    from PIL import Image

    if isinstance(pictures, torch.Tensor) and pictures.ndim == 4:
        return list(pictures), False
    if isinstance(pictures, str | Path | Image.Image | torch.Tensor):
        return [pictures], True
    if not isinstance(pictures, list | tuple):
        raise HlfError(f"{name}: expected a path, PIL image, tensor or a list of them, got {type(pictures).__name__}")
    if not pictures:
        raise HlfError(f"{name}: expected at least one picture, got an empty list")
    return list(pictures), False


def as_tensor(picture: One, name: str) -> "Tensor":
    """One picture as float32 (3, H, W) in [0, 1].

    Files and Pillow pictures follow the rules of `hlf.images`. Tensors are (3, H, W), (1, H, W) for grey, or either
    with a leading 1.

    Raises:
        HlfError: another type or shape, alpha in a tensor, NaN, values beyond [0, 1], a broken file.
    """
    import torch
    from PIL import Image

    if isinstance(picture, str | Path):
        return to_tensor(read_image(picture))
    if isinstance(picture, Image.Image):
        return to_tensor(from_pil(picture))
    if not isinstance(picture, torch.Tensor):
        raise HlfError(f"{name}: expected a path, PIL image or tensor, got {type(picture).__name__}")
    if not (picture.ndim == 3 or (picture.ndim == 4 and len(picture) == 1)):
        raise HlfError(f"{name}: expected a tensor (3, H, W), got {tuple(picture.shape)}")
    batch = rgb_batch(picture if picture.ndim == 4 else picture[None], name).float()
    check_batch(batch, name)
    return batch[0]


def identity(picture: One) -> Hashable:
    """Equal for two entries of a list that are certainly the same picture."""
    import torch

    if isinstance(picture, str | Path):
        return str(Path(picture).resolve())
    if isinstance(picture, torch.Tensor):
        return picture_key(picture.detach().float())
    return id(picture)
