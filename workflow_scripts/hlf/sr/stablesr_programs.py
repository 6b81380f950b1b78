"""Pictures before and after the networks, as StableSR's three test programs treat them; all float RGB in [0, 1].

- plain (sr_val_ddpm_text_T_vqganfin_old.py): squares of the size that the model was trained at, 128 to 512 officially.
- tile (..._oldcanvas_tile.py): any size; small inputs are enlarged further, sides mirrored up to multiples of 32.
- canvas (..._oldcanvas.py): sides cut to multiples of 8 first, small inputs laid onto a grey square.

The programs write what they work on; here every picture ends at `upscale` times its input's size.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from hlf.errors import HlfError
from hlf.images import from_tensor, to_tensor
from hlf.sr.diffusion import sizes

_MULTIPLE = 32  # of the sides that the networks see, in pixels
_GREY = 0.5


@dataclass(frozen=True)
class Prepared:
    """An input ready for the networks, and the way back.

    Attributes:
        image: (1, 3, H, W) that the networks see.
        inner: height and width of its part, top left, that holds the picture; the rest goes before the colour fix.
        resized: height and width that the result is resized to.
        out: height and width that are left of it, top left.
    """

    image: Tensor
    inner: tuple[int, int]
    resized: tuple[int, int]
    out: tuple[int, int]

    @property
    def reference(self) -> Tensor:
        """Picture (1, 3, h, w) whose colours the result gets."""
        return self.image[..., : self.inner[0], : self.inner[1]]

    def finished(self, sr: Tensor) -> Tensor:
        """Result (1, 3, h, w) of the networks at the size that the program writes; clamped."""
        sr = sr.clamp(0, 1)
        if tuple(sr.shape[-2:]) != self.resized:
            sr = _bicubic(sr, self.resized)
        return sr[..., : self.out[0], : self.out[1]]


def choose(program: str, lr: Tensor, upscale: int, size: int) -> str:
    """Program for an image (3, h, w): `program`, or for auto plain where it applies and tile for all others.

    Raises:
        HlfError: plain was asked for and does not apply.
    """
    height, width = lr.shape[-2:]
    fits = height == width and height * upscale == size
    if program == "plain" and not fits:
        raise HlfError(
            f"program 'plain' of StableSR would crop an image of {width}x{height}, expected {size / upscale:g} pixels "
            "on both sides; set sr.stablesr.program to auto or tile"
        )
    return program if program != "auto" else "plain" if fits else "tile"


def prepare(program: str, lr: Tensor, upscale: int, size: int) -> Prepared:
    """An image as one of the programs shows it to the networks.

    Args:
        program: plain, tile or canvas.
        lr: (3, h, w).
        upscale: factor between LR and SR.
        size: side in pixels that the model was trained at.

    Raises:
        HlfError: an image too small for the program.
    """
    return {"plain": _plain, "tile": _tile, "canvas": _canvas}[program](lr, upscale, size)


def _bicubic(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resized as torch does without antialiasing, clamped."""
    return F.interpolate(image, size, mode="bicubic", align_corners=False).clamp(0, 1)


def _plain(lr: Tensor, upscale: int, size: int) -> Prepared:
    cut = to_tensor(sizes.cut_to_multiple(from_tensor(lr), _MULTIPLE))[None]
    image = F.interpolate(cut, (size, size), mode="bilinear", align_corners=False, antialias=True).clamp(0, 1)
    return Prepared(image, (size, size), (size, size), (size, size))


def _tile(lr: Tensor, upscale: int, size: int) -> Prepared:
    height, width = lr.shape[-2:]
    scale = max(size / min(height, width), float(upscale))
    image = _bicubic(lr[None], (int(height * scale), int(width * scale)))
    out = (height * upscale, width * upscale)
    if any(side % _MULTIPLE for side in image.shape[-2:]):
        # a side that already is a multiple grows by a whole one: a quirk of the official program, kept
        extra = [(side // _MULTIPLE + 1) * _MULTIPLE - side for side in image.shape[-2:]]
        image = F.pad(image, (0, extra[1], 0, extra[0]), mode="reflect")
        # the official program cuts to the size before the resizing, which leaves mirrored content at the borders
        inner = (image.shape[-2], image.shape[-1])
        resized = (int(inner[0] * upscale / scale), int(inner[1] * upscale / scale)) if scale > upscale else inner
        return Prepared(image, inner, (max(resized[0], out[0]), max(resized[1], out[1])), out)
    return Prepared(image, (image.shape[-2], image.shape[-1]), out, out)


def _canvas(lr: Tensor, upscale: int, size: int) -> Prepared:
    cut = to_tensor(sizes.cut_to_multiple(from_tensor(lr), 8))[None]
    inner = (cut.shape[-2] * upscale, cut.shape[-1] * upscale)
    image = torch.full((1, 3, max(inner[0], size), max(inner[1], size)), _GREY)
    image[..., : inner[0], : inner[1]] = _bicubic(cut, inner)
    return Prepared(image, inner, inner, inner)
