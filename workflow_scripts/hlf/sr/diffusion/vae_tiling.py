"""Large images through a VAE in tiles that share the statistics of their group norms.

Source: "Tiled VAE" of the multidiffusion-upscaler extension, as SeeSR and PASD ship it. All tiles advance together; at
each group norm, mean and variance are averages over the tiles, weighted by their pixels. The variance between tiles is
ignored and the attention in the middle sees one tile only: both as in the official program. Tiles that wait lie in main
memory, so the memory of a GPU is bounded by one tile. Only without gradients.
"""

from collections.abc import Callable, Generator
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor
from torch.nn import functional as F

Box = tuple[int, int, int, int]  # top, bottom, left, right
# a tile's run: yields (input of a group norm, the norm's parameters), receives the normalised tensor
Run = Generator[tuple[Tensor, torch.nn.GroupNorm], Tensor, Tensor]

_EPS = 1e-6
ENCODER_PAD, DECODER_PAD = 32, 11  # pixels and latent pixels by which a tile sees beyond its border


def tile_boxes(height: int, width: int, tile: int, pad: int) -> list[tuple[Box, Box]]:
    """Input box and inner box of each tile, in input pixels.

    Args:
        height: of the input.
        width: of the input.
        tile: largest side of an inner box.
        pad: by which input boxes reach beyond the inner ones.
    """
    rows, columns = _spans(height, tile, pad), _spans(width, tile, pad)
    return [((*r_in, *c_in), (*r_out, *c_out)) for r_in, r_out in rows for c_in, c_out in columns]


def _spans(side: int, tile: int, pad: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Input and inner span of the tiles along one axis."""
    count = max(1, -(-(side - 2 * pad) // tile))
    length = _fitting(-(-(side - 2 * pad) // count), tile)
    spans = []
    for i in range(count):
        begin, end = pad + i * length, min(pad + (i + 1) * length, side)
        # outer tiles reach to the border
        inner = (0 if i == 0 else begin, side if i == count - 1 else end)
        spans.append(((max(0, begin - pad), min(side, end + pad)), inner))
    return spans


def _fitting(length: int, tile: int) -> int:
    """`length` raised to the largest of the multiples of 32, 16, 8, 4 or 2 that still fits into a tile."""
    for multiple in (32, 16, 8, 4, 2):
        raised = -(-length // multiple) * multiple
        if raised <= tile:
            return raised
    return tile


def encode_tiled(vae: AutoencoderKL, pixels: Tensor, tile: int) -> Tensor:
    """Encoder output (1, C, H/f, W/f) of pixels (1, 3, H, W) in [-1, 1]; plain when no side exceeds tile + 2 pads."""
    height, width = pixels.shape[-2:]
    if not tile or max(height, width) <= tile + 2 * ENCODER_PAD:
        return vae.encoder(pixels)
    shrink = 2 ** (len(vae.config["block_out_channels"]) - 1)
    return _together(
        pixels, tile_boxes(height, width, tile, ENCODER_PAD), lambda x: _encoder(vae.encoder, x), 1, shrink
    )


def decode_tiled(vae: AutoencoderKL, latent: Tensor, tile: int) -> Tensor:
    """Decoder output (1, 3, f*h, f*w) of a latent (1, C, h, w); plain when no side exceeds tile + 2 pads."""
    height, width = latent.shape[-2:]
    if not tile or max(height, width) <= tile + 2 * DECODER_PAD:
        return vae.decoder(latent)
    grow = 2 ** (len(vae.config["block_out_channels"]) - 1)
    return _together(latent, tile_boxes(height, width, tile, DECODER_PAD), lambda x: _decoder(vae.decoder, x), grow, 1)


def _together(
    x: Tensor, places: list[tuple[Box, Box]], network: Callable[[Tensor], Run], grow: int, shrink: int
) -> Tensor:
    """Run `network` on all tiles in step, and put the inner parts of their results side by side."""
    device = x.device
    runs = [network(x[..., top:bottom, left:right]) for (top, bottom, left, right), _ in places]
    waiting = [_parked(next(run)) for run in runs]
    results: list[Tensor] = []
    while not results:
        mean, variance = _pooled([features for features, _ in waiting], waiting[0][1])
        for i, run in enumerate(runs):
            features, norm = waiting[i]
            try:
                waiting[i] = _parked(run.send(_normalise(features.to(device), norm, mean, variance)))
            except StopIteration as done:
                results.append(done.value)
    height, width = (side * grow // shrink for side in x.shape[-2:])
    whole = results[0].new_empty(1, results[0].shape[1], height, width)
    for part, (seen, inner) in zip(results, places, strict=True):
        top, bottom, left, right = (edge * grow // shrink for edge in inner)
        y, x0 = top - seen[0] * grow // shrink, left - seen[2] * grow // shrink
        whole[..., top:bottom, left:right] = part[..., y : y + bottom - top, x0 : x0 + right - left]
    return whole


def _parked(request: tuple[Tensor, torch.nn.GroupNorm]) -> tuple[Tensor, torch.nn.GroupNorm]:
    """A tile's request with its features in main memory."""
    return request[0].cpu(), request[1]


def _pooled(tiles: list[Tensor], norm: torch.nn.GroupNorm) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (groups,) of all tiles, each weighted by its pixels."""
    pixels = torch.tensor([float(t.shape[-1] * t.shape[-2]) for t in tiles])
    weights = (pixels / pixels.sum())[:, None]
    groups = [t.float().reshape(norm.num_groups, -1) for t in tiles]
    mean = torch.stack([g.mean(1) for g in groups])
    variance = torch.stack([g.var(1, unbiased=False) for g in groups])
    return (mean * weights).sum(0), (variance * weights).sum(0)


def _normalise(x: Tensor, norm: torch.nn.GroupNorm, mean: Tensor, variance: Tensor) -> Tensor:
    """Group norm of (1, C, H, W) with given statistics."""
    groups = x.float().reshape(norm.num_groups, -1)
    flat = (groups - mean.to(x.device)[:, None]) / (variance.to(x.device)[:, None] + _EPS).sqrt()
    scale, shift = (p.float()[None, :, None, None] for p in (norm.weight, norm.bias))
    return (flat.view_as(x) * scale + shift).to(x.dtype)


def _encoder(encoder: Any, x: Tensor) -> Run:
    x = encoder.conv_in(x)
    for block in encoder.down_blocks:
        for resnet in block.resnets:
            x = yield from _resnet(resnet, x)
        for downsampler in block.downsamplers or []:
            x = downsampler(x)
    x = yield from _middle(encoder.mid_block, x)
    x = yield x, encoder.conv_norm_out
    return encoder.conv_out(F.silu(x))


def _decoder(decoder: Any, x: Tensor) -> Run:
    x = yield from _middle(decoder.mid_block, decoder.conv_in(x))
    for block in decoder.up_blocks:
        for resnet in block.resnets:
            x = yield from _resnet(resnet, x)
        for upsampler in block.upsamplers or []:
            x = upsampler(x)
    x = yield x, decoder.conv_norm_out
    return decoder.conv_out(F.silu(x))


def _middle(block: Any, x: Tensor) -> Run:
    x = yield from _resnet(block.resnets[0], x)
    for attention, resnet in zip(block.attentions, block.resnets[1:], strict=True):
        if attention is not None:
            x = yield from _attention(attention, x)
        x = yield from _resnet(resnet, x)
    return x


def _resnet(resnet: Any, x: Tensor) -> Run:
    h = yield x, resnet.norm1
    h = resnet.conv1(F.silu(h))
    h = yield h, resnet.norm2
    h = resnet.conv2(F.silu(h))
    shortcut = x if resnet.conv_shortcut is None else resnet.conv_shortcut(x)
    return (shortcut + h) / resnet.output_scale_factor


def _attention(attention: Any, x: Tensor) -> Run:
    h = yield x, attention.group_norm
    batch, channels, height, width = h.shape
    tokens = h.flatten(2).transpose(1, 2)
    q, k, v = (
        layer(tokens).unflatten(-1, (attention.heads, -1)).transpose(1, 2)
        for layer in (attention.to_q, attention.to_k, attention.to_v)
    )
    read = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    read = attention.to_out[0](read).transpose(1, 2).reshape(batch, channels, height, width)
    return (read + x) / attention.rescale_output_factor
