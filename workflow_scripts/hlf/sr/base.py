"""What every super-resolution model offers to the rest: a descriptor and one function."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.images import check_batch

if TYPE_CHECKING:
    from torch import Tensor, nn

PRECISIONS = ("fp32", "fp16", "bf16")


@dataclass(frozen=True)
class Descriptor:
    """What a caller must know of a loaded model.

    Attributes:
        name: model name, as in tables and paths.
        zoo: where the weights come from, mini or official.
        weights_sha256: one digest of all weight files; empty without weights.
        scale: factor between LR and SR side.
        min_side: smallest LR width and height in pixels.
        multiple_of: LR width and height must be multiples of this.
        needs_seed: the result depends on the seeds.
        needs_prompt: the model reads a text; see `Upscaler.texts`.
        precisions: those it can run in; the first one is its own.
        tiles_itself: the model divides large images on its own, in its latent space; `hlf.sr.tiling` leaves it alone.
        texts_sha256: digest of a file of texts that the results depend on; empty without one.
    """

    name: str
    zoo: str
    weights_sha256: str
    scale: int = 4
    min_side: int = 1
    multiple_of: int = 1
    needs_seed: bool = False
    needs_prompt: bool = False
    precisions: tuple[str, ...] = PRECISIONS
    tiles_itself: bool = False
    texts_sha256: str = ""


class Upscaler(ABC):
    """A loaded SR model on its device.

    Attributes:
        descriptor: facts about the model.
        precision: the one it runs in unless a call says otherwise.
    """

    def __init__(self, descriptor: Descriptor, precision: str) -> None:
        if precision not in descriptor.precisions:
            raise HlfError(
                f"model '{descriptor.name}' cannot run in precision '{precision}', "
                f"expected one of {', '.join(descriptor.precisions)}"
            )
        self.descriptor = descriptor
        self.precision = precision

    @abstractmethod
    def upscale(self, lr: "Tensor", seeds: list[int], precision: str | None = None) -> "Tensor":
        """Super-resolve a batch.

        Args:
            lr: float32 RGB (N, 3, h, w) in [0, 1].
            seeds: one per image; the result of an image depends on its own seed only. Ignored without `needs_seed`.
            precision: instead of the loaded one, for a second try in fp32.

        Returns:
            float32 RGB (N, 3, scale*h, scale*w) in [0, 1] on the device of `lr`; NaN where the model failed.

        Raises:
            HlfError: wrong shape, range, size or number of seeds.
        """

    def texts(self, lr: "Tensor") -> list[tuple[str, str]]:
        """Prompt and tags of each image of `lr` (N, 3, h, w), as the model uses them; empty where it reads no text."""
        return [("", "")] * len(lr)

    def introduce(self, image: "Tensor", image_id: str, level: float) -> None:  # noqa: B027 (most models need no name)
        """Tell the model the name of an image (3, h, w) before anything is asked about it."""

    def check(self, lr: "Tensor", seeds: list[int]) -> None:
        """Raise HlfError unless `lr` and `seeds` keep the contract of `upscale`."""
        rule = self.descriptor
        check_batch(lr, f"input of model '{rule.name}'")
        if len(seeds) != len(lr):
            raise HlfError(f"model '{rule.name}' got {len(lr)} images and {len(seeds)} seeds, expected one seed each")
        height, width = lr.shape[-2:]
        if min(height, width) < rule.min_side or height % rule.multiple_of or width % rule.multiple_of:
            raise HlfError(
                f"model '{rule.name}' got an image of {width}x{height}, expected sides of at least {rule.min_side} "
                f"that are multiples of {rule.multiple_of}"
            )


class FeedForward(Upscaler):
    """A network that maps LR to SR in one pass without noise or text: BSRGAN, SwinIR."""

    def __init__(self, descriptor: Descriptor, network: "nn.Module", device: str, precision: str) -> None:
        super().__init__(descriptor, precision)
        self.network = network.eval().requires_grad_(False).to(device)
        self.device = device

    def forward(self, lr: "Tensor") -> "Tensor":
        """The model's own recipe around the network: (N, 3, h, w) to (N, 3, scale*h, scale*w), not clamped yet."""
        return self.network(lr)

    def upscale(self, lr: "Tensor", seeds: list[int], precision: str | None = None) -> "Tensor":
        """See `Upscaler.upscale`. Lower precisions run as autocast over float32 weights."""
        import torch

        self.check(lr, seeds)
        kind = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision or self.precision]
        low = kind is not torch.float32
        with (
            torch.inference_mode(),
            fixed_kernels(),
            torch.autocast(self.device, dtype=kind if low else None, enabled=low),
        ):
            sr = self.forward(lr.to(self.device)).float().clamp(0.0, 1.0)
        rule, (height, width) = self.descriptor, lr.shape[-2:]
        if sr.shape[-2:] != (height * rule.scale, width * rule.scale):
            raise HlfError(f"model '{rule.name}' made {tuple(sr.shape)} of {tuple(lr.shape)}, expected x{rule.scale}")
        return sr.to(lr.device)


def fixed_kernels() -> "AbstractContextManager[None]":
    """Context in which a GPU computes the same bits each time, and float32 convolutions with all their bits."""
    import torch

    # TF32 would cut float32 convolutions to 10 bits; autotuning would pick kernels by chance
    flags: AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    return flags
