"""Zoos in the layout of the official one with random weights at full size, for full_size.py.

Names, shapes and formats are those of published files; values are small random numbers, and the same each time. The
tokenizers know single letters only, and the tag lists are made up.
"""

import json
import string
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from transformers import CLIPTextConfig, CLIPTextModel

from hlf.nets import pasd, ram, seesr
from hlf.nets import stablesr_keys as keys
from hlf.nets.ram_files import lora_shapes
from hlf.sr.diffusion import captioner
from hlf.sr.stablesr_networks import OFFICIAL, empty
from hlf.zoo.registry import weight_paths

WEIGHTS = "diffusion_pytorch_model.safetensors"
# config.json files as far as they set sizes: Stable Diffusion 2 for SeeSR, 1.5 for PASD
SD2: dict[str, Any] = {**OFFICIAL["unet"], "use_image_cross_attention": True}
SD15: dict[str, Any] = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
SD15_TEXT = {
    "hidden_size": 768, "intermediate_size": 3072, "hidden_act": "quick_gelu", "num_hidden_layers": 12,
    "num_attention_heads": 12, "vocab_size": 49408,
}  # fmt: skip
SCHEDULER = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False,
    "steps_offset": 1, "prediction_type": "epsilon",
}  # fmt: skip
TAGS = 4585


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """Network without values."""
    with torch.device("meta"):
        return build()


def random_state(network: nn.Module) -> dict[str, Tensor]:
    """State dict of a network on the meta device, filled with small random numbers; norms begin as the identity."""
    norms = {f"{name}.weight" for name, one in network.named_modules() if isinstance(one, nn.GroupNorm | nn.LayerNorm)}

    def values(name: str, like: Tensor) -> Tensor:
        if not like.is_floating_point():
            return torch.zeros(like.shape, dtype=like.dtype)
        if like.ndim < 2:
            return torch.full(like.shape, float(name in norms))
        return torch.empty(like.shape).normal_(std=like[0].numel() ** -0.5)

    return {name: values(name, like) for name, like in network.state_dict().items()}


def write_folder(folder: Path, name: str, config: dict[str, Any], network: nn.Module) -> None:
    """A network as diffusers publishes it."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(random_state(network), folder / name)


def text_model(config: dict[str, Any]) -> nn.Module:
    """CLIP's text model without values."""
    return on_meta(lambda: CLIPTextModel(CLIPTextConfig(**config)))


def write_base(folder: Path, text: dict[str, Any]) -> None:
    """Scheduler, text encoder, tokenizer and VAE of a base model."""
    write_folder(folder / "vae", WEIGHTS, OFFICIAL["vae"], on_meta(lambda: AutoencoderKL(**OFFICIAL["vae"])))
    config = {"architectures": ["CLIPTextModel"], "model_type": "clip_text_model", **text}
    write_folder(folder / "text_encoder", "model.safetensors", config, text_model(text))
    letters = sorted(string.ascii_lowercase + string.digits + string.punctuation)
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    for part in ("scheduler", "tokenizer"):
        (folder / part).mkdir()
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps(SCHEDULER))
    (folder / "tokenizer/vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "tokenizer/merges.txt").write_text("#version: 0.2\n")
    for name in ("tokenizer_config", "special_tokens_map"):
        (folder / f"tokenizer/{name}.json").write_text(json.dumps({"pad_token": "!"}))


def without_decoder(unet: dict[str, Any]) -> dict[str, Any]:
    """Config of the ControlNet of a denoiser."""
    return {key: value for key, value in unet.items() if key not in ("sample_size", "out_channels", "up_block_types")}


def write_steered(folder: Path, nets: Any, unet: dict[str, Any]) -> None:
    """UNet and ControlNet of an SR model on a base model."""
    control = without_decoder(unet)
    write_folder(folder / "unet", WEIGHTS, unet, on_meta(lambda: nets.unet(unet)))
    write_folder(folder / "controlnet", WEIGHTS, control, on_meta(lambda: nets.controlnet(control)))


def write_seesr(root: Path) -> None:
    """Files of entry `seesr` and of the entries it needs."""
    write_steered(root / "seesr", seesr, SD2)
    write_base(root / "stable-diffusion-2-base", OFFICIAL["text"])
    tagger: Any = on_meta(lambda: ram.build(ram.OFFICIAL))
    weights, names, thresholds = weight_paths("official", root, "ram")
    torch.save({"model": random_state(tagger)}, weights)
    torch.save({name: torch.zeros(shape) for name, shape in lora_shapes(tagger).items()}, root / "DAPE.pth")
    names.write_text("\n".join(f"tag{i}" for i in range(TAGS)))
    thresholds.write_text("\n".join(["0.65"] * (TAGS - 1) + ["0.0"]))


def write_pasd(root: Path) -> None:
    """Files of entry `pasd` and of the entries it needs."""
    import open_clip

    write_steered(root / "pasd", pasd, SD15)
    write_base(root / "stable-diffusion-v1-5", SD15_TEXT)
    config: Any = open_clip.get_model_config(captioner.OFFICIAL)
    (path,) = weight_paths("official", root, "coca")
    path.parent.mkdir()
    torch.save(random_state(on_meta(lambda: captioner.build(config))), path)


def write_stablesr(root: Path) -> None:
    """The two files of entry `stablesr`, with the names of the latent diffusion repository."""
    main, fusion = weight_paths("official", root, "stablesr")
    unet, encoder, first, fused = empty(OFFICIAL, main)
    # published files hold one layer more than runs
    text = text_model({**OFFICIAL["text"], "num_hidden_layers": OFFICIAL["text"]["num_hidden_layers"] + 1})
    state: dict[str, Tensor] = {}
    for network, table in [
        (unet, keys.unet_table(unet)),
        (encoder, keys.structure_table(encoder)),
        (first, keys.vae_table(first, keys.VAE)),
        (text, keys.text_table(text)),
    ]:
        state |= keys.to_ldm(random_state(network), table)
    torch.save({"state_dict": state}, main)
    torch.save({"state_dict": keys.to_ldm(random_state(fused), keys.vae_table(fused, ""))}, fusion)


def write_gan(name: str, root: Path) -> None:
    """File of BSRGAN or SwinIR under the names of its official file."""
    from hlf.nets.basicsr_adapter import rrdbnet, swinir
    from hlf.sr import bsrgan
    from hlf.sr import swinir as swinir_model

    (path,) = weight_paths("official", root, name)
    if name == "bsrgan":
        torch.save(bsrgan.to_official(random_state(rrdbnet(**bsrgan.OFFICIAL))), path)
    else:
        torch.save({"params_ema": random_state(swinir(**swinir_model.OFFICIAL["M"]))}, path)


WRITERS: dict[str, Callable[[Path], None]] = {
    "bsrgan": partial(write_gan, "bsrgan"),
    "swinir": partial(write_gan, "swinir"),
    "seesr": write_seesr,
    "pasd": write_pasd,
    "stablesr": write_stablesr,
}


def write(model: str, root: Path) -> None:
    """All files that a model needs, below `root`."""
    torch.manual_seed(0)
    WRITERS[model](root)
