"""Networks of PASD: pixel-aware UNet, full and light, and its ControlNet (Yang et al., ECCV 2024, section 3.3).

Own code, on the blocks of diffusers. The full UNet has, after the text attention of each decoder layer, one more
transformer whose context are all pixels of the ControlNet residual that the layer's skip connection receives as well.
The light UNet has one more attention inside each text transformer instead. Names of parameters are the official ones
(yangxy/PASD).
"""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, cat, nn

from hlf.errors import HlfError
from hlf.nets.pasd_condition import ConditionEmbedding
from hlf.nets.stock import only_trainable, stock_arguments

Residuals = tuple[list[Tensor], Tensor]
# modules of the denoiser that its base does not have: of the full variant, then of the light one
ADDED = ("pixel_attentions", "proj_in_plus", "norm2_plus", "attn2_plus")
_PIXELS = "pixel_context"
# arguments of diffusers' UNet beyond Stable Diffusion 1 and 2: with any of them a latent goes another way
_FOREIGN = (
    "center_input_sample", "class_embed_type", "num_class_embeds", "addition_embed_type", "encoder_hid_dim",
    "encoder_hid_dim_type", "time_cond_proj_dim", "time_embedding_act_fn", "dual_cross_attention",
)  # fmt: skip


def tokens(residual: Tensor) -> Tensor:
    """Pixels (N, C, h, w) as a sequence (N, h*w, C)."""
    return residual.flatten(2).transpose(1, 2)


class _Decoder(UNet2DConditionModel, metaclass=ABCMeta):
    """Stable Diffusion's UNet with its forward written out, because residuals must reach the decoder's layers."""

    def forward(  # type: ignore[override]
        self, sample: Tensor, timestep: Tensor, text: Tensor, residuals: Residuals
    ) -> Tensor:
        """Predict the noise in a latent.

        Args:
            sample: noisy latents (N, 4, h, w), scaled as the VAE's config says; any size.
            timestep: integers () or (N,) in 0..999.
            text: last hidden state of the text encoder (N, 77, D).
            residuals: what `PasdControlNet` returned for the same call.

        Returns:
            Noise (N, 4, h, w).

        Raises:
            HlfError: residuals of another network.
        """
        blocks: Any = self
        time = blocks.time_embedding(self.get_time_embed(sample, timestep))
        x = blocks.conv_in(sample)
        skips = [x]
        for block in blocks.down_blocks:
            x, seen = block(x, time, **_text(block, text))
            skips += seen
        down, middle = residuals
        if [r.shape for r in down] != [s.shape for s in skips]:
            raise HlfError(
                f"PASD's UNet got {len(down)} residuals of other shapes than its {len(skips)} skip connections; "
                "UNet and ControlNet belong to other models"
            )
        x = blocks.mid_block(x, time, **_text(blocks.mid_block, text)) + middle
        pairs = list(zip(skips, down, strict=True))
        for block in blocks.up_blocks:
            for layer, resnet in enumerate(block.resnets):
                skip, residual = pairs.pop()
                # the residual is used twice: added to the skip connection, and as context of the attention
                x = self.look(block, layer, resnet(cat([x, skip + residual], 1), time), text, residual)
            for upsampler in block.upsamplers or []:
                x = upsampler(x, pairs[-1][0].shape[-2:])
        noise: Tensor = blocks.conv_out(blocks.conv_act(blocks.conv_norm_out(x)))
        return noise

    @abstractmethod
    def look(self, block: Any, layer: int, x: Tensor, text: Tensor, residual: Tensor) -> Tensor:
        """Features (N, C, h, w) of a decoder layer after its attentions; each variant has its own way."""

    def decoder_layers(self) -> Iterator[tuple[Any, int, int]]:
        """Block, its number of heads and width of the residual, for each decoder layer in the order of running."""
        config: Any = self.config
        widths, layers = config["block_out_channels"], config["layers_per_block"]
        heads = config["num_attention_heads"] or config["attention_head_dim"]
        per_block = [heads] * len(widths) if isinstance(heads, int) else list(heads)
        # of the skip connections: first convolution, then each level's layers and, but for the last, its downsampling
        skips = [widths[0]]
        for level, width in enumerate(widths):
            skips += [width] * (layers + (level < len(widths) - 1))
        up_blocks: Any = self.up_blocks
        for block, count in zip(up_blocks, reversed(per_block), strict=True):
            for _ in block.resnets:
                yield block, count, skips.pop()


def _text(block: Any, text: Tensor) -> dict[str, Tensor]:
    """Text argument for blocks that read text."""
    return {"encoder_hidden_states": text} if getattr(block, "has_cross_attention", False) else {}


class PasdUNet(_Decoder):
    """Full variant, `pasd` and `pasd_rrdb`; see `unet` for building it from a config file."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        for block, heads, context in self.decoder_layers():
            if not hasattr(block, "pixel_attentions"):
                block.pixel_attentions = nn.ModuleList()
            width = block.resnets[0].out_channels
            block.pixel_attentions.append(
                Transformer2DModel(
                    heads,
                    width // heads,
                    in_channels=width,
                    cross_attention_dim=context,
                    norm_num_groups=self.config["norm_num_groups"],
                    use_linear_projection=self.config["use_linear_projection"],
                )
            )

    def look(self, block: Any, layer: int, x: Tensor, text: Tensor, residual: Tensor) -> Tensor:
        """Features (N, C, h, w) after text attention, where the block has it, and pixel-aware attention."""
        if hasattr(block, "attentions"):
            (x,) = block.attentions[layer](x, encoder_hidden_states=text, return_dict=False)
        (x,) = block.pixel_attentions[layer](x, encoder_hidden_states=tokens(residual), return_dict=False)
        return x


class LightBlock(BasicTransformerBlock):
    """Transformer block with one more attention, on pixels, between text attention and feed-forward."""

    norm2_plus: nn.LayerNorm
    attn2_plus: Attention

    def forward(  # type: ignore[override]
        self, hidden: Tensor, *, encoder_hidden_states: Tensor, cross_attention_kwargs: dict[str, Any], **_: Any
    ) -> Tensor:
        """Sequence (N, h*w, C); needs the key `pixel_context` (N, h*w, c)."""
        block: Any = self
        hidden = hidden + block.attn1(block.norm1(hidden))
        hidden = hidden + block.attn2(block.norm2(hidden), encoder_hidden_states)
        hidden = hidden + block.attn2_plus(block.norm2_plus(hidden), cross_attention_kwargs[_PIXELS])
        moved: Tensor = block.ff(block.norm3(hidden))
        return hidden + moved


class PasdLightUNet(_Decoder):
    """Light variant, `pasd_light` and `pasd_light_rrdb`: the first decoder block has no pixel attention."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        done: dict[int, int] = {}
        for block, heads, context in self.decoder_layers():
            layer = done.setdefault(id(block), 0)
            done[id(block)] += 1
            if not hasattr(block, "attentions"):
                continue
            transformer = block.attentions[layer]
            transformer.proj_in_plus = nn.Conv2d(context, context, 1)
            for inner in transformer.transformer_blocks:
                width = inner.norm2.normalized_shape[0]
                # the class is exchanged, not the module: names and weights stay as the stock network made them
                inner.__class__ = LightBlock
                inner.norm2_plus = nn.LayerNorm(width)
                inner.attn2_plus = Attention(width, context, heads=heads, dim_head=width // heads)

    def look(self, block: Any, layer: int, x: Tensor, text: Tensor, residual: Tensor) -> Tensor:
        """Features (N, C, h, w) after one transformer that attends to text and pixels, where the block has any."""
        if not hasattr(block, "attentions"):
            return x
        transformer = block.attentions[layer]
        pixels = {_PIXELS: tokens(transformer.proj_in_plus(residual))}
        (x,) = transformer(x, encoder_hidden_states=text, cross_attention_kwargs=pixels, return_dict=False)
        return x


class PasdControlNet(ControlNetModel):
    """Copy of the denoiser's encoder behind PASD's own image embedding."""

    controlnet_cond_embedding: ConditionEmbedding  # type: ignore[assignment]

    def __init__(self, use_rrdb: bool = False, return_rgbs: bool = True, **config: Any) -> None:
        super().__init__(**config)
        channels = tuple(self.config["conditioning_embedding_out_channels"])
        self.controlnet_cond_embedding = ConditionEmbedding(
            self.config["block_out_channels"][0], channels, use_rrdb, return_rgbs
        )
        self.register_to_config(use_rrdb=use_rrdb, return_rgbs=return_rgbs)

    def forward(  # type: ignore[override]
        self, sample: Tensor, timestep: Tensor, text: Tensor, condition: Tensor, scale: float = 1.0
    ) -> Residuals:
        """Residuals for the denoiser's skip connections and middle.

        Args:
            sample: noisy latents (N, 4, h, w).
            timestep: integers () or (N,).
            text: (N, 77, D).
            condition: RGB in [0, 1] (N, 3, H, W), never rescaled to [-1, 1]; H and W are the VAE factor times h and w.
            scale: factor of all residuals.
        """
        return super().forward(
            sample, timestep, text, controlnet_cond=condition, conditioning_scale=scale, return_dict=False
        )


def unet(config: dict[str, Any], keys: Iterable[str] = (), path: str = "config.json") -> PasdUNet | PasdLightUNet:
    """Denoiser of the arguments in a diffusers `config.json`.

    Args:
        config: content of the file.
        keys: names in the weights file; the config does not tell the light variant from the full one.
        path: the file, for sentences.

    Raises:
        HlfError: an argument that cannot be honoured.
    """
    for key in _FOREIGN:
        if config.get(key) not in (None, False):
            raise HlfError(
                f"{path} sets {key} to {config[key]!r}, which PASD's network does not have; give the file of PASD"
            )
    own = stock_arguments(UNet2DConditionModel, config, path, "PASD")
    return PasdLightUNet(**own) if any(".attn2_plus." in key for key in keys) else PasdUNet(**own)


def controlnet(config: dict[str, Any], keys: Iterable[str] = (), path: str = "config.json") -> PasdControlNet:
    """ControlNet of the arguments in a diffusers `config.json`.

    Args:
        config: content of the file; older ones do not say `use_rrdb`.
        keys: names in the weights file, which tell it then.
        path: the file, for sentences.

    Raises:
        HlfError: an argument that cannot be honoured.
    """
    found = any(".preprocesser." in key for key in keys)
    own = {"use_rrdb": config.get("use_rrdb", found), "return_rgbs": config.get("return_rgbs", True)}
    return PasdControlNet(**own, **stock_arguments(ControlNetModel, config, path, "PASD", tuple(own)))


def trainable(unet: PasdUNet, controlnet: PasdControlNet) -> list[nn.Parameter]:
    """Freeze all but what PASD trains: the whole ControlNet and the denoiser's pixel attention."""
    return [*only_trainable(unet, ADDED), *controlnet.requires_grad_(True).parameters()]
