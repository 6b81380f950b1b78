"""BSRGAN (paper 3.1, reference 40): RRDBNet x4 on the whole image, no padding, clamped (official cszn/BSRGAN)."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.nets.basicsr_adapter import rrdbnet
from hlf.sr.base import Descriptor, FeedForward
from hlf.sr.options import Option
from hlf.zoo.load import check_state, read_config, read_state
from hlf.zoo.registry import find_weights, weights_sha256

if TYPE_CHECKING:
    from torch import Tensor

OPTIONS: dict[str, Option] = {}

# official generator: in 3, out 3, nf 64, nb 23, gc 32 (main_test_bsrgan.py of cszn/BSRGAN), in basicsr's words
OFFICIAL = {"num_in_ch": 3, "num_out_ch": 3, "scale": 4, "num_feat": 64, "num_block": 23, "num_grow_ch": 32}

_NAMES = {"trunk_conv": "conv_body", "upconv1": "conv_up1", "upconv2": "conv_up2", "HRconv": "conv_hr"}


def from_official(state: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """State dict with the official key names (RRDB_trunk.0.RDB1...) renamed to basicsr's (body.0.rdb1...)."""
    return {_rename(key, r"RRDB_trunk\.(\d+)\.RDB", r"body.\1.rdb", _NAMES): value for key, value in state.items()}


def to_official(state: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """Inverse of `from_official`."""
    names = {new: old for old, new in _NAMES.items()}
    return {_rename(key, r"body\.(\d+)\.rdb", r"RRDB_trunk.\1.RDB", names): value for key, value in state.items()}


def _rename(key: str, pattern: str, replacement: str, names: dict[str, str]) -> str:
    """`key` with its block prefix replaced, or else its first part looked up in `names`."""
    first, dot, rest = key.partition(".")
    return re.sub(f"^{pattern}", replacement, names.get(first, first) + dot + rest)


def load(zoo: str, folder: Path, device: str, precision: str, options: dict[str, Any]) -> FeedForward:
    """Load BSRGAN; both zoos store the official key names.

    Args:
        zoo: official (BSRGAN.pth, a bare state dict) or mini (config.json holds the constructor's arguments).
        folder: folder of that zoo.
        device: cpu or cuda.
        precision: fp32, fp16 or bf16.
        options: none.

    Raises:
        HlfError: missing files, or keys and shapes that do not fit.
    """
    paths = find_weights(zoo, folder, "bsrgan")
    network = rrdbnet(**(OFFICIAL if zoo == "official" else read_config(paths[0])))
    state = read_state(paths[-1])
    # compared under the names of the file, so that the sentence can be looked up in it
    check_state(to_official(network.state_dict()), state, paths[-1])
    network.load_state_dict(from_official(state), strict=True)
    descriptor = Descriptor("bsrgan", zoo, weights_sha256(paths))
    return FeedForward(descriptor, network, device, precision)
