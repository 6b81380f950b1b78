"""UNet of StableSR: a stock Stable Diffusion denoiser whose every residual block is modulated by structure features.

Source: paper of StableSR (Wang et al., IJCV 2024, section 3.1) and official program. Everything but the modulation is
diffusers' own module under diffusers' own name; `hlf.nets.stablesr_keys` says what it is called in published files.
"""

from typing import Any

import torch
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional as F

from hlf.errors import HlfError
from hlf.nets.stock import only_trainable, stock_arguments

# module of the residual blocks that their base does not have
ADDED = ("spade",)


class Spade(nn.Module):
    """Scale and shift of normalised features, read from structure features of the same size.

    Args:
        channels: of the features.
        groups: of the norm, which has weights of its own although the official name says it has none.
        structure: channels of the structure features.
        hidden: channels in between.
    """

    def __init__(self, channels: int, groups: int, structure: int, hidden: int) -> None:
        super().__init__()
        self.param_free_norm = nn.GroupNorm(groups, channels, eps=1e-5)
        self.mlp_shared = nn.Sequential(nn.Conv2d(structure, hidden, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, hidden: Tensor, structure: Tensor) -> Tensor:
        """Modulated features (N, C, h, w) of `hidden` (N, C, h, w) and `structure` (N, S, h, w)."""
        activation = self.mlp_shared(structure)
        return self.param_free_norm(hidden) * (1 + self.mlp_gamma(activation)) + self.mlp_beta(activation)


class SpadeResnet(ResnetBlock2D):
    """Stock residual block with `spade` after its last convolution and before the residual sum."""

    spade: Spade

    def forward(self, hidden: Tensor, temb: Tensor, structure: Tensor) -> Tensor:  # type: ignore[override]
        """Features (N, C', h, w) of `hidden` (N, C, h, w), time embedding (N, T) and structure (N, S, h, w)."""
        part: Any = self
        h = part.conv1(F.silu(part.norm1(hidden))) + part.time_emb_proj(F.silu(temb))[..., None, None]
        h = self.spade(part.conv2(F.silu(part.norm2(h))), structure)
        return (hidden if part.conv_shortcut is None else part.conv_shortcut(hidden)) + h


class StableSRUNet(UNet2DConditionModel):
    """Denoiser; see `unet` for building it from a config.

    Args:
        structure_width: channels of the structure features, 256 officially.
        spade_hidden: channels inside the modulation, 128 officially.
        config: arguments of the stock network.
    """

    def __init__(self, structure_width: int = 256, spade_hidden: int = 128, **config: Any) -> None:
        super().__init__(**config)
        blocks: list[Any] = [*self.down_blocks, self.mid_block, *self.up_blocks]
        for resnet in (resnet for block in blocks for resnet in block.resnets):
            # the class is exchanged, not the module: names, weights and device stay as the stock network made them
            resnet.__class__ = SpadeResnet
            resnet.spade = Spade(resnet.out_channels, resnet.norm2.num_groups, structure_width, spade_hidden)
        self.register_to_config(structure_width=structure_width, spade_hidden=spade_hidden)

    def forward(  # type: ignore[override]
        self, sample: Tensor, timestep: Tensor, text: Tensor, structure: list[Tensor]
    ) -> Tensor:
        """Predict noise (or velocity) in latents.

        The loop over the blocks is written out because their own forwards cannot hand the features to the residual
        blocks; so no module remembers the features of an earlier call.

        Args:
            sample: noisy latents (N, 4, h, w), h and w multiples of 2 to the number of levels less one.
            timestep: integers () or (N,) in 0..999.
            text: last hidden state of the text encoder (N, 77, D).
            structure: features (N, S, h / 2**i, w / 2**i) of level i, as `StructureEncoder` returns them. The official
                program finds them by their width, which is the same since each level halves it.

        Returns:
            (N, 4, h, w).

        Raises:
            HlfError: sides or structure features that do not fit.
        """
        _check(sample, structure, len(self.down_blocks))
        part: Any = self
        temb = part.time_embedding(part.time_proj(timestep.expand(len(sample))).to(sample.dtype))
        h = part.conv_in(sample)
        skips = [h]
        for level, block in enumerate(part.down_blocks):
            for resnet, attention in _layers(block):
                h = _attend(resnet(h, temb, structure[level]), attention, text)
                skips.append(h)
            for downsampler in block.downsamplers or []:
                h = downsampler(h)
                skips.append(h)
        middle = part.mid_block
        h = _attend(middle.resnets[0](h, temb, structure[-1]), middle.attentions[0], text)
        h = middle.resnets[1](h, temb, structure[-1])
        for level, block in zip(reversed(range(len(structure))), part.up_blocks, strict=True):
            for resnet, attention in _layers(block):
                h = _attend(resnet(torch.cat([h, skips.pop()], 1), temb, structure[level]), attention, text)
            for upsampler in block.upsamplers or []:
                h = upsampler(h)
        predicted: Tensor = part.conv_out(F.silu(part.conv_norm_out(h)))
        return predicted


def _layers(block: Any) -> list[tuple[SpadeResnet, Any]]:
    """Residual blocks of a block, each with the transformer after it or None."""
    attentions = getattr(block, "attentions", None) or [None] * len(block.resnets)
    return list(zip(block.resnets, attentions, strict=True))


def _attend(hidden: Tensor, attention: Any, text: Tensor) -> Tensor:
    """`hidden` through a transformer that reads `text`, where there is one."""
    if attention is None:
        return hidden
    attended: Tensor = attention(hidden, encoder_hidden_states=text, return_dict=False)[0]
    return attended


def _check(sample: Tensor, structure: list[Tensor], levels: int) -> None:
    """Raise HlfError unless the sides can be halved and each level has its features."""
    height, width = sample.shape[-2:]
    step = 2 ** (levels - 1)
    if height % step or width % step:
        raise HlfError(f"latent of {height}x{width} cannot be halved {levels - 1} times; use multiples of {step}")
    expected = [(len(sample), height >> level, width >> level) for level in range(levels)]
    got = [(len(one), *one.shape[-2:]) for one in structure]
    if got != expected:
        raise HlfError(f"structure features are {got} (batch, height, width), expected {expected}")


def unet(config: dict[str, Any], structure_width: int, spade_hidden: int, path: str = "config.json") -> StableSRUNet:
    """Denoiser of the arguments in a diffusers `config.json`; HlfError names one that cannot be honoured."""
    own = stock_arguments(UNet2DConditionModel, config, path, "a plain base model")
    return StableSRUNet(structure_width, spade_hidden, **own)


def trainable(network: StableSRUNet) -> list[nn.Parameter]:
    """Freeze all but the modulation, which is what StableSR trains of its denoiser."""
    return only_trainable(network, ADDED)
