"""How SeeSR samples: prompt and context from tags, guided steps of ControlNet and UNet (recipe: `hlf.sr.seesr`)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hlf.sr.diffusion import sampling, sizes, vae
from hlf.sr.diffusion.latent import LatentUpscaler, Setup
from hlf.sr.diffusion.networks import Networks, Predictor, guided_text
from hlf.sr.diffusion.prompts import join_prompt
from hlf.sr.diffusion.tagger import Tagger

if TYPE_CHECKING:
    import numpy as np
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler


class SeeSR(LatentUpscaler):
    """SeeSR on its device.

    Args:
        setup: see `hlf.sr.diffusion.latent.Setup`.
        load: networks in a precision.
        scheduler: noise schedule of the base.
        tagger: RAM with DAPE, always float32.
    """

    def __init__(
        self, setup: Setup, load: Callable[[str], Networks], scheduler: "DDPMScheduler", tagger: Tagger
    ) -> None:
        super().__init__(setup, load)
        self.tagger, self.scheduler = tagger, scheduler

    def texts(self, lr: Tensor) -> list[tuple[str, str]]:
        """See `Upscaler.texts`; the tagger runs once per image, whoever asks first."""
        return [(self._prompt(tags), tags) for tags in (self.tagger(one)[0] for one in lr)]

    def _prompt(self, tags: str) -> str:
        return join_prompt(tags, self.options["user_prompt"], self.options["added_prompt"])

    def enlarge(self, lr: "np.ndarray", networks: Networks) -> "np.ndarray":
        """See `LatentUpscaler.enlarge`."""
        factor = vae.factor(networks.vae)
        size = self.options["process_size"] or networks.unet.config["sample_size"] * factor
        return sizes.processed(lr, self.options["upscale"], size, factor)

    def latents(self, networks: Networks, lr: Tensor, images: Tensor, draws: sampling.Draws) -> Tensor:
        """See `LatentUpscaler.latents`."""
        context = torch.cat([self.tagger(one)[1] for one in lr])
        return self.sample(networks, images, context, [prompt for prompt, _ in self.texts(lr)], draws)

    def shared_draws(self, generators: list[torch.Generator]) -> sampling.Draws:
        """One generator for noise and steps, one for the VAE's posterior, which is drawn for both guidance branches."""
        return sampling.shared(generators[0], generators[1], self.options["guidance_scale"] > 1)

    def sample(
        self,
        networks: Networks,
        images: Tensor,
        context: Tensor,
        prompts: list[str],
        draws: sampling.Draws,
        watch: sampling.Watch | None = None,
    ) -> Tensor:
        """Latents (N, 4, h, w) of the SR images.

        Args:
            networks: see `networks`.
            images: enlarged LR images (N, 3, H, W) in [0, 1].
            context: RAM sequences (N, tokens, 512).
            prompts: one per image.
            draws: random numbers.
            watch: see `sampling.sample`.
        """
        opt, factor = self.options, vae.factor(networks.vae)
        shape = (networks.unet.config["in_channels"], *(side // factor for side in images.shape[-2:]))
        noise, latents = draws.normal(shape, self.device), None
        if opt["start_point"] == "lr":
            posterior = draws.posterior_normal(shape, self.device)
            latents = vae.encode(networks.vae, images, posterior, opt["vae_encoder_tile"])
        start = sampling.start(self.scheduler, latents, noise)
        predict = Predictor(networks, images, guided_text(networks, prompts, opt), opt, context)
        return sampling.sample(predict, self.scheduler, start, opt["steps"], draws, watch)
