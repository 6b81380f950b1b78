"""SeeSR (paper 3.1; Wu et al., CVPR 2024): a text-to-image model steered by the LR image and by tags read from it.

Recipe of `test_seesr.py` and its pipeline in cswry/SeeSR: tags of the LR image (RAM with DAPE) become the prompt, and
RAM's features the image context; sampling starts from the noised latent of the enlarged LR image; ControlNet shows that
image to every step; the result gets its colours back.

Deviations, each an option where the official way can be had:
- Every image has its own random generator, so results do not depend on other images (`official_order` undoes it).
- Grey levels are rounded after the colour fix as everywhere in hlf, instead of cut (`truncate` undoes it).
- Latents stay float32 between the networks' calls whatever the precision.

Cost of one image, in forward passes: tagger 1, text encoder 1 (the negative prompt once per run), VAE encoder 1 (none
with start_point noise), ControlNet and UNet `steps` times the number of latent tiles times 2 (1 without guidance), VAE
decoder 1. Both guidance branches of all images of a batch go through one call; in fp32 those of one image, so that a
batch changes no bit.
"""

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from hlf.sr.base import Descriptor
from hlf.sr.diffusion import sampling, sizes, vae
from hlf.sr.diffusion.base_model import BaseFiles, load_scheduler
from hlf.sr.diffusion.colour import FIXES
from hlf.sr.diffusion.latent import STEERED, LatentUpscaler, described
from hlf.sr.diffusion.networks import Networks, Predictor, guided_text
from hlf.sr.diffusion.prompts import join_prompt
from hlf.sr.diffusion.tagger import Tagger, load_tagger
from hlf.sr.options import Option
from hlf.sr.seesr_networks import load_networks
from hlf.zoo.registry import find_all_weights

if TYPE_CHECKING:
    import numpy as np

# defaults of test_seesr.py and of the pipeline it calls
OPTIONS: dict[str, Option] = {
    "steps": Option(50, low=1, high=1000),
    "guidance_scale": Option(5.5, low=0, high=100),  # at most 1: no negative branch
    **STEERED,
    "process_size": Option(None, low=8, high=8192, kind=int),  # None: what the UNet was trained at, 512 officially
    "negative_prompt": Option("dotted, noise, blur, lowres, smooth"),
    "latent_tile": Option(96, low=8, high=4096),
    "latent_overlap": Option(4, low=0, high=4095),
    "color_fix": Option("adain", choices=(*FIXES, "none")),
    "trust_ram_file": Option(False),
}


class SeeSR(LatentUpscaler):
    """SeeSR on its device.

    Args:
        descriptor: facts about the model.
        files: paths by zoo entry, see `load`.
        tagger: RAM with DAPE, always float32.
        device: cpu or cuda.
        precision: fp32, fp16 or bf16.
        options: every name of OPTIONS.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        files: dict[str, list[Path]],
        tagger: Tagger,
        device: str,
        precision: str,
        options: dict[str, Any],
    ) -> None:
        super().__init__(
            descriptor,
            device,
            precision,
            options,
            lambda wanted: load_networks(files, device, wanted, options["compile"]),
        )
        self.tagger, self.scheduler = tagger, load_scheduler(BaseFiles(*files["sd-base"]))

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


def load(zoo: str, folder: Path, device: str, precision: str, options: dict[str, Any]) -> SeeSR:
    """Load SeeSR with its base model, RAM and DAPE; both zoos have the layout of diffusers.

    Args:
        zoo: official or mini.
        folder: folder of that zoo.
        device: cpu or cuda.
        precision: fp32, fp16 (as the official program) or bf16.
        options: every name of OPTIONS. `official_order` draws all random numbers of a run from one generator on the
            device, as the official program does: results then depend on the order of the images, so it reproduces
            itself only in a fresh run of one shard, and equals an official GPU run only up to the GPU's arithmetic.

    Raises:
        HlfError: missing files of any of the four, or keys and shapes that do not fit.
    """
    files = find_all_weights(zoo, folder, "seesr")
    tagger = load_tagger(zoo, files["ram"], files["dape"], device, options["trust_ram_file"])
    descriptor = described("seesr", zoo, chain(*files.values()), options, needs_prompt=True)
    return SeeSR(descriptor, files, tagger, device, precision, options)
