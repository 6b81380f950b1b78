"""Full-size weights that need no file: every value follows from a seed and the name of its tensor."""

import zlib

import numpy as np
import torch


def fill(state: dict, seed: int) -> dict:
    """A state dict with values by the rule in `filler` of the metrics' manifest; integer tensors stay as they are."""
    return {key: _values(key, value, seed) if value.is_floating_point() else value for key, value in state.items()}


def _values(key: str, value: torch.Tensor, seed: int) -> torch.Tensor:
    shape, last = tuple(value.shape), key.rpartition(".")[2]
    draws = np.random.RandomState(zlib.crc32(f"{seed}|{key}".encode()) & 0xFFFFFFFF)
    n = draws.standard_normal(int(np.prod(shape))).reshape(shape)
    if last == "running_mean":
        n = 0.1 * n
    elif last == "running_var":
        n = 1 + 0.2 * np.abs(n)
    elif n.ndim >= 2:
        n = n / np.sqrt(np.prod(shape[1:]))
    else:
        n = 1 + 0.1 * n if last == "weight" else 0.1 * n
    return torch.from_numpy(n.astype(np.float32))


def largest(name: str, ours, theirs, tolerance: float) -> None:
    """Print the largest difference of two arrays, and fail where it is above the tolerance."""
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    assert ours.shape == theirs.shape, name
    worst = float(np.abs(ours - theirs).max())
    print(f"{name}: largest difference {worst:.3g}, allowed {tolerance:g}")
    assert worst <= tolerance, name


def same_keys(network: torch.nn.Module, manifest: dict, count: int) -> None:
    """Fail unless the network has exactly the official tensors, `count` of them, in name, order, shape and type."""
    assert len(manifest) == count and list(network.state_dict()) == list(manifest)
    ours = {
        key: {"shape": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}
        for key, value in network.state_dict().items()
    }
    assert ours == manifest
