"""Backbones in folders of a model hub: arguments of their config.json, weights as transformers itself loads them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError

if TYPE_CHECKING:
    from torch import Tensor

# entries of a published config.json that describe the file and are no arguments of the configuration class
DESCRIBING = (
    "architectures", "torch_dtype", "dtype", "transformers_version", "model_type", "_name_or_path", "id2label",
    "label2id",
)  # fmt: skip


def arguments(config: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a transformers configuration class among the entries of a config.json."""
    return {key: value for key, value in config.items() if key not in DESCRIBING}


def hub_state(model: Any, folder: Path, **options: Any) -> "dict[str, Tensor]":
    """State dict of a published folder under the names that the installed transformers uses, in float32.

    Published files keep the names of the release that wrote them; `from_pretrained` knows the way from there.

    Args:
        model: class of transformers.
        folder: holds config.json and the weights.
        options: further arguments of the class.

    Raises:
        HlfError: the files do not fill the network, or cannot be read.
    """
    import torch
    from transformers.utils import logging

    # a full model's text half is unexpected to an image tower and would be told on many lines
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        network, info = model.from_pretrained(
            str(folder), dtype=torch.float32, local_files_only=True, output_loading_info=True, **options
        )
    except Exception as error:  # types differ by file format and by what is wrong
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise HlfError(f"{folder} cannot be read as {model.__name__} ({reason}); fetch the folder again") from error
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
    missing = sorted(info["missing_keys"])
    if missing:
        raise HlfError(
            f"the weights in {folder} lack '{missing[0]}' of {model.__name__} ({len(missing)} missing); they belong to "
            "another model or size"
        )
    return dict(network.state_dict())
