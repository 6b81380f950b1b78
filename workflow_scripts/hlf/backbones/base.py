"""What a backbone is: a tower behind one differentiable preprocessing of tensors in [0, 1]."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from hlf.errors import HlfError


@dataclass(frozen=True)
class Preprocess:
    """Resize, crop and normalisation of one backbone, the rules of its own library (docs/design.md).

    Attributes:
        size: side of the tower's input in pixels.
        short_side: resize the short side to this, then crop the centre; None: squash to size x size.
        mode: "bilinear" or "bicubic", antialiased.
        mean: per channel, subtracted after the resize.
        std: per channel, divided by after the mean.
    """

    size: int
    short_side: int | None
    mode: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to the normalised (N, 3, size, size); differentiable."""
        height, width = images.shape[-2:]
        target = (self.size, self.size)
        if self.short_side is not None:
            short = min(height, width)
            # torchvision's rule: the long side is cut to an integer, not rounded
            target = (int(height * self.short_side / short), int(width * self.short_side / short))
        x = images
        if target != (height, width):
            x = F.interpolate(x, target, mode=self.mode, antialias=True, align_corners=False)
            if self.mode == "bicubic":
                x = x.clamp(0, 1)
        if self.short_side is not None:
            top, left = round((target[0] - self.size) / 2), round((target[1] - self.size) / 2)
            x = x[..., top : top + self.size, left : left + self.size]
        return (x - x.new_tensor(self.mean)[:, None, None]) / x.new_tensor(self.std)[:, None, None]


# mean and standard deviation of CLIP's training images, the numbers of OpenAI's repository
CLIP_STATISTICS = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


def clip_preprocess(size: int) -> Preprocess:
    """A whole picture squashed to size x size, bicubic, with CLIP's statistics."""
    return Preprocess(size, None, "bicubic", *CLIP_STATISTICS)


@dataclass(frozen=True)
class Description:
    """All that is needed to build a backbone without its weights; saved beside tuned weights.

    Attributes:
        name: registry name, such as "dinov2".
        network: arguments of the library's own class.
        preprocess: from images in [0, 1] to the tower's input.
        zoo: "mini" or "official".
        weights_sha256: digest of the files that the weights came from.
        pooling: what of the tower's output is compared, one of the class's POOLINGS; "" is the first of them.
    """

    name: str
    network: dict[str, Any]
    preprocess: Preprocess
    zoo: str
    weights_sha256: str
    pooling: str = ""

    def squashed(self) -> "Description":
        """The same without a centre crop, which hides content (`metric.resize_mode: squash`)."""
        return replace(self, preprocess=replace(self.preprocess, short_side=None))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a config.json."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "Description":
        """The reverse of `to_dict`."""
        pre = values["preprocess"]
        preprocess = Preprocess(**{**pre, "mean": tuple(pre["mean"]), "std": tuple(pre["std"])})
        return Description(**{**values, "preprocess": preprocess})


class Backbone(nn.Module, ABC):
    """Image tower with its preprocessing; subclasses say how the tower is built and gives an embedding.

    Attributes:
        POOLINGS: names of what of the tower's output can be compared, the default first.
    """

    POOLINGS: tuple[str, ...]

    def __init__(self, description: Description):
        super().__init__()
        if description.pooling and description.pooling not in self.POOLINGS:
            raise HlfError(
                f"metric.pooling of {description.name} is '{description.pooling}', expected one of "
                f"{', '.join(self.POOLINGS)}"
            )
        self.description = description
        self.pooling = description.pooling or self.POOLINGS[0]
        self.tower = self.build_tower(description.network)

    @staticmethod
    @abstractmethod
    def build_tower(network: dict[str, Any]) -> nn.Module:
        """The library's own network from its arguments, without trained weights."""

    @abstractmethod
    def embed(self, pixels: Tensor) -> Tensor:
        """Normalised (N, 3, size, size) to (N, D)."""

    @abstractmethod
    def patch_tokens(self, pixels: Tensor) -> Tensor:
        """Normalised (N, 3, size, size) to the last layer's patch tokens (N, g * g, width), row by row."""

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) float in [0, 1] to embeddings (N, D), float32, not normalised; differentiable."""
        return self.embed(self.description.preprocess(images)).float()

    def tokens(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) float in [0, 1] to patch tokens (N, g * g, width), float32; differentiable."""
        return self.patch_tokens(self.description.preprocess(images)).float()

    def distance(self, sr: Tensor, gt: Tensor) -> Tensor:
        """What `forward` gave for SR and GT to the metric's raw value (N,): 0 = same, lower is better."""
        return hlf_distance(sr, gt)


def hlf_distance(a: Tensor, b: Tensor) -> Tensor:
    """1 - cosine of embeddings (N, D), in float32: 0 for equal ones, up to 2 (paper 4.2, Figure 5).

    The cosine is torch's, whose epsilon keeps the gradient finite where both are equal.
    """
    return 1 - F.cosine_similarity(a.float(), b.float(), dim=-1)
