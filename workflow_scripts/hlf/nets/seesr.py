"""UNet and ControlNet of SeeSR: stock Stable Diffusion networks with a second, image-reading attention in every layer.

Source: official program of SeeSR (Wu et al., CVPR 2024), `use_image_cross_attention`. Parameter names are the official
ones, so published files load strictly. The stock loader of diffusers must not be used for them: it only warns about the
image attention that it leaves out.
"""

from typing import Any

from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from hlf.errors import HlfError
from hlf.nets.stock import only_trainable, stock_arguments

# width of the RAM sequence that the image attention reads; fixed in the official program, not in its config files
IMAGE_WIDTH = 512
# module of both networks that their base does not have
ADDED = ("image_attentions",)
_CONTEXT = "image_context"


class TextImageTransformer(Transformer2DModel):
    """A text transformer whose output goes through its image sibling.

    The image context travels with each call inside `cross_attention_kwargs`. No module remembers it, so the context of
    an earlier image can never be used, and gradient checkpointing, copies and threads need no care.
    """

    # in a tuple, because as an attribute of its own it would be a submodule with a second name for each parameter
    image_sibling: tuple[Transformer2DModel]

    def forward(
        self, hidden_states: Tensor, *args: Any, cross_attention_kwargs: dict[str, Any] | None = None, **kwargs: Any
    ) -> tuple[Tensor]:
        """Features (N, C, h, w) through text attention, then image attention; needs the key `image_context`."""
        rest = dict(cross_attention_kwargs or {})
        context = rest.pop(_CONTEXT, None)
        kwargs.update(cross_attention_kwargs=rest, return_dict=False)
        if context is None:
            raise HlfError("a SeeSR network was called without image_context; pass the RAM sequence of the images")
        (hidden,) = super().forward(hidden_states, *args, **kwargs)
        return self.image_sibling[0](hidden, encoder_hidden_states=context, return_dict=False)


def attach_image_attention(network: Any) -> None:
    """Give each block that owns `attentions` a list `image_attentions` of the same sizes, read after them."""
    blocks: list[Any] = [*network.down_blocks, network.mid_block, *getattr(network, "up_blocks", [])]
    for block in blocks:
        if not hasattr(block, "attentions"):
            continue
        block.image_attentions = nn.ModuleList(_sibling(text) for text in block.attentions)
        for text, image in zip(block.attentions, block.image_attentions, strict=True):
            # the class is exchanged, not the module: names, weights and device stay as the stock network made them
            text.__class__ = TextImageTransformer
            text.image_sibling = (image,)


def _sibling(text: Transformer2DModel) -> Transformer2DModel:
    """Image transformer with heads, width and norm groups of a text transformer."""
    same = ("num_attention_heads", "attention_head_dim", "in_channels", "norm_num_groups", "use_linear_projection")
    return Transformer2DModel(
        **{name: text.config[name] for name in same}, num_layers=1, cross_attention_dim=IMAGE_WIDTH
    )


def _check_context(context: Tensor | None, sample: Tensor) -> None:
    """Raise HlfError unless the context is (N, tokens, 512) for the N samples."""
    shape = () if context is None else tuple(context.shape)
    if len(shape) != 3 or shape[0] != len(sample) or shape[-1] != IMAGE_WIDTH:
        raise HlfError(
            f"image_context is {shape}, expected ({len(sample)}, tokens, {IMAGE_WIDTH}): "
            "the RAM sequence of each image in the batch"
        )


class SeeSRUNet(UNet2DConditionModel):
    """Denoiser; see `unet` for building it from a config file."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        attach_image_attention(self)
        self.register_to_config(use_image_cross_attention=True)

    def forward(  # type: ignore[override]
        self,
        sample: Tensor,
        timestep: Tensor,
        text: Tensor,
        image_context: Tensor,
        residuals: tuple[list[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Predict the noise in a latent.

        Args:
            sample: noisy latents (N, 4, h, w), scaled as the VAE's config says.
            timestep: integers () or (N,) in 0..999.
            text: last hidden state of the text encoder (N, 77, D).
            image_context: RAM sequence (N, tokens, 512).
            residuals: what `SeeSRControlNet` returned for the same call; None: without ControlNet.

        Returns:
            Noise (N, 4, h, w).

        Raises:
            HlfError: image context of another batch or width.
        """
        _check_context(image_context, sample)
        down, mid = residuals or (None, None)
        return super().forward(
            sample,
            timestep,
            text,
            cross_attention_kwargs={_CONTEXT: image_context},
            down_block_additional_residuals=down,
            mid_block_additional_residual=mid,
            return_dict=False,
        )[0]


class SeeSRControlNet(ControlNetModel):
    """Copy of the denoiser's encoder that also sees the low-resolution image."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        attach_image_attention(self)
        self.register_to_config(use_image_cross_attention=True)

    def forward(  # type: ignore[override]
        self,
        sample: Tensor,
        timestep: Tensor,
        text: Tensor,
        image_context: Tensor,
        condition: Tensor,
        scale: float = 1.0,
    ) -> tuple[list[Tensor], Tensor]:
        """Residuals for the denoiser's skip connections and middle.

        Args:
            sample: noisy latents (N, 4, h, w).
            timestep: integers () or (N,).
            text: (N, 77, D).
            image_context: RAM sequence (N, tokens, 512).
            condition: RGB in [0, 1] (N, 3, H, W), never rescaled to [-1, 1]; H and W are the VAE factor times h and w.
            scale: factor of all residuals.

        Raises:
            HlfError: image context of another batch or width.
        """
        _check_context(image_context, sample)
        return super().forward(
            sample,
            timestep,
            text,
            controlnet_cond=condition,
            conditioning_scale=scale,
            cross_attention_kwargs={_CONTEXT: image_context},
            return_dict=False,
        )


def unet(config: dict[str, Any], path: str = "config.json") -> SeeSRUNet:
    """Denoiser of the arguments in a diffusers `config.json`; HlfError names an argument that cannot be honoured."""
    return SeeSRUNet(**_arguments(UNet2DConditionModel, config, path))


def controlnet(config: dict[str, Any], path: str = "config.json") -> SeeSRControlNet:
    """ControlNet of the arguments in a diffusers `config.json`; HlfError names one that cannot be honoured."""
    return SeeSRControlNet(**_arguments(ControlNetModel, config, path))


def _arguments(stock: type[nn.Module], config: dict[str, Any], path: str) -> dict[str, Any]:
    """Constructor arguments among a config's keys. Foreign keys may stand there only switched off."""
    if config.get("use_image_cross_attention") is not True:
        raise HlfError(
            f"{path} lacks use_image_cross_attention: true, so it describes a plain Stable Diffusion network; "
            "give the folder of SeeSR"
        )
    return stock_arguments(stock, config, path, "SeeSR", ("use_image_cross_attention",))


def trainable(unet: SeeSRUNet, controlnet: SeeSRControlNet) -> list[nn.Parameter]:
    """Freeze all but what SeeSR trains: the whole ControlNet and the denoiser's image attention."""
    return [*only_trainable(unet, ADDED), *controlnet.requires_grad_(True).parameters()]
