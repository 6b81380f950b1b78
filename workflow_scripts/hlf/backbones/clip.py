"""CLIP through transformers: the image embedding of the contrastive space."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from hlf.backbones.base import CLIP_STATISTICS, Backbone, Description, Preprocess, clip_preprocess
from hlf.backbones.hub import arguments, hub_state
from hlf.zoo.load import read_config, read_state
from hlf.zoo.registry import find_weights, weights_sha256

# OpenAI's names of what stands once, and of one block; the file of the mini CLIP has them, as CLIP-IQA needs it so
_ONCE = {
    "class_embedding": "embeddings.class_embedding",
    "conv1.weight": "embeddings.patch_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
}
_NORMS = {"ln_pre": "pre_layrnorm", "ln_post": "post_layernorm"}
_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


class ClipBackbone(Backbone):
    """Pooling "projection": (N, projection_dim); "pooler": the class token before it, (N, hidden_size)."""

    POOLINGS = ("projection", "pooler")

    @staticmethod
    def build_tower(network: dict[str, Any]) -> nn.Module:
        """CLIPVisionModelWithProjection from the arguments of CLIPVisionConfig."""
        from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

        return CLIPVisionModelWithProjection(CLIPVisionConfig(**arguments(network)))

    def embed(self, pixels: Tensor) -> Tensor:
        """See Backbone."""
        if self.pooling == "pooler":
            return self.tower.get_submodule("vision_model")(pixel_values=pixels).pooler_output
        return self.tower(pixel_values=pixels).image_embeds

    def patch_tokens(self, pixels: Tensor) -> Tensor:
        """See Backbone; before the last LayerNorm, which transformers gives the class token only."""
        return self.tower.get_submodule("vision_model")(pixel_values=pixels).last_hidden_state[:, 1:]


def from_openai(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Image tower of an OpenAI state dict (`visual.*`) under the names of transformers; no shape changes."""
    visual = {key.removeprefix("visual."): value for key, value in state.items() if key.startswith("visual.")}
    found = {"visual_projection.weight": visual.pop("proj").T.contiguous()}
    for key, value in visual.items():
        if key in _ONCE:
            found[f"vision_model.{_ONCE[key]}"] = value
        elif key.startswith(tuple(_NORMS)):
            name, kind = key.split(".")
            found[f"vision_model.{_NORMS[name]}.{kind}"] = value
        else:
            _, _, number, inner = key.split(".", 3)
            block = f"vision_model.encoder.layers.{number}"
            if inner.startswith("attn.in_proj_"):
                kind = inner.removeprefix("attn.in_proj_")
                names = [f"{block}.self_attn.{part}_proj.{kind}" for part in "qkv"]
                found |= dict(zip(names, value.chunk(3), strict=True))
            else:
                name, _, kind = inner.rpartition(".")
                found[f"{block}.{_BLOCK[name]}.{kind}"] = value
    return found


def build(description: Description) -> ClipBackbone:
    """Backbone without trained weights."""
    return ClipBackbone(description)


def read(zoo: str, folder: Path, entry: str) -> tuple[Description, dict[str, Tensor], Path]:
    """Description and weights: `clip/` of the mini zoo, or the hub folder `clip-vit-base-patch32/` as published."""
    paths = find_weights(zoo, folder, entry)
    if zoo == "mini":
        network, preprocess, state = _mini(paths)
    else:
        from transformers import CLIPVisionModelWithProjection

        config = read_config(paths[0], ("vision_config", "projection_dim"))
        network = {**config["vision_config"], "projection_dim": config["projection_dim"]}
        side = {"image_size": 224, **network}["image_size"]  # the class's default, which published files may leave out
        preprocess = Preprocess(side, side, "bicubic", *CLIP_STATISTICS)
        state = hub_state(CLIPVisionModelWithProjection, paths[0].parent)
    return Description("clip", network, preprocess, zoo, weights_sha256(paths)), state, paths[1]


def _mini(paths: list[Path]) -> tuple[dict[str, Any], Preprocess, dict[str, Tensor]]:
    """Arguments, preprocessing and weights of the mini CLIP, an open_clip configuration with OpenAI's names."""
    config = read_config(paths[0], ("vision_cfg", "embed_dim"))
    vision = config["vision_cfg"]
    network = {
        "hidden_size": vision["width"], "intermediate_size": 4 * vision["width"],
        "num_hidden_layers": vision["layers"], "num_attention_heads": vision["width"] // vision["head_width"],
        "image_size": vision["image_size"], "patch_size": vision["patch_size"], "projection_dim": config["embed_dim"],
        "hidden_act": "quick_gelu",
    }  # fmt: skip
    return network, clip_preprocess(vision["image_size"]), from_openai(read_state(paths[1]))
