"""Reading checkpoints: safetensors or tensor-only pickles, checked key by key against the network."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hlf.errors import HlfError
from hlf.files import read_json
from hlf.zoo.shapes import Header, difference

if TYPE_CHECKING:
    from torch import Tensor, nn

Network = TypeVar("Network", bound="nn.Module")

WRAPPERS = ("params_ema", "params", "state_dict")


def read_checkpoint(path: str | Path, mapped: bool = False, trusted: bool = False, setting: str = "") -> Any:
    """Content of a checkpoint file, on the CPU: usually a dict of tensors, or one that holds such a dict.

    Args:
        path: .safetensors, or .pth/.pt/.bin/.ckpt, which is opened with `weights_only=True`: no code of the file runs.
        mapped: tensors are read from the file when they are used, for files of gigabytes; the file must stay as it is
            while the tensors live.
        trusted: open a pickle with `weights_only=False`, which runs code of the file.
        setting: configuration key that sets `trusted`, for the sentence.

    Raises:
        HlfError: missing, truncated or no checkpoint.
    """
    import torch
    from safetensors.torch import load, load_file

    path = Path(path)
    if not path.is_file():
        raise HlfError(f"checkpoint {path} does not exist; `hlf zoo check` tells what is missing")
    try:
        if path.suffix == ".safetensors":
            return load_file(path) if mapped else load(path.read_bytes())
        if path.suffix in (".pth", ".pt", ".bin", ".ckpt"):
            # only the zip format can be mapped, not the one before torch 1.6
            mapped = mapped and zipfile.is_zipfile(path)
            return torch.load(path, map_location="cpu", weights_only=not trusted, mmap=mapped)
    except Exception as error:  # truncated archives, pickles with code and plain text all fail with types of their own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        advice = (
            f"; should it be whole but hold other objects than tensors, and you trust its source, set {setting} to true"
        )
        raise HlfError(
            f"checkpoint {path} cannot be read as tensors ({reason}); it is truncated or no checkpoint, fetch it again"
            + (advice if setting and not trusted and path.suffix != ".safetensors" else "")
        ) from error
    raise HlfError(f"checkpoint {path}: expected a name ending in .safetensors, .pth, .pt, .bin or .ckpt")


def read_state(
    path: str | Path,
    keys: tuple[str, ...] = WRAPPERS,
    mapped: bool = False,
    trusted: bool = False,
    setting: str = "",
) -> "dict[str, Tensor]":
    """State dict of a checkpoint file, unwrapped with `unwrap`.

    Args:
        path: see `read_checkpoint`.
        keys: outer keys that may hold the state dict, first match wins.
        mapped: see `read_checkpoint`.
        trusted: see `read_checkpoint`.
        setting: see `read_checkpoint`.

    Raises:
        HlfError: missing, truncated or not a checkpoint of tensors.
    """
    return state_dict(read_checkpoint(path, mapped, trusted, setting), path, keys)


def state_dict(content: Any, path: str | Path, keys: tuple[str, ...] = WRAPPERS) -> "dict[str, Tensor]":
    """State dict in the content of the checkpoint `path`, unwrapped with `unwrap`; HlfError unless all are tensors."""
    import torch

    state = unwrap(content, keys)
    wrong = [str(k) for k, v in state.items() if not isinstance(v, torch.Tensor)] if state else ["nothing"]
    if wrong:
        raise HlfError(f"checkpoint {path} is not a state dict: '{wrong[0]}' is no tensor; fetch the right file")
    return state


def read_config(path: str | Path, needed: tuple[str, ...] = ()) -> dict[str, Any]:
    """Constructor arguments of a mini model from its config.json; HlfError unless an object that has keys `needed`."""
    cfg = read_json(path)
    missing = [key for key in needed if key not in cfg] if isinstance(cfg, dict) else ["an object of arguments"]
    if missing:
        raise HlfError(f"{path} lacks {missing[0]}; expected the network's constructor arguments, retrain the mini zoo")
    return dict(cfg)


def unwrap(state: Any, keys: tuple[str, ...] = WRAPPERS) -> "dict[str, Tensor]":
    """The state dict inside `state`: the value of the first of `keys` that it has, else `state` itself.

    SwinIR's real-world files use `params_ema`, the classical ones `params`, BSRGAN's is bare (official loading code).
    """
    if not isinstance(state, dict):
        return {}
    for key in keys:
        if isinstance(state.get(key), dict):
            return dict(state[key])
    return dict(state)


def load_strict(module: "nn.Module", state: "dict[str, Tensor]", path: str | Path) -> None:
    """Copy `state` into `module` after `check_state`; half-precision weights are widened to the module's type.

    Args:
        module: network whose own names and shapes are the measure.
        state: names to tensors, as `read_state` gives them.
        path: file that `state` came from, for the sentence.

    Raises:
        HlfError: see `check_state`.
    """
    check_state(module.state_dict(), state, path)
    module.load_state_dict(state, strict=True)


def build_filled(build: "Callable[[], Network]", state: "dict[str, Tensor]", path: str | Path) -> "Network":
    """Network with the weights of `state`, built without allocating or drawing weights of its own; in eval mode.

    Args:
        build: constructor of a network whose buffers all stand in its state dict.
        state: names to tensors; half-precision weights are widened to the network's type.
        path: file that `state` came from, for the sentence.

    Raises:
        HlfError: see `check_state`.
    """
    import torch

    with torch.device("meta"):
        network = build()
    own = network.state_dict()
    check_state(own, state, path)
    network.load_state_dict({key: value.to(own[key].dtype) for key, value in state.items()}, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def build_mini(
    build: "Callable[[dict[str, Any]], Network]",
    config: dict[str, Any],
    state: "dict[str, Tensor]",
    config_path: str | Path,
    path: str | Path,
) -> "Network":
    """`build_filled` of a mini model from its config.json.

    Args:
        build: constructor that takes the whole configuration.
        config: content of config.json.
        state: names to tensors.
        config_path: file that `config` came from, for the sentence.
        path: file that `state` came from, for the sentence.

    Raises:
        HlfError: arguments that the network does not take, or see `check_state`.
    """
    try:
        return build_filled(lambda: build(config), state, path)
    except (TypeError, ValueError, KeyError, IndexError, RuntimeError, AttributeError, ZeroDivisionError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise HlfError(f"{config_path}: the network cannot be built ({reason}); retrain the mini zoo") from error


def check_state(expected: "dict[str, Tensor]", state: "dict[str, Tensor]", path: str | Path) -> None:
    """Compare `state` with the names and shapes of `expected`, whose values do not matter.

    Raises:
        HlfError: names the first missing, mis-shaped, mis-typed, unexpected or NaN-holding key, and both shapes.
    """
    import torch

    own, found = (
        {key: Header(tuple(one.shape), str(one.dtype)) for key, one in tensors.items()} for tensors in (expected, state)
    )
    if problem := difference(own, found):
        raise HlfError(f"checkpoint {path}{': ' if problem.startswith('key') else ' '}{problem}")
    for key, value in state.items():
        if torch.isnan(value).any():
            raise HlfError(f"checkpoint {path}: key '{key}' holds NaN; the file is damaged, fetch it again")
