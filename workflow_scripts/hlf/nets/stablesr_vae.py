"""Autoencoder of StableSR with controllable feature wrapping (CFW; paper section 3.2): encoder features of the
low-resolution image correct the decoder.

Everything but the fusion layers is diffusers' AutoencoderKL; these have the official names below `decoder`.
"""

from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional as F

from hlf.nets.basicsr_adapter import rrdb
from hlf.nets.stock import only_trainable

# levels whose features are fused: those at half and at a quarter of the picture's size
LEVELS = (1, 2)
OFFICIAL: dict[str, Any] = {"growth": 32, "blocks": 2}


class _Resnet(nn.Module):
    def __init__(self, channels: int, out: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, channels, eps=1e-6)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, out, eps=1e-6)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.conv_out = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, h, w) to (N, C', h, w)."""
        hidden = self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))
        out: Tensor = self.conv_out(x) + hidden
        return out


class Fusion(nn.Module):
    """Correction of decoder features by encoder features of the same size.

    Args:
        channels: of either.
        groups: of the group norms.
        growth: channels that each convolution of a dense block adds.
        blocks: number of residual-in-residual dense blocks.
    """

    def __init__(self, channels: int, groups: int, growth: int, blocks: int) -> None:
        super().__init__()
        self.encode_enc_1 = _Resnet(2 * channels, channels, groups)
        self.encode_enc_2 = nn.Sequential(*(rrdb(num_feat=channels, num_grow_ch=growth) for _ in range(blocks)))
        self.encode_enc_3 = _Resnet(channels, channels, groups)

    def forward(self, encoded: Tensor, decoded: Tensor, weight: float) -> Tensor:
        """Decoder features plus `weight` times their correction; all (N, C, h, w)."""
        both = torch.cat([encoded, decoded], 1)
        return decoded + weight * self.encode_enc_3(self.encode_enc_2(self.encode_enc_1(both)))


class FusionVAE(AutoencoderKL):
    """AutoencoderKL with two fusion layers in its decoder.

    Args:
        growth: see `Fusion`.
        blocks: see `Fusion`.
        config: arguments of AutoencoderKL; at least three levels.
    """

    def __init__(self, growth: int = 32, blocks: int = 2, **config: Any) -> None:
        super().__init__(**config)
        widths, groups = self.config["block_out_channels"], self.config["norm_num_groups"]
        for level in LEVELS:
            setattr(self.decoder, f"fusion_layer_{level}", Fusion(widths[level], groups, growth, blocks))
        self.register_to_config(growth=growth, blocks=blocks)

    def features(self, pixels: Tensor) -> dict[int, Tensor]:
        """Encoder features by level, before its downsampler: (N, C, H / 2**level, W / 2**level).

        Args:
            pixels: (N, 3, H, W) in [-1, 1].
        """
        encoder: Any = self.encoder
        hidden, found = encoder.conv_in(pixels), {}
        for level, block in enumerate(encoder.down_blocks):
            for resnet in block.resnets:
                hidden = resnet(hidden, None)
            if level in LEVELS:
                found[level] = hidden
            if level == max(LEVELS):
                break
            for downsampler in block.downsamplers or []:
                hidden = downsampler(hidden)
        return found

    def decode_fused(self, latents: Tensor, features: dict[int, Tensor], weight: float) -> Tensor:
        """Pictures (N, 3, H, W), about [-1, 1] and not clamped.

        Args:
            latents: (N, 4, H/f, W/f), without the scaling factor.
            features: of the low-resolution images enlarged to (H, W).
            weight: of the correction; 0: the plain decoder, larger: closer to the low-resolution image.
        """
        decoder: Any = self.decoder
        hidden = latents if self.post_quant_conv is None else self.post_quant_conv(latents)
        hidden = decoder.mid_block(decoder.conv_in(hidden))
        for level, block in zip(reversed(range(len(decoder.up_blocks))), decoder.up_blocks, strict=True):
            for resnet in block.resnets:
                hidden = resnet(hidden, None)
            if weight and level in LEVELS:
                hidden = decoder.get_submodule(f"fusion_layer_{level}")(features[level], hidden, weight)
            for upsampler in block.upsamplers or []:
                hidden = upsampler(hidden)
        pictures: Tensor = decoder.conv_out(F.silu(decoder.conv_norm_out(hidden)))
        return pictures


def trainable(vae: FusionVAE) -> list[nn.Parameter]:
    """Freeze all but the fusion layers, which is what the second stage of StableSR's training trains."""
    return only_trainable(vae, [f"fusion_layer_{level}" for level in LEVELS])
