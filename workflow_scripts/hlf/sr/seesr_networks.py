"""The networks of SeeSR that run in a chosen precision, read from the files of a zoo."""

from pathlib import Path

from hlf.errors import HlfError
from hlf.nets import seesr as nets
from hlf.sr.diffusion.additions import from_base
from hlf.sr.diffusion.base_model import BaseFiles
from hlf.sr.diffusion.networks import Networks
from hlf.sr.diffusion.networks import load_networks as load_both
from hlf.zoo.entries import STEERED


def load_networks(files: dict[str, list[Path]], device: str, precision: str, compiled: bool) -> Networks:
    """UNet, ControlNet, VAE and text encoder in one precision.

    Args:
        files: paths of the entries `seesr` and `sd-base`, and of `sd-unet` where the UNet's file leaves the rest to it.
        device: cpu or cuda.
        precision: fp32, fp16 or bf16; weights are held in it.
        compiled: compile UNet and ControlNet.

    Raises:
        HlfError: keys or shapes that do not fit.
    """
    return load_both(
        lambda config, _keys, path: nets.unet(config, path),
        lambda config, _keys, path: nets.controlnet(config, path),
        files["seesr"],
        BaseFiles(*files["sd-base"]),
        from_base(files, nets.ADDED),
        device,
        precision,
        compiled,
    )


def tuned_files(folder: str | Path) -> list[Path]:
    """Files of a fine-tuned SeeSR in the order of the zoo's entry `seesr`; HlfError when one is missing."""
    paths = [Path(folder) / file for file in STEERED]
    for path in paths:
        if not path.is_file():
            raise HlfError(f"{path} does not exist; expected a folder of a fine-tuned SeeSR with unet/ and controlnet/")
    return paths
