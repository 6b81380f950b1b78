"""How PASD samples: prompt from a caption, two noises, guided steps of ControlNet and UNet (recipe: `hlf.sr.pasd`)."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hlf.sr.diffusion import sampling, sizes, vae
from hlf.sr.diffusion.base_model import BaseFiles
from hlf.sr.diffusion.captions import Captions, caption_prompt
from hlf.sr.diffusion.latent import LatentUpscaler, Setup
from hlf.sr.diffusion.networks import Networks, Predictor, guided_text
from hlf.sr.pasd_networks import load_networks, load_scheduler

if TYPE_CHECKING:
    import numpy as np


class Pasd(LatentUpscaler):
    """PASD on its device.

    Args:
        setup: see `hlf.sr.diffusion.latent.Setup`.
        files: paths by zoo entry, see `hlf.sr.pasd.load`.
        base: files of its base model.
        captions: of LR images.
    """

    def __init__(self, setup: Setup, files: dict[str, list[Path]], base: BaseFiles, captions: Captions) -> None:
        compiled = setup.options["compile"]
        super().__init__(setup, lambda precision: load_networks(files, base, setup.device, precision, compiled))
        self.captions, self.scheduler = captions, load_scheduler(base)

    def introduce(self, image: Tensor, image_id: str, level: float) -> None:
        """See `Upscaler.introduce`; HlfError when the file of captions does not know the image."""
        self.captions.introduce(image, image_id, level)

    def texts(self, lr: Tensor) -> list[tuple[str, str]]:
        """Prompt and caption of each image (N, 3, h, w); the captioner runs once per image, whoever asks first."""
        return [(self._prompt(caption), caption.strip()) for caption in map(self.captions, lr)]

    def _prompt(self, caption: str) -> str:
        opt = self.options
        return caption_prompt(caption, opt["user_prompt"], opt["added_prompt"], opt["caption_style"])

    def enlarge(self, lr: "np.ndarray", networks: Networks) -> "np.ndarray":
        """See `LatentUpscaler.enlarge`."""
        return sizes.enlarged(lr, self.options["upscale"], self.options["process_size"], vae.factor(networks.vae))

    def latents(self, networks: Networks, lr: Tensor, images: Tensor, draws: sampling.Draws) -> Tensor:
        """See `LatentUpscaler.latents`."""
        return self.sample(networks, images, [prompt for prompt, _ in self.texts(lr)], draws)

    def shared_draws(self, generators: list[torch.Generator]) -> sampling.Draws:
        """One generator for everything."""
        return sampling.Draws(generators[:1], generators[:1])

    def sample(
        self,
        networks: Networks,
        images: Tensor,
        prompts: list[str],
        draws: sampling.Draws,
        watch: sampling.Watch | None = None,
    ) -> Tensor:
        """Latents (N, 4, h, w) of the SR images.

        Args:
            networks: see `networks`.
            images: enlarged LR images (N, 3, H, W) in [0, 1].
            prompts: one per image.
            draws: random numbers.
            watch: see `sampling.sample`.
        """
        start = self.start(networks, images, draws)
        predict = Predictor(networks, images, guided_text(networks, prompts, self.options), self.options)
        return sampling.sample(predict, self.scheduler, start, self.options["steps"], draws, watch)

    def start(self, networks: Networks, images: Tensor, draws: sampling.Draws) -> Tensor:
        """Latents (N, 4, h, w) that sampling starts from; draws posterior, first and added noise, in this order."""
        opt, factor = self.options, vae.factor(networks.vae)
        shape = (networks.unet.config["in_channels"], *(side // factor for side in images.shape[-2:]))
        if opt["start_point"] == "noise":
            return draws.normal(shape, self.device)
        posterior = draws.posterior_normal(shape, self.device)
        latents = vae.encode(networks.vae, images, posterior, opt["vae_encoder_tile"])
        first, second = draws.normal(shape, self.device), draws.normal(shape, self.device)
        self.scheduler.set_timesteps(opt["steps"])
        exact = opt["noise_level_reading"] == "exact"
        return sampling.start_twice(self.scheduler, latents, first, second, opt["added_noise_level"], exact)
