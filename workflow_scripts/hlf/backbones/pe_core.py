"""PE-core through open_clip: `encode_image`, that is attention pooling and projection of the image tower."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from hlf.backbones.base import Backbone, Description, Preprocess
from hlf.files import read_json
from hlf.nets.pe_keys import from_meta
from hlf.zoo.load import read_state
from hlf.zoo.registry import find_weights, weights_sha256

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class PeCoreBackbone(Backbone):
    """Embedding (N, embed_dim) of the contrastive space (open_clip's `encode_image`); no text tower is ever built."""

    POOLINGS = ("projection",)

    @staticmethod
    def build_tower(network: dict[str, Any]) -> nn.Module:
        """Image tower of an open_clip configuration (`embed_dim`, `vision_cfg`)."""
        import open_clip.timm_model

        import hlf.nets.pe_mini  # noqa: F401  (registers the mini architecture with timm)

        vision = network["vision_cfg"]
        return open_clip.timm_model.TimmModel(
            vision["timm_model_name"],
            embed_dim=network["embed_dim"],
            image_size=vision["image_size"],
            pool=vision.get("timm_pool", "avg"),
            proj=vision.get("timm_proj"),
        )

    def embed(self, pixels: Tensor) -> Tensor:
        """See Backbone."""
        return self.tower(pixels)

    def patch_tokens(self, pixels: Tensor) -> Tensor:
        """See Backbone; before the attention pooling."""
        trunk: Any = self.tower.get_submodule("trunk")  # timm's class, whose attributes no checker knows
        return trunk.forward_features(pixels)[:, trunk.num_prefix_tokens :]


def build(description: Description) -> PeCoreBackbone:
    """Backbone without trained weights."""
    return PeCoreBackbone(description)


def read(zoo: str, folder: Path, entry: str) -> tuple[Description, dict[str, Tensor], Path]:
    """Description and weights: `pe-core/` of the mini zoo, or a file as open_clip's or as Meta's repository has it.

    Official entries lie in a folder of open_clip's name of the model, such as `PE-Core-L-14-336/`.
    """
    import open_clip

    paths = find_weights(zoo, folder, entry)
    network = read_json(paths[0]) if zoo == "mini" else open_clip.get_model_config(paths[-1].parent.name)
    state = read_state(paths[-1])
    if any(key.removeprefix("visual.") == "conv1.weight" for key in state):
        state = from_meta(state)
    else:
        # the file holds the text tower as well, which no score needs
        state = {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")}
    preprocess = Preprocess(network["vision_cfg"]["image_size"], None, "bilinear", *HALF)
    return Description("pe-core", network, preprocess, zoo, weights_sha256(paths)), state, paths[-1]
