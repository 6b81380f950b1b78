"""What networks on diffusers' classes share: arguments of a config file, a ControlNet's start, and what was added."""

import inspect
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from torch import nn

from hlf.errors import HlfError

Value = TypeVar("Value")


def stock_arguments(
    stock: type[nn.Module], config: dict[str, Any], path: str, model: str, own: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Constructor arguments of a stock network among the keys of a `config.json`; foreign ones may stand there off.

    Args:
        stock: class of diffusers.
        config: content of the file.
        path: the file, for sentences.
        model: whose file it should be, for sentences.
        own: keys that the model's own class reads.

    Raises:
        HlfError: a foreign key that is switched on.
    """
    known = inspect.signature(stock.__init__).parameters
    given = {key: value for key, value in config.items() if not key.startswith("_") and key not in own}
    for key, value in given.items():
        if key not in known and value not in (None, False):
            raise HlfError(
                f"{path} sets {key} to {value!r}, which this network does not have; give the file of {model}"
            )
    return {key: value for key, value in given.items() if key in known and key != "self"}


def copy_encoder(controlnet: Any, unet: Any) -> None:
    """Start a ControlNet from a denoiser: input, time embedding, encoder and middle, all that the SR model added."""
    for part in ("conv_in", "time_embedding", "down_blocks", "mid_block"):
        getattr(controlnet, part).load_state_dict(getattr(unet, part).state_dict())


def split(named: Mapping[str, Value], added: Collection[str]) -> tuple[dict[str, Value], dict[str, Value]]:
    """Tensors or parameters of the modules that an SR model added to its base, and all others.

    Args:
        named: by their names in the network.
        added: names of those modules, such as "image_attentions".
    """
    own = {name: value for name, value in named.items() if not set(added).isdisjoint(name.split("."))}
    return own, {name: value for name, value in named.items() if name not in own}


def only_trainable(network: nn.Module, added: Collection[str]) -> list[nn.Parameter]:
    """Freeze all of a network but the modules that an SR model added to it.

    Args:
        network: of the SR model.
        added: see `split`.

    Returns:
        Their parameters.
    """
    network.requires_grad_(False)
    parameters = list(split(dict(network.named_parameters()), added)[0].values())
    for parameter in parameters:
        parameter.requires_grad_(True)
    return parameters
