"""A mini zoo of tiny KonIQ++ and JOINT networks with seeded random weights, and a detector by formula."""

import warnings
from pathlib import Path

import numpy as np
import torch

from hlf.nets import joint, koniqpp
from sr_helpers import picture, write_model

KONIQPP = {
    "network": {
        "stem": 8, "planes": 4, "blocks": [2, 1, 1, 2], "groups": 2, "width_per_group": 32, "side": [4, 4, 8, 8],
    },
    "size": [64, 96], "k": 12.5, "b": 50.0,
}  # fmt: skip
JOINT = {
    "network": {
        "swin": {
            "patch_size": [4, 4], "embed_dim": 8, "depths": [1, 1, 2, 1], "num_heads": [1, 2, 4, 8],
            "window_size": [4, 4],
        },
        "resnet": {"stem": 8, "planes": 4, "blocks": [1, 2, 1, 1]},
        "classes": 12, "hidden": 6,
    },
    "short_side": 110, "crop": 64,
}  # fmt: skip


def networks() -> tuple[koniqpp.KonIQpp, joint.Joint]:
    """Both networks, with statistics of normalisation that are not those of a new layer, in eval mode."""
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(11)
        pair = koniqpp.build(KONIQPP), joint.build(JOINT)
        for network in pair:
            for name, values in network.named_buffers():
                if name.endswith(("running_mean", "running_var")):
                    values.copy_(torch.rand_like(values) + 0.5)
    return pair[0].eval(), pair[1].eval()


def tiny_iqa(root: Path) -> Path:
    """Folders koniqpp/ and joint/ of a mini zoo."""
    for name, config, network in zip(("koniqpp", "joint"), (KONIQPP, JOINT), networks(), strict=True):
        write_model(root / name, config, network.state_dict())
    return root


# what a judge of pictures must give numbers for
PICTURES = {
    "one pixel": np.full((1, 1, 3), 200, np.uint8),
    "one row": picture(1, 90),
    "one column": picture(90, 1),
    "huge": picture(1500, 2000),
    "black": np.zeros((64, 64, 3), np.uint8),
    "white": np.full((64, 64, 3), 255, np.uint8),
    "grey": picture(50, 70)[:, :, :1].repeat(3, 2),
    "no blue": picture(50, 70) * np.array([1, 1, 0], np.uint8),
}


class LeftHalf(torch.nn.Module):
    """Sees artifacts in the left half of every picture, (1, 3, 224, 224) to (1, 1, 224, 224)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = torch.zeros_like(x[:, :1])
        found[:, :, :, :112] = 1.0
        return found


def write_detector(path: Path, network: torch.nn.Module | None = None) -> Path:
    """TorchScript file of a detector."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # see ArtifactDetector
        traced = torch.jit.trace(network or LeftHalf(), torch.zeros(1, 3, 224, 224))
        torch.jit.save(traced, str(path))
    return path
