"""The networks of SeeSR that run in a chosen precision, read from the files of a zoo."""

from dataclasses import dataclass
from pathlib import Path

from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from hlf.errors import HlfError
from hlf.nets import seesr as nets
from hlf.sr.diffusion import vae
from hlf.sr.diffusion.base_model import BaseFiles, load_text_encoder, load_vae
from hlf.sr.diffusion.placing import DTYPES, placed
from hlf.sr.diffusion.prompts import TextEncoder
from hlf.zoo.load import build_filled, read_config, read_state


@dataclass
class Networks:
    """The networks that run in the chosen precision."""

    unet: nets.SeeSRUNet
    controlnet: nets.SeeSRControlNet
    vae: AutoencoderKL
    text: TextEncoder


def load_networks(files: dict[str, list[Path]], device: str, precision: str, compiled: bool) -> Networks:
    """UNet, ControlNet, VAE and text encoder in one precision.

    Args:
        files: paths of the entries `seesr` and `sd-base`.
        device: cpu or cuda.
        precision: fp32, fp16 or bf16; weights are held in it.
        compiled: compile UNet and ControlNet.

    Raises:
        HlfError: keys or shapes that do not fit.
    """
    base, dtype = BaseFiles(*files["sd-base"]), DTYPES[precision]
    unet_config, unet_weights, control_config, control_weights = files["seesr"]
    unet = build_filled(
        lambda: nets.unet(read_config(unet_config), str(unet_config)),
        read_state(unet_weights, mapped=True),
        unet_weights,
    )
    controlnet = build_filled(
        lambda: nets.controlnet(read_config(control_config), str(control_config)),
        read_state(control_weights, mapped=True),
        control_weights,
    )
    networks = Networks(
        placed(unet, device, dtype, compiled),
        placed(controlnet, device, dtype, compiled),
        load_vae(base, dtype, device),
        load_text_encoder(base, dtype, device),
    )
    condition = 2 ** (len(networks.controlnet.config["conditioning_embedding_out_channels"]) - 1)
    if condition != vae.factor(networks.vae):
        raise HlfError(
            f"ControlNet in {control_config.parent} reads images {condition} times as large as the latent, the VAE "
            f"in {base.vae_config.parent} makes them {vae.factor(networks.vae)} times as large; "
            "they belong to other models"
        )
    return networks
