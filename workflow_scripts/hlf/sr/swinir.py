"""SwinIR real-world x4 GAN (paper 3.1, reference 18) with the padding of the official test script."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.nets.basicsr_adapter import swinir
from hlf.sr.base import Descriptor, FeedForward
from hlf.sr.options import Option
from hlf.zoo.load import load_strict, read_config, read_state
from hlf.zoo.registry import find_weights, weights_sha256

if TYPE_CHECKING:
    from torch import Tensor, nn

OPTIONS = {"variant": Option("M", choices=("M", "L"))}

# main_test_swinir.py of JingyunLiang/SwinIR, task real_sr; L is its --large_model
_COMMON = {
    "upscale": 4, "in_chans": 3, "img_size": 64, "window_size": 8, "img_range": 1.0, "mlp_ratio": 2,
    "upsampler": "nearest+conv",
}  # fmt: skip
OFFICIAL: dict[str, dict[str, Any]] = {
    "M": {**_COMMON, "depths": [6] * 6, "embed_dim": 180, "num_heads": [6] * 6, "resi_connection": "1conv"},
    "L": {**_COMMON, "depths": [6] * 9, "embed_dim": 240, "num_heads": [8] * 9, "resi_connection": "3conv"},
}
_ENTRIES = {"M": "swinir", "L": "swinir-l"}


def pad(lr: "Tensor", window: int) -> "Tensor":
    """Extend (N, 3, h, w) at the bottom and right to (h // window + 1) * window, likewise w, by mirrored content.

    The edge pixel is repeated, and a side that already is a multiple grows by one whole window: so does the official
    script, and the attention windows make the whole result depend on it. Sides of at least window / 2 are needed.
    """
    import torch

    height, width = ((side // window + 1) * window for side in lr.shape[-2:])
    lr = torch.cat([lr, lr.flip(2)], 2)[:, :, :height]
    return torch.cat([lr, lr.flip(3)], 3)[:, :, :, :width]


class SwinIR(FeedForward):
    """SwinIR with the official padding and cropping around the network."""

    def __init__(self, descriptor: Descriptor, network: "nn.Module", device: str, precision: str, window: int) -> None:
        super().__init__(descriptor, network, device, precision)
        self.window = window

    def forward(self, lr: "Tensor") -> "Tensor":
        """Pad (N, 3, h, w), run, crop to (N, 3, scale*h, scale*w)."""
        scale, (height, width) = self.descriptor.scale, lr.shape[-2:]
        return self.network(pad(lr, self.window))[..., : height * scale, : width * scale]


def load(zoo: str, folder: Path, device: str, precision: str, options: dict[str, Any]) -> SwinIR:
    """Load SwinIR M or L; the files of both zoos have basicsr's key names, buffers included.

    Args:
        zoo: official (`params_ema` inside the .pth) or mini (config.json holds the constructor's arguments).
        folder: folder of that zoo.
        device: cpu or cuda.
        precision: fp32 or bf16; spandrel marks fp16 as unsupported for this architecture.
        options: `variant`, M (default of the official repository) or L.

    Raises:
        HlfError: missing files, or keys and shapes that do not fit.
    """
    variant = options["variant"]
    paths = find_weights(zoo, folder, _ENTRIES[variant])
    cfg = OFFICIAL[variant] if zoo == "official" else read_config(paths[0], ("window_size",))
    network = swinir(**cfg)
    load_strict(network, read_state(paths[-1]), paths[-1])
    window = cfg["window_size"]
    side = window // 2  # mirrored content is at most as long as the image
    descriptor = Descriptor("swinir", zoo, weights_sha256(paths), min_side=side, precisions=("fp32", "bf16"))
    return SwinIR(descriptor, network, device, precision, window)
