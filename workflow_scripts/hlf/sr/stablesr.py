"""StableSR (paper 3.1; Wang et al., IJCV 2024): Stable Diffusion steered by features of the LR image's latent.

Recipe of the test programs of IceClear/StableSR with the settings of its README: 200 DDPM steps on respaced timesteps,
no prompt and no guidance; features of the LR latent, encoded anew for each timestep, modulate every residual block; the
decoder is corrected by encoder features with weight 0.5; colours are adjusted by adain. An output of exactly the size
that the model was trained at (512x512) is made as by the program for that size, any other as by the tiling one: latent
tiles blended at every step, and picture tiles above 1280 pixels. `hlf.sr.stablesr_programs` tells how they differ.

Deviations, each an option where the official way can be had:
- Every image has its own random generator, drawn from on the CPU, so results do not depend on other images. All picture
  tiles of an image share its noise, as in the official program.
- Grey levels are rounded as everywhere in hlf, instead of cut (`truncate` undoes it).
- Results have `upscale` times the size of the input; the program `canvas` writes multiples of 32, resized here, and
  mirrored borders that the tiling one leaves around results of small inputs are cut off.
- Published weights are loaded strictly; the official loader passes over what does not fit.

Cost of one image, in forward passes: VAE encoder 2, structure encoder and UNet `steps` times the number of latent
tiles, decoder 1. Images of a batch run one after the other, so a batch changes no bit.
"""

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.sr.diffusion.colour import FIXES
from hlf.sr.options import Option
from hlf.zoo.registry import entry_name, find_all_weights

if TYPE_CHECKING:
    from hlf.sr.stablesr_upscaler import StableSR

# settings of the README (steps, decoder_weight, color_fix), else defaults of the test programs
OPTIONS: dict[str, Option] = {
    "variant": Option("512", choices=("512", "turbo", "768v")),  # file of the official zoo
    "steps": Option(200, low=1, high=1000),  # README: 4 for turbo
    "decoder_weight": Option(0.5, low=0, high=10),
    "program": Option("auto", choices=("auto", "plain", "tile", "canvas")),
    "process_size": Option(None, low=64, high=8192, kind=int),  # None: what the UNet was trained at, 512 officially
    "upscale": Option(4, low=1, high=16),
    "latent_tile": Option(None, low=8, high=4096, kind=int),  # None: process_size over the VAE's factor
    "latent_overlap": Option(32, low=0, high=4095),
    "image_tile": Option(1280, low=64, high=65536),  # pixels
    "image_stride": Option(1000, low=1, high=65536),  # pixels
    "color_fix": Option("adain", choices=(*FIXES, "none")),  # README: wavelet for turbo
    "truncate": Option(False),
    "trust_files": Option(False),
    "compile": Option(False),
}
# noise schedule of the published models; what the VAE's file is for is told by the variant
SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
    "variance_type": "fixed_small", "clip_sample": False,
}  # fmt: skip
_VELOCITY = ("768v",)


def load(zoo: str, folder: Path, device: str, precision: str, options: dict[str, Any]) -> "StableSR":
    """Load StableSR: two published files, or the mini model on the mini base.

    Args:
        zoo: official or mini.
        folder: folder of that zoo.
        device: cpu or cuda.
        precision: fp32, fp16 (as the official program) or bf16.
        options: every name of OPTIONS.

    Raises:
        HlfError: missing files, keys and shapes that do not fit, or options that do not fit together.
    """
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    from hlf.sr.diffusion.base_model import BaseFiles, load_scheduler
    from hlf.sr.diffusion.latent import set_up
    from hlf.sr.stablesr_upscaler import StableSR

    entry = entry_name(zoo, "stablesr", options["variant"])
    files = find_all_weights(zoo, folder, entry)
    if zoo == "official":
        kind = "v_prediction" if options["variant"] in _VELOCITY else "epsilon"
        scheduler = DDPMScheduler(**SCHEDULE, prediction_type=kind)
    else:
        scheduler = load_scheduler(BaseFiles(*files["sd-base"]))
    setup = set_up("stablesr", zoo, chain(*files.values()), device, precision, options, needs_prompt=False)
    return StableSR(setup, files, entry, scheduler)
