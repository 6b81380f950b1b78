"""PE-core through open_clip: `encode_image`, that is attention pooling and projection of the image tower."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from hlf.backbones.base import Backbone, Description, Preprocess
from hlf.files import read_json
from hlf.zoo.load import read_state
from hlf.zoo.registry import find_weights, weights_sha256

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
OFFICIAL_NAME = "PE-Core-L-14-336"  # usage example of the PE repository; squash, bilinear


class PeCoreBackbone(Backbone):
    """Embedding (N, embed_dim) of the contrastive space; the text tower is never built."""

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


def read(zoo: str, folder: Path) -> tuple[Description, dict[str, Tensor], Path]:
    """Description and weights: `pe-core/` of the mini zoo, or `PE-Core-L-14-336/` in open_clip's key layout."""
    import open_clip

    paths = find_weights(zoo, folder, "pe-core")
    network = read_json(paths[0]) if zoo == "mini" else open_clip.get_model_config(OFFICIAL_NAME)
    # the file holds the text tower as well, which no score needs
    state = {k.removeprefix("visual."): v for k, v in read_state(paths[-1]).items() if k.startswith("visual.")}
    preprocess = Preprocess(network["vision_cfg"]["image_size"], None, "bilinear", *HALF)
    return Description("pe-core", network, preprocess, zoo, weights_sha256(paths)), state, paths[-1]
