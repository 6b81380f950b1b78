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
decoder 1. Both guidance branches of all images of a batch go through one call.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hlf.errors import HlfError
from hlf.images import from_tensor, to_tensor
from hlf.sr.base import Descriptor, Upscaler, fixed_kernels
from hlf.sr.diffusion import sampling, sizes, vae
from hlf.sr.diffusion.base_model import BaseFiles, load_scheduler
from hlf.sr.diffusion.colour import FIXES, fix_colours
from hlf.sr.diffusion.placing import DTYPES
from hlf.sr.diffusion.prompts import join_prompt
from hlf.sr.diffusion.tagger import Tagger, load_tagger
from hlf.sr.diffusion.tiles import predict_tiled
from hlf.sr.options import Option
from hlf.sr.seesr_networks import Networks, load_networks
from hlf.zoo.registry import find_all_weights, weights_sha256

# defaults of test_seesr.py and of the pipeline it calls
OPTIONS: dict[str, Option] = {
    "steps": Option(50, low=1, high=1000),
    "guidance_scale": Option(5.5, low=0, high=100),  # at most 1: no negative branch
    "conditioning_scale": Option(1.0, low=0, high=10),
    "process_size": Option(None, low=8, high=8192, kind=int),  # None: what the UNet was trained at, 512 officially
    "upscale": Option(4, low=1, high=16),
    "start_point": Option("lr", choices=("lr", "noise")),
    "added_prompt": Option("clean, high-resolution, 8k"),
    "negative_prompt": Option("dotted, noise, blur, lowres, smooth"),
    "user_prompt": Option(""),
    "latent_tile": Option(96, low=8, high=4096),
    "latent_overlap": Option(4, low=0, high=4095),
    "vae_encoder_tile": Option(1024, low=0, high=65536),  # pixels; 0: never tile
    "vae_decoder_tile": Option(224, low=0, high=65536),  # latent pixels; 0: never tile
    "color_fix": Option("adain", choices=(*FIXES, "none")),
    "truncate": Option(False),
    "official_order": Option(False),
    "official_seed": Option(None, kind=int),
    "trust_ram_file": Option(False),
    "compile": Option(False),
}


class SeeSR(Upscaler):
    """SeeSR on its device.

    Args:
        descriptor: facts about the model.
        files: paths by zoo entry, see `load`.
        tagger: RAM with DAPE.
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
        super().__init__(descriptor, precision)
        self.files, self.tagger, self.device, self.options = files, tagger, device, options
        self.scheduler = load_scheduler(BaseFiles(*files["sd-base"]))
        self._networks = {precision: load_networks(files, device, precision, options["compile"])}
        self._shared = [_generator(options["official_seed"], device) for _ in range(2)]

    def networks(self, precision: str) -> Networks:
        """Networks of a precision. Another than the own one, which a second try in fp32 needs, is read from the files.

        So a picture that is made in fp32 at second try is the one that fp32 gives at once.
        """
        if precision not in self._networks:
            self._networks[precision] = load_networks(self.files, self.device, precision, self.options["compile"])
        return self._networks[precision]

    def texts(self, lr: Tensor) -> list[tuple[str, str]]:
        """See `Upscaler.texts`; the tagger runs once per image, whoever asks first."""
        return [(self._prompt(tags), tags) for tags in (self.tagger(one)[0] for one in lr)]

    def _prompt(self, tags: str) -> str:
        return join_prompt(tags, self.options["user_prompt"], self.options["added_prompt"])

    def upscale(self, lr: Tensor, seeds: list[int], precision: str | None = None) -> Tensor:
        """See `Upscaler.upscale`; the networks hold their weights in the precision, RAM is always float32."""
        self.check(lr, seeds)
        networks = self.networks(precision or self.precision)
        with torch.inference_mode(), fixed_kernels():
            images = torch.stack([to_tensor(self._processed(one, networks)) for one in lr])
            context = torch.cat([self.tagger(one)[1] for one in lr])
            prompts = [prompt for prompt, _ in self.texts(lr)]
            latents = self.sample(networks, images.to(self.device), context, prompts, self._draws(seeds))
            sr = vae.decode(networks.vae, latents, self.options["vae_decoder_tile"])
            finite = torch.isfinite(sr).flatten(1).all(1)
            sr = self._recoloured(sr.nan_to_num().clamp(0, 1), images.to(self.device)).cpu()
        height, width = (side * self.descriptor.scale for side in lr.shape[-2:])
        whole = [to_tensor(sizes.finished(from_tensor(one), width, height)) for one in sr]
        # a picture cannot hold NaN, but the caller must see that the model failed
        done = [one if ok else torch.full_like(one, torch.nan) for one, ok in zip(whole, finite.tolist(), strict=True)]
        return torch.stack(done).to(lr.device)

    def _processed(self, lr: Tensor, networks: Networks) -> Any:
        """LR image (3, h, w) at the size the networks work at, uint8 (H, W, 3)."""
        factor = vae.factor(networks.vae)
        size = self.options["process_size"] or networks.unet.config["sample_size"] * factor
        return sizes.processed(from_tensor(lr), self.options["upscale"], size, factor)

    def _recoloured(self, sr: Tensor, images: Tensor) -> Tensor:
        """Result at 8-bit levels with the colours of the enlarged LR images; both (N, 3, H, W) in [0, 1]."""
        sr = (sr * 255).round() / 255
        return fix_colours(sr, images, self.options["color_fix"], self.options["truncate"])

    def _draws(self, seeds: list[int]) -> sampling.Draws:
        if not self.options["official_order"]:
            return sampling.seeded(seeds)
        if len(seeds) > 1:
            raise HlfError("sr.seesr.official_order makes images one after the other; set sr.batch_size to 1")
        return sampling.shared(self._shared[0], self._shared[1], self.options["guidance_scale"] > 1)

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
        text = networks.text(prompts)
        if opt["guidance_scale"] > 1:
            negative = networks.text([opt["negative_prompt"]]).expand(len(text), -1, -1)
            text = torch.cat([negative, text])
        predict = Predictor(networks, images, context, text, opt)
        return sampling.sample(predict, self.scheduler, start, opt["steps"], draws, watch)


class Predictor:
    """Guided noise prediction for a batch; guidance acts on the text only.

    Args:
        networks: UNet and ControlNet.
        images: condition (N, 3, H, W) in [0, 1].
        context: (N, tokens, 512).
        text: (N, 77, D), or (2N, 77, D) with the negative rows first.
        options: of the model.
    """

    def __init__(self, networks: Networks, images: Tensor, context: Tensor, text: Tensor, options: dict[str, Any]):
        dtype = next(networks.unet.parameters()).dtype
        self.networks, self.options, self.factor = networks, options, vae.factor(networks.vae)
        self.branches = len(text) // len(images)
        self.images, self.context = (
            torch.cat([part.to(dtype)] * self.branches) for part in (images, context.to(images.device))
        )
        self.text = text.to(dtype)

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """Prediction (N, 4, h, w) float32 for latents (N, 4, h, w) at one timestep."""
        doubled = torch.cat([latents] * self.branches).to(self.text.dtype)
        predicted = predict_tiled(
            doubled,
            lambda tile, box: self._tile(tile, box, timestep),
            self.options["latent_tile"],
            self.options["latent_overlap"],
        )
        return sampling.guide(predicted, self.options["guidance_scale"]) if self.branches == 2 else predicted

    def _tile(self, tile: Tensor, box: tuple[slice, slice], timestep: Tensor) -> Tensor:
        rows, columns = (slice(edge.start * self.factor, edge.stop * self.factor) for edge in box)
        inputs = (tile, timestep, self.text, self.context)
        residuals = self.networks.controlnet(
            *inputs, self.images[..., rows, columns], self.options["conditioning_scale"]
        )
        predicted: Tensor = self.networks.unet(*inputs, residuals)
        return predicted


def _generator(seed: int | None, device: str) -> torch.Generator:
    """Generator that goes on from image to image; without a seed it has torch's fixed default state."""
    generator = torch.Generator(device)
    return generator if seed is None else generator.manual_seed(seed)


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
    descriptor = Descriptor(
        name="seesr",
        scale=options["upscale"],
        min_side=8,  # our choice: smaller pictures would be enlarged beyond sense
        multiple_of=1,
        needs_seed=True,
        needs_prompt=True,
        precisions=tuple(DTYPES),
        zoo=zoo,
        weights_sha256=weights_sha256([path for paths in files.values() for path in paths]),
        tiles_itself=True,
    )
    return SeeSR(descriptor, files, tagger, device, precision, options)
