"""PASD (paper 3.1; Yang et al., ECCV 2024): a text-to-image model that attends to every pixel of the LR image.

Recipe of `test_pasd.py` and its pipeline in yangxy/PASD, variant `pasd` of 2024-09, at x4 (its own default is x1): a
caption of the LR image (CoCa) becomes the prompt; sampling starts from the latent of the enlarged LR image under two
noises; a ControlNet shows that image to every step, through the skip connections and through pixel-aware attention;
the result gets its colours back. Older versions of the program had other defaults, each of which is an option here:
guidance_scale 7.5, information none and start_point noise (September 2023), added_noise_level 400 (until March 2024).

Deviations, each an option where the official way can be had:
- Every image has its own random generator, so results do not depend on other images (`official_order` undoes it).
- Grey levels are rounded after the colour fix as everywhere in hlf, instead of cut (`truncate` undoes it).
- Latents stay float32 between the networks' calls whatever the precision.
- Beyond 1088 pixels a side the official program fails and leaves the picture out; here the VAE works in tiles as it was
  meant to (`vae_encoder_tile`, `vae_decoder_tile`).

Cost of one image, in forward passes: captioner 1 and up to 29 of its text decoder (none with a file of captions), text
encoder 1 (the negative prompt once per run), VAE encoder 1 (none with start_point noise), ControlNet and UNet `steps`
times the number of latent tiles times 2 (1 without guidance), VAE decoder 1.
"""

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from hlf.files import sha256
from hlf.sr.base import Descriptor
from hlf.sr.diffusion import sampling, sizes, vae
from hlf.sr.diffusion.base_model import BaseFiles
from hlf.sr.diffusion.captioner import load_captioner
from hlf.sr.diffusion.captions import STYLES, Captions, caption_prompt
from hlf.sr.diffusion.colour import FIXES
from hlf.sr.diffusion.latent import STEERED, LatentUpscaler, described
from hlf.sr.diffusion.networks import Networks, Predictor, guided_text
from hlf.sr.options import Option
from hlf.sr.pasd_networks import BASE, load_networks, load_scheduler
from hlf.zoo.registry import find_weights, needed

if TYPE_CHECKING:
    import numpy as np

# defaults of test_pasd.py and of the pipeline it calls
OPTIONS: dict[str, Option] = {
    "steps": Option(20, low=1, high=1000),
    "guidance_scale": Option(9.0, low=0, high=100),  # at most 1: no negative branch
    **STEERED,
    "process_size": Option(768, low=8, high=8192),
    "added_noise_level": Option(900, low=0, high=999),
    "noise_level_reading": Option("grid", choices=("grid", "exact")),  # see `sampling.start_twice`
    "information": Option("caption", choices=("caption", "none")),
    "captions": Option(None, kind=str),  # CSV file that replaces the captioner
    "caption_style": Option("coca", choices=STYLES),
    "caption_device": Option("cpu", choices=("cpu", "model")),  # cpu: as the official program
    "negative_prompt": Option("blurry, dotted, noise, raster lines, unclear, lowres, over-smoothed"),
    "latent_tile": Option(320, low=8, high=4096),
    "latent_overlap": Option(8, low=0, high=4095),
    "color_fix": Option("wavelet", choices=(*FIXES, "none")),
}


class Pasd(LatentUpscaler):
    """PASD on its device.

    Args:
        descriptor: facts about the model.
        files: paths by zoo entry, see `load`.
        base: files of its base model.
        captions: of LR images.
        device: cpu or cuda.
        precision: fp32, fp16 or bf16.
        options: every name of OPTIONS.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        files: dict[str, list[Path]],
        base: BaseFiles,
        captions: Captions,
        device: str,
        precision: str,
        options: dict[str, Any],
    ) -> None:
        super().__init__(
            descriptor,
            device,
            precision,
            options,
            lambda wanted: load_networks(files, base, device, wanted, options["compile"]),
        )
        self.captions, self.scheduler = captions, load_scheduler(base)

    def introduce(self, image: Tensor, image_id: str, level: float) -> None:
        """See `Upscaler.introduce`; HlfError when the file of captions does not know the image."""
        self.captions.introduce(image, image_id, level)

    def texts(self, lr: Tensor) -> list[tuple[str, str]]:
        """Prompt and caption of each image; the captioner runs once per image, whoever asks first."""
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


def load(zoo: str, folder: Path, device: str, precision: str, options: dict[str, Any]) -> Pasd:
    """Load PASD with its base model and, unless a file gives the captions, its captioner.

    Args:
        zoo: official or mini.
        folder: folder of that zoo.
        device: cpu or cuda.
        precision: fp32, fp16 (as the official program) or bf16.
        options: every name of OPTIONS. `official_order` draws all random numbers of a run from one generator on the
            device, as the official program does: results then depend on the order of the images.

    Raises:
        HlfError: missing files, or keys and shapes that do not fit.
    """
    files = {name: find_weights(zoo, folder, name) for name in needed(zoo, "pasd", options)}
    captions = Path(options["captions"]) if options["captions"] and options["information"] == "caption" else None
    captioner = None
    if "coca" in files:
        where = device if options["caption_device"] == "model" else "cpu"
        captioner = load_captioner(zoo, files["coca"], where)
    known = Captions(captioner, captions, options["caption_style"])
    texts = sha256(captions) if captions else ""
    descriptor = described("pasd", zoo, chain(*files.values()), options, needs_prompt=True, texts_sha256=texts)
    return Pasd(descriptor, files, BaseFiles(*files[BASE[zoo]]), known, device, precision, options)
