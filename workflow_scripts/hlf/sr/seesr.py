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

from hlf.sr.diffusion.colour import FIXES
from hlf.sr.diffusion.options import STEERED
from hlf.sr.options import Option
from hlf.zoo.registry import find_all_weights

if TYPE_CHECKING:
    from hlf.sr.seesr_upscaler import SeeSR

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
    "weights": Option(None, kind=str),  # folder with unet/ and controlnet/, such as a fine-tuned one; None: the zoo's
}


def load(zoo: str, folder: Path, device: str, precision: str, options: dict[str, Any]) -> "SeeSR":
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
    from hlf.sr.diffusion.base_model import BaseFiles, load_scheduler
    from hlf.sr.diffusion.latent import set_up
    from hlf.sr.diffusion.tagger import load_tagger
    from hlf.sr.seesr_networks import load_networks, tuned_files
    from hlf.sr.seesr_upscaler import SeeSR

    files = find_all_weights(zoo, folder, "seesr")
    if options["weights"]:
        files["seesr"] = tuned_files(options["weights"])
    tagger = load_tagger(zoo, files["ram"], files["dape"], device, options["trust_ram_file"])
    setup = set_up("seesr", zoo, chain(*files.values()), device, precision, options, needs_prompt=True)
    return SeeSR(
        setup,
        lambda wanted: load_networks(files, device, wanted, options["compile"]),
        load_scheduler(BaseFiles(*files["sd-base"])),
        tagger,
    )
