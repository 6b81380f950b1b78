"""How StableSR samples: official programs around steps of the steered UNet (recipe: `hlf.sr.stablesr`)."""

from pathlib import Path
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor

from hlf.errors import HlfError
from hlf.sr.base import fixed_kernels
from hlf.sr.diffusion import sampling, vae
from hlf.sr.diffusion.colour import FIXES
from hlf.sr.diffusion.latent import SampledUpscaler, Setup
from hlf.sr.diffusion.tiles import boxes_by_side, predict_tiled
from hlf.sr.stablesr_networks import Networks, load_networks
from hlf.sr.stablesr_programs import Prepared, choose, prepare


class StableSR(SampledUpscaler[Networks]):
    """StableSR on its device.

    Args:
        setup: see `hlf.sr.diffusion.latent.Setup`.
        files: paths by zoo entry, see `hlf.sr.stablesr.load`.
        entry: the model's own.
        scheduler: with the noise schedule that the denoiser was trained with.

    Raises:
        HlfError: options that do not fit together or not to the networks.
    """

    def __init__(self, setup: Setup, files: dict[str, list[Path]], entry: str, scheduler: DDPMScheduler) -> None:
        zoo, options = setup.descriptor.zoo, setup.options
        more = options["trust_files"], options["compile"]
        super().__init__(setup, lambda precision: load_networks(zoo, files, entry, setup.device, precision, *more))
        networks, self.scheduler = self.networks(self.precision), scheduler
        self.factor = vae.factor(networks.vae)
        self.size: int = options["process_size"] or networks.unet.config["sample_size"] * self.factor
        self.tile: int = options["latent_tile"] or self.size // self.factor
        _check_tiles(self.size, self.tile, options, 2 ** (networks.structure.levels - 1))

    def upscale(self, lr: Tensor, seeds: list[int], precision: str | None = None) -> Tensor:
        """See `Upscaler.upscale`; the networks hold their weights in the precision."""
        self.check(lr, seeds)
        networks, done = self.networks(precision or self.precision), []
        for one, seed in zip(lr.cpu(), seeds, strict=True):
            sr = self.program(networks, one, seed)
            done.append(self.saved(sr.nan_to_num(), one, bool(torch.isfinite(sr).all())))
        return torch.stack(done).to(lr.device)

    def program(self, networks: Networks, lr: Tensor, seed: int) -> Tensor:
        """What the chosen program writes of an image (3, h, w): (3, H, W) in [0, 1] at 8-bit levels."""
        opt = self.options
        name = choose(opt["program"], lr, opt["upscale"], self.size)
        with torch.inference_mode(), fixed_kernels():
            prepared = prepare(name, lr, opt["upscale"], self.size)
            image = prepared.image.to(self.device)
            if name == "tile":
                sr = predict_tiled(
                    image,
                    lambda part, _: self.restore(networks, name, Prepared(part, *[_size(part)] * 3), seed),
                    opt["image_tile"],
                    opt["image_tile"] - opt["image_stride"],
                    boxes_by_side,
                )
            else:
                sr = self.restore(networks, name, prepared, seed)
            sr = prepared.finished(sr.cpu())[0]
        levels = sr * 255
        return (levels.floor() if opt["truncate"] else levels.round()) / 255

    def restore(self, networks: Networks, name: str, prepared: Prepared, seed: int) -> Tensor:
        """Run the networks on a picture or a tile of one.

        Args:
            networks: see `networks`.
            name: of the program.
            prepared: see `Prepared`; its image fits into memory.
            seed: of the image; the tiles of one image share it.

        Returns:
            float32 (1, 3, *inner), [0, 1] where the model keeps to it; not clamped.
        """
        image = prepared.image.to(self.device)
        latents = self.sample(networks, name, image, sampling.seeded([seed]))
        dtype = networks.vae.dtype
        features = networks.vae.features((image * 2 - 1).to(dtype))
        scaled = (latents / networks.vae.config["scaling_factor"]).to(dtype)
        sr = networks.vae.decode_fused(scaled, features, self.options["decoder_weight"]).float()
        sr = sr[..., : prepared.inner[0], : prepared.inner[1]]
        if self.options["color_fix"] != "none":
            # between -1 and 1 as in the official program: the constant beside the variance depends on it
            sr = FIXES[self.options["color_fix"]](sr, prepared.reference.to(self.device) * 2 - 1)
        return sr / 2 + 0.5

    def sample(
        self,
        networks: Networks,
        name: str,
        image: Tensor,
        draws: sampling.Draws,
        watch: sampling.Watch | None = None,
    ) -> Tensor:
        """Latents (1, 4, h, w) of the SR picture.

        Args:
            networks: see `networks`.
            name: of the program.
            image: enlarged LR picture (1, 3, H, W) in [0, 1].
            draws: random numbers, drawn for the posterior first.
            watch: see `sampling.sample`.
        """
        shape = (networks.unet.config["in_channels"], *(side // self.factor for side in image.shape[-2:]))
        encoder = networks.vae if name == "plain" else networks.first_stage
        low = vae.encode(encoder, image, draws.posterior_normal(shape, self.device), 0)
        noise = draws.normal(shape, self.device)
        start = sampling.start(self.scheduler, None if name == "plain" else low, noise)
        tile = self.tile if name != "plain" else max(shape)
        predict = Predictor(networks, low, tile, self.options["latent_overlap"])
        times = sampling.respaced(self.options["steps"], self.scheduler.config["num_train_timesteps"])
        return sampling.sample(predict, self.scheduler, start, len(times), draws, watch, times)


class Predictor:
    """Prediction for latents of any size; each tile has features of its own.

    Args:
        networks: denoiser, structure encoder and text.
        low: latents of the LR pictures (N, 4, h, w), float32.
        tile: side of a tile in latent pixels.
        overlap: latent pixels that neighbouring tiles share.
    """

    def __init__(self, networks: Networks, low: Tensor, tile: int, overlap: int) -> None:
        self.networks, self.tile, self.overlap = networks, tile, overlap
        self.low = low.to(networks.text.dtype)

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """Prediction (N, 4, h, w) float32 for latents (N, 4, h, w) at one timestep."""

        def predict(part: Tensor, box: tuple[slice, slice]) -> Tensor:
            """Noise in one tile (N, 4, h, w) of the latents, told by the same tile of the LR latents."""
            features = self.networks.structure(self.low[..., box[0], box[1]], timestep)
            text = self.networks.text.expand(len(part), -1, -1)
            predicted: Tensor = self.networks.unet(part, timestep, text, features)
            return predicted

        return predict_tiled(latents.to(self.low.dtype), predict, self.tile, self.overlap)


def _size(image: Tensor) -> tuple[int, int]:
    return image.shape[-2], image.shape[-1]


def _check_tiles(size: int, tile: int, options: dict[str, Any], step: int) -> None:
    """Raise HlfError unless tiles overlap, cover everything, and can be halved by the networks."""
    overlap, image_tile, stride = (options[name] for name in ("latent_overlap", "image_tile", "image_stride"))
    for wrong, sentence in [
        (size % 32, f"process_size is {size}, expected a multiple of 32"),
        (tile % step, f"latent_tile is {tile}, expected a multiple of {step}"),
        (overlap >= tile, f"latent_overlap is {overlap}, expected less than the latent tile of {tile}"),
        (image_tile % 32 or image_tile < size, f"image_tile is {image_tile}, expected a multiple of 32 from {size}"),
        (stride > image_tile, f"image_stride is {stride}, expected at most image_tile, {image_tile}"),
    ]:
        if wrong:
            raise HlfError(f"sr.stablesr.{sentence}")
