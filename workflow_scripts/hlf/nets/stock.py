"""What networks on diffusers' classes share: arguments of a config file, a ControlNet's start, and what is trained."""

import inspect
from typing import Any

from torch import nn

from hlf.errors import HlfError


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


def only_trainable(network: nn.Module, *parts: str) -> list[nn.Parameter]:
    """Freeze all of a network but the modules that an SR model added to it.

    Args:
        network: of the SR model.
        parts: names of those modules, such as "image_attentions".

    Returns:
        Their parameters.
    """
    network.requires_grad_(False)
    parameters = [p for name, p in network.named_parameters() if set(parts) & set(name.split("."))]
    for parameter in parameters:
        parameter.requires_grad_(True)
    return parameters
