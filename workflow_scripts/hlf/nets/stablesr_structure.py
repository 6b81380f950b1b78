"""Time-aware structure encoder of StableSR (paper section 3.1; official class EncoderUNetModelWT).

It reads the latent of the low-resolution image and the timestep, and gives features of one width at each level of the
denoiser. No library has this network; module names are the official ones, so published tensors need no mapping.
"""

from typing import Any

from diffusers.models.embeddings import get_timestep_embedding
from torch import Tensor, nn
from torch.nn import functional as F

from hlf.errors import HlfError

OFFICIAL: dict[str, Any] = {
    "channels": 256,
    "out_channels": 256,
    "channel_mult": [1, 1, 2, 2],
    "res_blocks": 2,
    "attention_levels": [0, 1, 2],
    "heads": 4,
    "groups": 32,
}
_EPS = 1e-5


class _Resnet(nn.Module):
    def __init__(self, channels: int, time: int, out: int, groups: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(groups, channels, _EPS), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time, out))
        # the official place 2 holds dropout, which is off
        self.out_layers = nn.Sequential(
            nn.GroupNorm(groups, out, _EPS), nn.SiLU(), nn.Identity(), nn.Conv2d(out, out, 3, padding=1)
        )
        self.skip_connection = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor, temb: Tensor) -> Tensor:
        """Features (N, C, h, w) and time embedding (N, T) to (N, C', h, w)."""
        hidden = self.in_layers(x) + self.emb_layers(temb)[..., None, None]
        out: Tensor = self.skip_connection(x) + self.out_layers(hidden)
        return out


class _Attention(nn.Module):
    def __init__(self, channels: int, heads: int, groups: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, channels, _EPS)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, _: Tensor) -> Tensor:
        """Features (N, C, h, w) to the same shape; the time embedding is not used."""
        tokens = self.qkv(self.norm(x.flatten(2)))  # (N, 3C, hw)
        # rows are ordered by head first, then query, key, value: (N, heads, 3, C / heads, hw)
        q, k, v = tokens.unflatten(1, (self.heads, 3, -1)).transpose(-1, -2).unbind(2)
        read = F.scaled_dot_product_attention(q, k, v).transpose(-1, -2).flatten(1, 2)
        return x + self.proj_out(read).view_as(x)


class _Down(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor, _: Tensor) -> Tensor:
        """Features (N, C, h, w) to half their sides; the time embedding is not used."""
        halved: Tensor = self.op(x)
        return halved


class StructureEncoder(nn.Module):
    """See the module's text; `OFFICIAL` holds the arguments of the published model.

    Args:
        channels: at the first level; the time embedding has four times as many.
        out_channels: of all features.
        channel_mult: width of each level in `channels`.
        res_blocks: per level.
        attention_levels: levels with self-attention after each residual block.
        heads: of every attention.
        groups: of every group norm.
        in_channels: of the latent.
    """

    def __init__(
        self,
        channels: int,
        out_channels: int,
        channel_mult: list[int],
        res_blocks: int,
        attention_levels: list[int],
        heads: int,
        groups: int,
        in_channels: int = 4,
    ) -> None:
        super().__init__()
        self.channels, self.levels = channels, len(channel_mult)
        time, width = 4 * channels, channels
        self.time_embed = nn.Sequential(nn.Linear(channels, time), nn.SiLU(), nn.Linear(time, time))
        first: nn.Module = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.input_blocks = nn.ModuleList([nn.ModuleList([first])])
        widths = []
        for level, times in enumerate(channel_mult):
            for _ in range(res_blocks):
                layers: list[nn.Module] = [_Resnet(width, time, times * channels, groups)]
                width = times * channels
                if level in attention_levels:
                    layers.append(_Attention(width, heads, groups))
                self.input_blocks.append(nn.ModuleList(layers))
            widths.append(width)
            if level < self.levels - 1:
                self.input_blocks.append(nn.ModuleList([_Down(width)]))
        self.middle_block = nn.ModuleList(
            [_Resnet(width, time, width, groups), _Attention(width, heads, groups), _Resnet(width, time, width, groups)]
        )
        self.fea_tran = nn.ModuleList([_Resnet(one, time, out_channels, groups) for one in widths])

    def forward(self, latent: Tensor, timestep: Tensor) -> list[Tensor]:
        """Features of each level.

        Args:
            latent: of the low-resolution image, scaled, without noise (N, 4, h, w).
            timestep: of the denoiser's call, in 0..999, () or (N,).

        Returns:
            (N, out_channels, h / 2**i, w / 2**i) for each level i.
        """
        # cosines first, exponents k / (d / 2)
        sines = get_timestep_embedding(timestep.expand(len(latent)), self.channels, True, downscale_freq_shift=0)
        temb = self.time_embed(sines.to(latent.dtype))
        blocks: list[Any] = list(self.input_blocks)
        hidden: Tensor = blocks[0][0](latent)
        taps = []
        for block in blocks[1:]:
            if isinstance(block[0], _Down):
                taps.append(hidden)
            for layer in block:
                hidden = layer(hidden, temb)
        for layer in self.middle_block:
            hidden = layer(hidden, temb)
        return [transform(tap, temb) for transform, tap in zip(self.fea_tran, [*taps, hidden], strict=True)]


def build(config: dict[str, Any], path: str = "config.json") -> StructureEncoder:
    """Encoder of constructor arguments; HlfError when one is missing, unknown or impossible."""
    try:
        return StructureEncoder(**config)
    except (TypeError, ValueError) as error:
        raise HlfError(f"{path} cannot be built into StableSR's structure encoder ({error}); fetch it again") from error
