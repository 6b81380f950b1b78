"""What the diffusion models have in common around their sampling: precisions, sizes, VAE, colours, grey levels."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import Tensor

from hlf.errors import HlfError
from hlf.images import from_tensor, to_tensor
from hlf.sr.base import Descriptor, Upscaler, fixed_kernels
from hlf.sr.diffusion import sampling, sizes, vae
from hlf.sr.diffusion.colour import fix_colours
from hlf.sr.diffusion.networks import Networks
from hlf.sr.diffusion.placing import DTYPES
from hlf.zoo.registry import weights_sha256

if TYPE_CHECKING:
    import numpy as np


N = TypeVar("N")


@dataclass(frozen=True)
class Setup:
    """What a diffusion model is made with, beside its networks.

    Attributes:
        descriptor: facts about the model.
        device: cpu or cuda.
        precision: fp32, fp16 or bf16.
        options: every name of the model's OPTIONS.
    """

    descriptor: Descriptor
    device: str
    precision: str
    options: dict[str, Any]


def set_up(
    name: str,
    zoo: str,
    weights: Iterable[Path],
    device: str,
    precision: str,
    options: dict[str, Any],
    needs_prompt: bool,
    texts_sha256: str = "",
) -> Setup:
    """What one diffusion model is made with; see `Descriptor` for the words.

    Args:
        name: of the model.
        zoo: official or mini.
        weights: all files that it reads weights from.
        device: cpu or cuda.
        precision: fp32, fp16 or bf16.
        options: of the model, `upscale` among them.
        needs_prompt: whether it reads text.
        texts_sha256: see `Descriptor`.
    """
    descriptor = Descriptor(
        name,
        zoo,
        weights_sha256(list(weights)),
        scale=options["upscale"],
        min_side=8,  # our choice: smaller pictures would be enlarged beyond sense
        needs_seed=True,
        needs_prompt=needs_prompt,
        precisions=tuple(DTYPES),
        tiles_itself=True,
        texts_sha256=texts_sha256,
    )
    return Setup(descriptor, device, precision, options)


class SampledUpscaler(Upscaler, Generic[N]):
    """A diffusion model on its device, with its networks in each precision that was asked for.

    Args:
        setup: descriptor, device, precision, options.
        load: networks in a precision.
    """

    def __init__(self, setup: Setup, load: Callable[[str], N]) -> None:
        super().__init__(setup.descriptor, setup.precision)
        self.device, self.options, self._load = setup.device, setup.options, load
        self._networks = {setup.precision: load(setup.precision)}

    def networks(self, precision: str) -> N:
        """Networks of a precision. Another than the own one, which a second try in fp32 needs, is read from the files.

        So a picture that is made in fp32 at second try is the one that fp32 gives at once.
        """
        if precision not in self._networks:
            self._networks[precision] = self._load(precision)
        return self._networks[precision]

    def saved(self, sr: Tensor, lr: Tensor, finite: bool) -> Tensor:
        """Result at the size and the grey levels that are saved, or NaN.

        Args:
            sr: (3, H, W) in [0, 1].
            lr: its LR image (3, h, w).
            finite: whether the networks gave numbers; a picture cannot hold NaN, but the caller must see that.
        """
        height, width = (side * self.descriptor.scale for side in lr.shape[-2:])
        whole = to_tensor(sizes.finished(from_tensor(sr), width, height))
        return whole if finite else torch.full_like(whole, torch.nan)


class LatentUpscaler(SampledUpscaler[Networks]):
    """A latent diffusion model with a ControlNet; a subclass says how pictures are enlarged and sampled.

    Args: see `SampledUpscaler`; options read here: vae_decoder_tile, color_fix, truncate, official_order,
        official_seed.
    """

    def __init__(self, setup: Setup, load: Callable[[str], Networks]) -> None:
        super().__init__(setup, load)
        self._shared = [_generator(self.options["official_seed"], self.device) for _ in range(2)]

    def upscale(self, lr: Tensor, seeds: list[int], precision: str | None = None) -> Tensor:
        """See `Upscaler.upscale`; the networks hold their weights in the precision.

        In fp32 images go through one by one, so that a result is the same to the bit whatever its batch: kernels for
        another batch size round the last bit of a sum in another way, and a grey level may show it.
        """
        self.check(lr, seeds)
        if self.options["official_order"] and len(seeds) > 1:
            name = self.descriptor.name
            raise HlfError(f"sr.{name}.official_order makes images one after the other; set sr.batch_size to 1")
        wanted = precision or self.precision
        networks, size = self.networks(wanted), 1 if wanted == "fp32" else len(lr)
        parts = [self._batch(networks, lr[i : i + size], seeds[i : i + size]) for i in range(0, len(lr), size)]
        return torch.cat(parts).to(lr.device)

    def _batch(self, networks: Networks, lr: Tensor, seeds: list[int]) -> Tensor:
        """SR images of LR images that go through the networks together."""
        with torch.inference_mode(), fixed_kernels():
            images = torch.stack([to_tensor(self.enlarge(from_tensor(one), networks)) for one in lr]).to(self.device)
            latents = self.latents(networks, lr, images, self._draws(seeds))
            sr = vae.decode(networks.vae, latents, self.options["vae_decoder_tile"])
            finite = torch.isfinite(sr).flatten(1).all(1).tolist()
            sr = self._recoloured(sr.nan_to_num().clamp(0, 1), images).cpu()
        return torch.stack([self.saved(*one) for one in zip(sr, lr, finite, strict=True)])

    @abstractmethod
    def enlarge(self, lr: "np.ndarray", networks: Networks) -> "np.ndarray":
        """LR image at the size the networks work at; both uint8 (H, W, 3)."""

    @abstractmethod
    def latents(self, networks: Networks, lr: Tensor, images: Tensor, draws: sampling.Draws) -> Tensor:
        """Latents (N, 4, h, w) of the SR images.

        Args:
            networks: see `networks`.
            lr: LR images (N, 3, h, w) in [0, 1].
            images: the same, enlarged, on the model's device.
            draws: random numbers.
        """

    @abstractmethod
    def shared_draws(self, generators: list[torch.Generator]) -> sampling.Draws:
        """Draws of one image in the official order, from two generators that go on from image to image."""

    def _recoloured(self, sr: Tensor, images: Tensor) -> Tensor:
        """Result at 8-bit levels with the colours of the enlarged LR images; both (N, 3, H, W) in [0, 1]."""
        sr = (sr * 255).round() / 255
        return fix_colours(sr, images, self.options["color_fix"], self.options["truncate"])

    def _draws(self, seeds: list[int]) -> sampling.Draws:
        if not self.options["official_order"]:
            return sampling.seeded(seeds)
        return self.shared_draws(self._shared)


def _generator(seed: int | None, device: str) -> torch.Generator:
    """Generator that goes on from image to image; without a seed it has torch's fixed default state."""
    generator = torch.Generator(device)
    return generator if seed is None else generator.manual_seed(seed)
