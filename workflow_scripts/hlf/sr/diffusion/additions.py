"""What mini SR models store of their denoiser: only what they added to that of the mini base.

Their training leaves the rest as it was, so the base's own file has it, and the committed zoo stays small. Official
files are complete and never come here.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hlf.errors import HlfError
from hlf.nets.stock import split
from hlf.zoo.load import check_state, read_state


class FromBase(NamedTuple):
    """What a mini denoiser has from the mini base.

    Attributes:
        weights: file of the base's denoiser.
        added: names of the modules that the base does not have.
    """

    weights: Path
    added: tuple[str, ...]


def from_base(files: dict[str, list[Path]], added: tuple[str, ...]) -> FromBase | None:
    """What a model with these files, by zoo entry, has from the mini base; None for a model with complete files."""
    return FromBase(files["sd-unet"][1], added) if "sd-unet" in files else None


def read_frozen(unet: nn.Module, base: FromBase) -> dict[str, Tensor]:
    """Tensors that a denoiser, whose values do not matter, has from the base.

    Raises:
        HlfError: keys or shapes that do not fit.
    """
    frozen = read_state(base.weights, mapped=True)
    check_state(split(unet.state_dict(), base.added)[1], frozen, base.weights)
    return frozen


def completed(unet: nn.Module, state: dict[str, Tensor], path: Path, base: FromBase) -> dict[str, Tensor]:
    """All tensors of a denoiser: those that its file added, and those of the base.

    Args:
        unet: the network, whose values do not matter.
        state: what its file holds.
        path: of that file.
        base: see `FromBase`.

    Raises:
        HlfError: either file lacks a tensor, has it in another shape, or has one more; or both have the same.
    """
    frozen = read_frozen(unet, base)
    twice = [name for name in state if name in frozen]
    if twice:
        raise HlfError(
            f"checkpoint {path} has key '{twice[0]}' ({len(twice)} such keys in all), which belongs to the base in "
            f"{base.weights}; expected only what the model added to it, train it again (snakemake train_zoo)"
        )
    check_state(split(unet.state_dict(), base.added)[0], state, path)
    return {**frozen, **state}


def additions(unet: nn.Module, base: FromBase) -> dict[str, Tensor]:
    """Tensors that a trained denoiser added to its base: what is stored of it.

    Raises:
        HlfError: another tensor is no longer the base's, compared in half precision, as they are stored.
    """
    added, rest = split(unet.state_dict(), base.added)
    frozen = read_frozen(unet, base)
    for name, value in rest.items():
        if not torch.equal(value.half(), frozen[name].half()):
            raise HlfError(
                f"training changed '{name}', which is not stored, since it belongs to the base in {base.weights}; "
                f"freeze all of the denoiser but {', '.join(base.added)}"
            )
    return added
