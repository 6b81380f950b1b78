"""The networks of StableSR in a chosen precision, from published files or from the mini zoo.

Published: one file with denoiser, structure encoder, first-stage VAE and text encoder, one with the VAE of CFW, both
with names of the latent diffusion repository. Mini: a file for each of the two trainings, with what they trained under
the same names; all else comes from the mini base. Both ways end in the same strict tables (`hlf.nets.stablesr_keys`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from hlf.errors import HlfError
from hlf.nets import stablesr as nets
from hlf.nets import stablesr_keys as keys
from hlf.nets import stablesr_structure as structure
from hlf.nets import stablesr_vae as cfw
from hlf.sr.diffusion.additions import FromBase, read_frozen
from hlf.sr.diffusion.base_model import BaseFiles, arguments, load_text_encoder, read_vae
from hlf.sr.diffusion.placing import DTYPES, placed
from hlf.zoo.load import build_filled, check_state, read_config, read_state

# the published model: Stable Diffusion 2.1 base, and the settings of v2-finetune_text_T_512.yaml
OFFICIAL: dict[str, Any] = {
    "unet": {
        "sample_size": 64, "in_channels": 4, "out_channels": 4, "block_out_channels": [320, 640, 1280, 1280],
        "layers_per_block": 2, "cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20],
        "use_linear_projection": True, "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
        "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
    },
    "spade_hidden": 128,
    "structure": structure.OFFICIAL,
    "vae": {
        "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "latent_channels": 4, "norm_num_groups": 32,
        "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4,
        "scaling_factor": 0.18215,
    },
    "fusion": cfw.OFFICIAL,
    # open_clip's ViT-H-14, run without its last layer
    "text": {
        "hidden_size": 1024, "intermediate_size": 4096, "hidden_act": "gelu", "num_hidden_layers": 23,
        "num_attention_heads": 16, "vocab_size": 49408,
    },
}  # fmt: skip
# the empty prompt: open_clip fills up with 0, not with the end token
NULL_TOKENS = [49406, 49407, *[0] * 75]


@dataclass
class Networks:
    """The networks that run in the chosen precision.

    Attributes:
        unet: denoiser.
        structure: encoder of the low-resolution latent.
        first_stage: VAE that encodes for the programs `tile` and `canvas`; the one of CFW where both encode alike.
        vae: VAE of CFW: encodes for the program `plain`, gives the features and decodes.
        text: embedding of the empty prompt (1, 77, D), the only text that StableSR is run with.
    """

    unet: nets.StableSRUNet
    structure: structure.StructureEncoder
    first_stage: AutoencoderKL
    vae: cfw.FusionVAE
    text: Tensor


@dataclass
class _Parts:
    """Arguments of the networks and their tensors under our names, the files for sentences."""

    config: dict[str, Any]
    unet: dict[str, Tensor]
    structure: dict[str, Tensor]
    first_stage: dict[str, Tensor]
    vae: dict[str, Tensor]
    text: Tensor
    main: Path
    fusion: Path


def load_networks(
    zoo: str, files: dict[str, list[Path]], entry: str, device: str, precision: str, trusted: bool, compiled: bool
) -> Networks:
    """All networks of one model in one precision.

    Args:
        zoo: official or mini.
        files: paths by zoo entry.
        entry: the model's own.
        device: cpu or cuda.
        precision: fp32, fp16 or bf16; weights are held in it.
        trusted: open the files although they may run code.
        compiled: compile denoiser and structure encoder.

    Raises:
        HlfError: keys or shapes that do not fit, or files of different models.
    """
    parts = _official(files[entry], trusted) if zoo == "official" else _mini(files, entry, trusted)
    config, dtype = parts.config, DTYPES[precision]
    unet = build_filled(lambda: _unet(config, str(parts.main)), parts.unet, parts.main)
    encoder = build_filled(lambda: structure.build(config["structure"], str(parts.main)), parts.structure, parts.main)
    if encoder.levels != len(config["unet"]["block_out_channels"]):
        raise HlfError(
            f"structure encoder in {parts.main} has {encoder.levels} levels, the denoiser "
            f"{len(config['unet']['block_out_channels'])}; they belong to different models"
        )
    vae = build_filled(lambda: cfw.FusionVAE(**config["fusion"], **config["vae"]), parts.vae, parts.fusion)
    placed_vae = placed(vae, device, dtype)
    if _encode_alike(parts.first_stage, parts.vae):
        first_stage = placed_vae
    else:
        first = build_filled(lambda: AutoencoderKL(**config["vae"]), parts.first_stage, parts.main)
        first_stage = placed(first, device, dtype)
    return Networks(
        placed(unet, device, dtype, compiled),
        placed(encoder, device, dtype, compiled),
        first_stage,
        placed_vae,
        parts.text.to(device, dtype),
    )


def _unet(config: dict[str, Any], path: str) -> nets.StableSRUNet:
    return nets.unet(config["unet"], config["structure"]["out_channels"], config["spade_hidden"], path)


def _encode_alike(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Whether both VAEs give the same latents; published ones should, since CFW's training left the encoder alone."""
    names = [name for name in first if name.startswith(("encoder.", "quant_conv."))]
    return all(torch.equal(first[name], second[name]) for name in names)


def empty(config: dict[str, Any], path: Path) -> tuple[Any, Any, Any, Any]:
    """Denoiser, structure encoder, VAE and fusion VAE without values, for their names and shapes.

    Args:
        config: as `OFFICIAL`.
        path: file that they stand in, for sentences.
    """
    with torch.device("meta"):
        return (
            _unet(config, str(path)),
            structure.build(config["structure"], str(path)),
            AutoencoderKL(**config["vae"]),
            cfw.FusionVAE(**config["fusion"], **config["vae"]),
        )


def _official(paths: list[Path], trusted: bool) -> _Parts:
    """Tensors of the two published files; every one must be known."""
    config, (main, fusion) = OFFICIAL, paths
    unet, encoder, first, vae = empty(config, main)
    tables = [keys.unet_table(unet), keys.structure_table(encoder), keys.vae_table(first, keys.VAE)]
    state, cfw_state = _read(main, trusted), _read(fusion, trusted)
    nets_ = (unet, encoder, first)
    used = [keys.select(state, one, table, main) for one, table in zip(nets_, tables, strict=True)]
    text = null_text(state, config["text"], main)
    with torch.device("meta"):
        text_names = keys.text_table(_text_model(config["text"]))
    vae_table = keys.vae_table(vae, "")
    fused = keys.select(cfw_state, vae, vae_table, fusion)
    layers = config["text"]["num_hidden_layers"]
    check_state({}, keys.strangers(state, [*text_names, *(n for table in tables for n in table)], layers), main)
    check_state({}, keys.strangers(cfw_state, vae_table, layers), fusion)
    return _Parts(config, used[0], used[1], used[2], fused, text, main, fusion)


def _mini(files: dict[str, list[Path]], entry: str, trusted: bool) -> _Parts:
    """Tensors of the mini base, with those that StableSR's two trainings added."""
    base, (unet_config, unet_weights) = BaseFiles(*files["sd-base"]), files["sd-unet"]
    structure_config, main, fusion_config, fusion = files[entry]
    config = {
        "unet": read_config(unet_config),
        "vae": arguments(AutoencoderKL.__init__, base.vae_config),
        **read_config(structure_config, ("structure", "spade_hidden")),
        "fusion": read_config(fusion_config, ("growth", "blocks")),
    }
    unet, encoder, first, vae = empty(config, main)
    unet_state, first_state = read_frozen(unet, FromBase(unet_weights, nets.ADDED)), read_vae(base)
    check_state(first.state_dict(), first_state, base.vae_weights)
    added = read_mini(main, [(unet, keys.unet_table(unet), ".spade."), (encoder, keys.structure_table(encoder), "")])
    (fused,) = read_mini(fusion, [(vae, keys.vae_table(vae, ""), ".fusion_layer_")])
    text = load_text_encoder(base, torch.float32, "cpu")([""])
    return _Parts(
        config, {**unet_state, **added[0]}, added[1], first_state, {**first_state, **fused}, text, main, fusion
    )


def read_mini(path: Path, wanted: Sequence[tuple[nn.Module, keys.Table, str]]) -> list[dict[str, Tensor]]:
    """Tensors of a file that holds parts of networks only: for each network those whose name has the given part.

    Raises:
        HlfError: a tensor is missing, of another shape, or of none of the parts.
    """
    state = read_state(path)
    found, rest = [], dict(state)
    for network, table, part in wanted:
        own = keys.only(table, part)
        found.append(keys.select(state, network, own, path))
        rest = {name: value for name, value in rest.items() if name not in own}
    check_state({}, rest, path)
    return found


def _read(path: Path, trusted: bool) -> dict[str, Tensor]:
    """Tensors of a file of Lightning, which may hold objects of the training besides."""
    return read_state(path, ("state_dict",), mapped=True, trusted=trusted, setting="sr.stablesr.trust_files")


def _text_model(config: dict[str, Any]) -> CLIPTextModel:
    return CLIPTextModel(CLIPTextConfig(**config))


def null_text(
    state: dict[str, Tensor], config: dict[str, Any], path: str | Path, tokens: list[int] = NULL_TOKENS
) -> Tensor:
    """Embedding (1, 77, D) of the empty prompt, float32 on the CPU; the text encoder is built for it and dropped.

    Args:
        state: tensors of the main file.
        config: arguments of transformers' CLIPTextConfig, one layer less than stored: the penultimate one is the last
            that is run, and the final norm follows it.
        path: of the file, for the sentence.
        tokens: 77 token numbers.

    Raises:
        HlfError: the file lacks a tensor, or has it in another shape.
    """
    with torch.device("meta"):
        model = _text_model(config)
    own = keys.select(state, model, keys.text_table(model), path)
    model = build_filled(lambda: _text_model(config), own, path)
    with torch.inference_mode(False), torch.no_grad():
        # positions are given, because those inside the model have no values after such a build
        places = torch.arange(len(tokens))[None]
        hidden: Tensor = model(input_ids=torch.tensor([tokens]), position_ids=places)[0]
    return hidden
