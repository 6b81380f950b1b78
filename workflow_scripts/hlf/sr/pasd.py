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

from hlf.files import sha256
from hlf.sr.diffusion.captions import STYLES, Captions
from hlf.sr.diffusion.colour import FIXES
from hlf.sr.diffusion.options import STEERED
from hlf.sr.options import Option
from hlf.zoo.registry import find_weights, needed

if TYPE_CHECKING:
    from hlf.sr.pasd_upscaler import Pasd

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


def load(zoo: str, folder: Path, device: str, precision: str, options: dict[str, Any]) -> "Pasd":
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
    from hlf.sr.diffusion.base_model import BaseFiles
    from hlf.sr.diffusion.captioner import load_captioner
    from hlf.sr.diffusion.latent import set_up
    from hlf.sr.pasd_networks import BASE
    from hlf.sr.pasd_upscaler import Pasd

    files = {name: find_weights(zoo, folder, name) for name in needed(zoo, "pasd", options)}
    captions = Path(options["captions"]) if options["captions"] and options["information"] == "caption" else None
    captioner = None
    if "coca" in files:
        where = device if options["caption_device"] == "model" else "cpu"
        captioner = load_captioner(zoo, files["coca"], where)
    known = Captions(captioner, captions, options["caption_style"])
    texts = sha256(captions) if captions else ""
    setup = set_up("pasd", zoo, chain(*files.values()), device, precision, options, True, texts)
    return Pasd(setup, files, BaseFiles(*files[BASE[zoo]]), known)
