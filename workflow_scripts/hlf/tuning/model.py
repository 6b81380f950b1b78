"""SeeSR as a model to fine-tune: its networks from a zoo, what of them learns, and the folder that is written."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hlf.files import atomic, read_json, write_json, write_text
from hlf.nets import seesr as nets
from hlf.sr.diffusion.base_model import BaseFiles, load_scheduler
from hlf.sr.diffusion.networks import Networks
from hlf.sr.diffusion.placing import DTYPES
from hlf.sr.diffusion.tagger import load_tagger
from hlf.sr.seesr_networks import load_networks
from hlf.tuning.encoding import Encoder
from hlf.tuning.seesr_batch import Batch, predict_noise
from hlf.zoo.entries import STEERED
from hlf.zoo.load import read_state
from hlf.zoo.registry import find_all_weights

# of the autoencoder while pictures are decoded with a gradient: float16 overflows there
VAE_DTYPES = {"fp32": torch.float32, "fp16": torch.float32, "bf16": torch.bfloat16}


class Denoiser(nn.Module):
    """UNet and ControlNet as one module, which is what several processes keep alike.

    Only what SeeSR trains has gradients: the ControlNet, and the UNet's image attention (`hlf.nets.seesr.trainable`).

    Args:
        unet: of SeeSR.
        controlnet: of SeeSR.
        checkpointing: layers are computed twice instead of kept.
    """

    def __init__(self, unet: nets.SeeSRUNet, controlnet: nets.SeeSRControlNet, checkpointing: bool = False):
        super().__init__()
        self.unet, self.controlnet = unet, controlnet
        for parameter in nets.trainable(unet, controlnet):
            # out of the mapped weights file, which must stay as it is
            parameter.data = parameter.data.clone()
        if checkpointing:
            for network in (unet, controlnet):
                network.enable_gradient_checkpointing()

    def forward(self, noisy: Tensor, times: Tensor, text: Tensor, batch: Batch) -> Tensor:
        """Predicted noise, see `predict_noise`."""
        return predict_noise(self.unet, self.controlnet, noisy, times, text, batch)

    def learned(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and parameters that learn."""
        return ((name, p) for name, p in self.named_parameters() if p.requires_grad)


@dataclass
class Start:
    """SeeSR as it was published, ready to learn.

    Attributes:
        denoiser: see `Denoiser`.
        encoder: the frozen networks around it.
        vae: autoencoder that decodes with a gradient.
        networks: the same networks as `hlf.sr` samples with.
        files: of the zoo, by entry.
    """

    denoiser: Denoiser
    encoder: Encoder
    vae: Any
    networks: Networks
    files: dict[str, list[Path]]


def load_start(
    zoo: str, folder: Path, device: str, settings: dict[str, Any], config_seed: int, trust_ram_file: bool = False
) -> Start:
    """SeeSR of a zoo on a device.

    Args:
        zoo: official or mini.
        folder: folder of that zoo.
        device: such as cpu or cuda:1.
        settings: the configuration's group `tuning`; read here: precision, gradient_checkpointing, tags_from,
            null_text.
        config_seed: the run's seed.
        trust_ram_file: see `load_tagger`.

    Raises:
        HlfError: missing or wrong files.
    """
    files = find_all_weights(zoo, folder, "seesr")
    networks = load_networks(files, device, "fp32", False)
    denoiser = Denoiser(networks.unet, networks.controlnet, bool(settings["gradient_checkpointing"]))
    precision = str(settings["precision"])
    for network, dtype in ((networks.vae, VAE_DTYPES), (networks.text.model, DTYPES)):
        nn.Module.to(network, dtype=dtype[precision])  # see `hlf.sr.diffusion.placing`
    degraded = load_tagger(zoo, files["ram"], files["dape"], device, trust_ram_file)
    clean = load_tagger(zoo, files["ram"], [], device, trust_ram_file) if settings["tags_from"] == "gt" else None
    encoder = Encoder(
        networks.vae,
        networks.text,
        load_scheduler(BaseFiles(*files["sd-base"])),
        degraded,
        clean,
        float(settings["null_text"]),
        config_seed,
    )
    return Start(denoiser, encoder, networks.vae, networks, files)


def save_tuned(folder: Path, denoiser: Denoiser, start: dict[str, list[Path]], card: str) -> None:
    """Write a fine-tuned SeeSR in the layout of the one it started from; all at once or not at all.

    Each file holds the tensors that its forerunner holds, so what reads the one reads the other: the official model
    complete, the mini one without what it has from its base. In float32, since half precision would round away small
    steps.

    Args:
        folder: becomes unet/, controlnet/, README.md.
        denoiser: after the training.
        start: files of the zoo, by entry.
        card: text of README.md.
    """
    from safetensors.torch import save_file

    with atomic(folder) as tmp:
        for place, forerunner in zip(STEERED, start["seesr"], strict=True):
            (tmp / place).parent.mkdir(parents=True, exist_ok=True)
            if forerunner.suffix == ".json":
                write_json(tmp / place, read_json(forerunner))
                continue
            state = denoiser.get_submodule(place.partition("/")[0]).state_dict()
            kept = {name: state[name].float().cpu().contiguous() for name in read_state(forerunner, mapped=True)}
            save_file(kept, tmp / place)
        write_text(tmp / "README.md", card)
