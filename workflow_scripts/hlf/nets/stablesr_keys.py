"""What StableSR's networks are called in published files: the names of the latent diffusion repository, LDM for short.

A table maps each LDM name to our names, and is made from our network, so it holds for every size. It has several of our
names where one LDM tensor holds their rows one below the other (query, key and value of the text encoder). LDM writes
the projections of the VAE's attention as 1x1 convolutions, with two axes of length 1 more than ours.
"""

import re
from collections.abc import Iterable

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from hlf.zoo.load import check_state

Table = dict[str, tuple[str, ...]]

UNET, STRUCTURE = "model.diffusion_model.", "structcond_stage_model."
VAE, TEXT = "first_stage_model.", "cond_stage_model.model."
# what published files hold besides: noise schedule, losses and averages of the training
_SCHEDULE = {
    "betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod", "posterior_variance",
    "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2",
}  # fmt: skip
_UNUSED = ("loss.", "model_ema.", f"{TEXT}text_projection", f"{TEXT}logit_scale")

_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
}  # fmt: skip
_VAE_ATTENTION = {
    "group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out",
}  # fmt: skip
_TEXT_LAYER = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip
_TEXT_ENDS = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}


def unet_table(network: UNet2DConditionModel) -> Table:
    """Table of a denoiser; the modulation keeps its names."""
    names = list(network.state_dict())
    config = network.config
    per_level = config["layers_per_block"] + 1
    attended = {name.split(".")[1] for name in names if re.match(r"up_blocks\.\d+\.attentions\.", name)}
    return {UNET + _unet_name(name, per_level, attended): (name,) for name in names}


def _unet_name(name: str, per_level: int, attended: set[str]) -> str:
    stem, kind = name.rsplit(".", 1)
    if stem in _UNET_ENDS:
        return f"{_UNET_ENDS[stem]}.{kind}"
    if found := re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)", name):
        part, number, rest = found.groups()
        return f"middle_block.{1 if part == 'attentions' else 2 * int(number)}.{_in_resnet(part, rest)}"
    if found := re.fullmatch(r"(down|up)_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.+)", name):
        side, level, part, layer, rest = found.groups()
        # number 0 on the way down is the first convolution
        number = int(level) * per_level + int(layer) + (side == "down")
        place = int(part == "attentions")
        return f"{'input' if side == 'down' else 'output'}_blocks.{number}.{place}.{_in_resnet(part, rest)}"
    if found := re.fullmatch(r"down_blocks\.(\d+)\.downsamplers\.0\.conv\.(.+)", name):
        return f"input_blocks.{(int(found[1]) + 1) * per_level}.0.op.{found[2]}"
    if found := re.fullmatch(r"up_blocks\.(\d+)\.upsamplers\.0\.conv\.(.+)", name):
        # after the attention of the level's last layer, where it has one
        return f"output_blocks.{(int(found[1]) + 1) * per_level - 1}.{1 + (found[1] in attended)}.conv.{found[2]}"
    raise ValueError(f"no LDM name for {name}")


def _in_resnet(part: str, rest: str) -> str:
    """Name inside a block: residual blocks are named anew, transformers and modulation are not."""
    stem, kind = rest.rsplit(".", 1)
    return f"{_RESNET[stem]}.{kind}" if part == "resnets" and stem in _RESNET else rest


def structure_table(network: nn.Module) -> Table:
    """Table of a structure encoder, whose names are the official ones."""
    return {STRUCTURE + name: (name,) for name in network.state_dict()}


def vae_table(network: AutoencoderKL, prefix: str) -> Table:
    """Table of an autoencoder, with or without fusion layers.

    Args:
        network: AutoencoderKL or FusionVAE.
        prefix: `VAE` for the one inside the main file, "" for the file of CFW.
    """
    last = len(network.config["block_out_channels"]) - 1
    return {prefix + _vae_name(name, last): (name,) for name in network.state_dict()}


def _vae_name(name: str, last: int) -> str:
    if ".fusion_layer_" in name:
        return name
    name = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", name)
    # LDM counts the decoder's levels by resolution, so its first one is the last
    name = re.sub(r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"up.{last - int(m[1])}.block.{m[2]}", name)
    name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{last - int(m[1])}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    if found := re.fullmatch(r"(.+)\.mid_block\.attentions\.0\.(.+)\.(\w+)", name):
        return f"{found[1]}.mid.attn_1.{_VAE_ATTENTION[found[2]]}.{found[3]}"
    return name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")


def text_table(network: nn.Module) -> Table:
    """Table of a CLIP text model, whose names begin with `text_model.` in some versions of transformers."""
    table: Table = {}
    for name in network.state_dict():
        bare = name.removeprefix("text_model.")
        if bare in _TEXT_ENDS:
            table[TEXT + _TEXT_ENDS[bare]] = (name,)
        elif found := re.fullmatch(r"encoder\.layers\.(\d+)\.(.+)\.(\w+)", bare):
            layer, part, kind = found.groups()
            block = f"{TEXT}transformer.resblocks.{layer}."
            if part == "self_attn.q_proj":
                rows = tuple(name.replace("q_proj", f"{one}_proj") for one in "qkv")
                table[f"{block}attn.in_proj_{kind}"] = rows
            elif part in _TEXT_LAYER:
                table[f"{block}{_TEXT_LAYER[part]}.{kind}"] = (name,)
    return table


def only(table: Table, part: str) -> Table:
    """Rows of a table whose LDM name holds `part`."""
    return {ldm: own for ldm, own in table.items() if part in ldm}


def _is_convolution(ldm: str) -> bool:
    return re.search(r"\.attn_1\.(q|k|v|proj_out)\.weight$", ldm) is not None


def to_ldm(state: dict[str, Tensor], table: Table) -> dict[str, Tensor]:
    """Tensors of a network under the LDM names and in the LDM shapes."""
    joined = {ldm: torch.cat([state[one] for one in own]) for ldm, own in table.items()}
    return {ldm: one[..., None, None] if _is_convolution(ldm) else one for ldm, one in joined.items()}


def from_ldm(state: dict[str, Tensor], table: Table) -> dict[str, Tensor]:
    """Inverse of `to_ldm`, for a state that was checked."""
    own: dict[str, Tensor] = {}
    for ldm, names in table.items():
        whole = state[ldm][..., 0, 0] if _is_convolution(ldm) else state[ldm]
        own.update(zip(names, whole.chunk(len(names)), strict=True))
    return own


def select(state: dict[str, Tensor], network: nn.Module, table: Table, path: object) -> dict[str, Tensor]:
    """Tensors of one network out of a file's, under our names; the rest of the file is left alone.

    Raises:
        HlfError: the file lacks one, or has it in another shape; named as in the file.
    """
    expected = to_ldm(network.state_dict(), table)
    check_state(expected, {name: state[name] for name in table if name in state}, str(path))
    return from_ldm(state, table)


def strangers(state: dict[str, Tensor], known: Iterable[str], text_layers: int) -> dict[str, Tensor]:
    """Tensors of a file that neither belong to its networks nor are known to be left over from the training.

    Args:
        state: all tensors of the file.
        known: names of its networks' tensors.
        text_layers: layers of the text encoder that are used; the one after them is stored as well.
    """
    unused = (*_UNUSED, f"{TEXT}transformer.resblocks.{text_layers}.")
    names = state.keys() - set(known) - _SCHEDULE
    return {name: state[name] for name in sorted(names) if not name.startswith(unused)}
