"""The networks of PASD that run in a chosen precision, and its scheduler, read from the files of a zoo."""

from pathlib import Path

from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from hlf.nets import pasd as nets
from hlf.sr.diffusion.additions import from_base
from hlf.sr.diffusion.base_model import BaseFiles, arguments
from hlf.sr.diffusion.networks import Networks
from hlf.sr.diffusion.networks import load_networks as load_both

# Stable Diffusion 1.5, where SeeSR builds on 2; the mini models share one base
BASE = {"official": "sd15", "mini": "sd-base"}
# of the base's scheduler, what describes its training; everything else is UniPC's default, as in the official program
_TRAINING = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "prediction_type")


def load_networks(
    files: dict[str, list[Path]], base: BaseFiles, device: str, precision: str, compiled: bool
) -> Networks:
    """UNet (full or light, as its file says), ControlNet, VAE and text encoder in one precision.

    Args:
        files: paths of the entry `pasd`, and of `sd-unet` where the UNet's file leaves the rest to it.
        base: files of the base model.
        device: cpu or cuda.
        precision: fp32, fp16 or bf16; weights are held in it.
        compiled: compile UNet and ControlNet.

    Raises:
        HlfError: keys or shapes that do not fit.
    """
    rest = from_base(files, nets.ADDED)
    return load_both(nets.unet, nets.controlnet, files["pasd"], base, rest, device, precision, compiled)


def load_scheduler(base: BaseFiles) -> UniPCMultistepScheduler:
    """UniPC with the base model's noise schedule, whatever scheduler class its config names."""
    known = arguments(UniPCMultistepScheduler.__init__, base.scheduler)
    return UniPCMultistepScheduler(**{key: value for key, value in known.items() if key in _TRAINING})
