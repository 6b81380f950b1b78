"""Swin transformer with the parameter names of the original Microsoft program, as RAM's image encoder uses it.

Own code instead of transformers' SwinModel, whose names change between versions: RAM and DAPE files load unchanged.
Source: Liu et al., "Swin Transformer", ICCV 2021, sections 3.1 and 3.2.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MASKED = -100.0  # added to the scores of pairs that the cyclic shift brought together


class WindowAttention(nn.Module):
    """Attention within windows, with a learned bias for each relative position."""

    def __init__(self, width: int, heads: int, window: int):
        super().__init__()
        self.heads, self.window = heads, window
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Windows (B*windows, window*window, C); `mask` is (windows, area, area), added to the scores."""
        windows, area, width = x.shape
        q, k, v = self.qkv(x).view(windows, area, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[relative_positions(self.window, x.device)]
        bias = bias.view(area, area, self.heads).permute(2, 0, 1)[None]  # (1, heads, area, area)
        if mask is not None:
            bias = bias + mask.to(bias.dtype).repeat(windows // len(mask), 1, 1)[:, None]
        x = F.scaled_dot_product_attention(q, k, v, bias.to(q.dtype).expand(windows, -1, -1, -1))
        return self.proj(x.transpose(1, 2).reshape(windows, area, width))


class Block(nn.Module):
    """Attention in windows, shifted in every second block, then a feed-forward layer."""

    def __init__(self, width: int, heads: int, window: int, shift: int, mlp_ratio: float):
        super().__init__()
        self.window, self.shift = window, shift
        hidden = int(width * mlp_ratio)
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, hidden), "fc2": nn.Linear(hidden, width)})

    def forward(self, x: Tensor, side: int, mask: Tensor | None) -> Tensor:
        """Tokens (B, side*side, C)."""
        batch, _, width = x.shape
        grid = self.norm1(x).view(batch, side, side, width).roll((-self.shift, -self.shift), (1, 2))
        count = side // self.window
        parts = grid.view(batch, count, self.window, count, self.window, width).transpose(2, 3)
        parts = self.attn(parts.reshape(-1, self.window**2, width), mask if self.shift else None)
        grid = parts.view(batch, count, count, self.window, self.window, width).transpose(2, 3)
        grid = grid.reshape(batch, side, side, width).roll((self.shift, self.shift), (1, 2))
        x = x + grid.view(batch, side * side, width)
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))


class Merging(nn.Module):
    """Four neighbours to one token of twice the width: norm, then linear."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor, side: int) -> Tensor:
        """Tokens (B, side*side, C) to (B, side*side/4, 2C)."""
        grid = x.view(len(x), side, side, -1)
        parts = [grid[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(parts, -1).flatten(1, 2)))


class Stage(nn.Module):
    """Blocks of one resolution; the merging that follows belongs to it."""

    def __init__(self, width: int, heads: int, depth: int, side: int, window: int, mlp_ratio: float, merge: bool):
        super().__init__()
        # a window as large as the image needs no shift
        self.side, self.window = side, min(window, side)
        self.shift = 0 if side <= window else window // 2
        shifts = [self.shift if i % 2 else 0 for i in range(depth)]
        self.blocks = nn.ModuleList(Block(width, heads, self.window, shift, mlp_ratio) for shift in shifts)
        self.downsample = Merging(width) if merge else None

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, side*side, C)."""
        mask = shift_mask(self.side, self.window, self.shift, x.device) if self.shift else None
        for block in self.blocks:
            x = block(x, self.side, mask)
        return x if self.downsample is None else self.downsample(x, self.side)


class Swin(nn.Module):
    """Image encoder.

    Args:
        image_size: side of the square input in pixels.
        patch_size: side of a patch.
        window_size: side of an attention window in tokens; every stage's side must be a multiple of it, or at most it.
        embed_dim: width of the first stage; it doubles with each further one.
        depths: blocks of each stage.
        num_heads: heads of each stage.
        mlp_ratio: hidden width of the feed-forward layers, in widths.
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        window_size: int,
        embed_dim: int,
        depths: list[int],
        num_heads: list[int],
        mlp_ratio: float = 4.0,
    ):
        super().__init__()
        self.width = embed_dim * 2 ** (len(depths) - 1)
        self.patch_embed = nn.ModuleDict({
            "proj": nn.Conv2d(3, embed_dim, patch_size, patch_size),
            "norm": nn.LayerNorm(embed_dim),
        })  # fmt: skip
        self.layers = nn.ModuleList(
            Stage(
                embed_dim * 2**i,
                num_heads[i],
                depth,
                image_size // patch_size // 2**i,
                window_size,
                mlp_ratio,
                i < len(depths) - 1,
            )
            for i, depth in enumerate(depths)
        )
        self.norm = nn.LayerNorm(self.width)

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (B, 3, S, S) to (B, 1 + tokens, C): the mean of all tokens, then the tokens."""
        x = self.patch_embed["norm"](self.patch_embed["proj"](pixels).flatten(2).transpose(1, 2))
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        return torch.cat([x.mean(1, keepdim=True), x], 1)


def relative_positions(window: int, device: torch.device) -> Tensor:
    """Row of the bias table for each ordered pair of places in a window, flattened (window**4,)."""
    y, x = torch.meshgrid(*[torch.arange(window, device=device)] * 2, indexing="ij")
    places = torch.stack([y.flatten(), x.flatten()])
    dy, dx = places[:, :, None] - places[:, None, :] + window - 1
    return (dy * (2 * window - 1) + dx).flatten()


def shift_mask(side: int, window: int, shift: int, device: torch.device) -> Tensor:
    """Mask (windows, area, area): pairs that are neighbours only because the shifted image wraps around."""
    place = torch.arange(side, device=device)
    band = (place >= side - window).long() + (place >= side - shift).long()  # before, between, wrapped
    region = band[:, None] * 3 + band[None, :]
    count = side // window
    parts = region.view(count, window, count, window).transpose(1, 2).reshape(count * count, window**2)
    apart = parts[:, None, :] != parts[:, :, None]
    return torch.zeros(apart.shape, device=device).masked_fill(apart, MASKED)
