"""Tiny zoo folders with random weights, pictures by formula, and a model whose faults are chosen by the test."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.torch import save_file

from hlf.columns import conform
from hlf.nets import basicsr_adapter
from hlf.sr.base import Descriptor, Upscaler
from hlf.sr.bsrgan import to_official

BSRGAN = {"num_in_ch": 3, "num_out_ch": 3, "scale": 4, "num_feat": 4, "num_block": 1, "num_grow_ch": 4}
SWINIR = {
    "upscale": 4, "in_chans": 3, "img_size": 16, "window_size": 8, "img_range": 1.0, "mlp_ratio": 2, "depths": [2],
    "embed_dim": 8, "num_heads": [2], "upsampler": "nearest+conv", "resi_connection": "1conv",
}  # fmt: skip


def write_model(folder: Path, cfg: dict, state: dict) -> None:
    """A model folder as the mini zoo has them."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(cfg))
    save_file({k: v.contiguous() for k, v in state.items()}, folder / "model.safetensors")


def tiny_zoo(root: Path) -> Path:
    """Mini zoo of tiny BSRGAN and SwinIR networks with seeded random weights and outputs around mid-grey."""
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        rrdb, swin = basicsr_adapter.rrdbnet(**BSRGAN), basicsr_adapter.swinir(**SWINIR)
    rrdb.conv_last.bias.data.fill_(0.5)
    write_model(root / "bsrgan", BSRGAN, to_official(rrdb.state_dict()))
    write_model(root / "swinir", SWINIR, swin.state_dict())
    return root


def picture(height: int, width: int, phase: int = 0) -> np.ndarray:
    """uint8 RGB waves, other for each phase."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 3 + phase), np.cos(y / 4 - phase), np.sin((x + y) / 5 + phase)]
    return np.rint(127.5 + 110 * np.stack(waves, -1)).astype(np.uint8)


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def lr_table(results: Path, ids: list[str], level: float = 0.3, folder: str = "", size=(12, 10)) -> pd.DataFrame:
    """LR files of a run and their table."""
    rows = []
    for phase, image_id in enumerate(ids):
        path = Path("degradation") / repr(level) / folder / f"{image_id}.png"
        data = png(picture(*size, phase))
        (results / path).parent.mkdir(parents=True, exist_ok=True)
        (results / path).write_bytes(data)
        rows.append({
            "run": "t", "image_id": image_id, "level": level, "path": path.as_posix(), "width": size[1],
            "height": size[0], "sha256": hashlib.sha256(data).hexdigest(), "seed": 2**63 + phase, "variant": "bsrgan",
            "plan": "{}",
        })  # fmt: skip
    return conform(pd.DataFrame(rows), "lr")


class Toy(Upscaler):
    """Pixel repetition; faults: phase brightness -> what goes wrong. Remembers the seeds and shapes of its calls."""

    def __init__(self, precision="fp32", nan_in=(), raises=None, black=False, min_side=1, noisy=False):
        rule = Descriptor("toy", "mini", "w" * 64, min_side=min_side, needs_seed=noisy, precisions=("fp32", "bf16"))
        super().__init__(rule, precision)
        self.nan_in, self.raises, self.black, self.noisy = nan_in, raises, black, noisy
        self.calls: list[tuple[tuple[int, ...], list[int], str]] = []

    def upscale(self, lr, seeds, precision=None):
        precision = precision or self.precision
        self.check(lr, seeds)
        self.calls.append((tuple(lr.shape), list(seeds), precision))
        sr = lr.repeat_interleave(4, 2).repeat_interleave(4, 3)
        if self.noisy:
            noise = [torch.rand(sr[0].shape, generator=torch.Generator().manual_seed(s % 2**63)) for s in seeds]
            sr = torch.stack(noise)
        if self.raises is not None and any(bool((one[:, 0, 0] - lr_key(self.raises)).abs().max() < 1e-6) for one in lr):
            raise RuntimeError("out of memory\nsecond line")
        if precision in self.nan_in:
            sr[:, :, 0, 0] = float("nan")
        return sr * (0 if self.black else 1)


def lr_key(phase: int) -> torch.Tensor:
    """First pixel of `picture(.., phase)` as the model sees it."""
    return torch.tensor(picture(1, 1, phase)[0, 0] / 255.0, dtype=torch.float32)
