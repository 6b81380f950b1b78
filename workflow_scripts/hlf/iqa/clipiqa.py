"""CLIP-IQA (Wang et al., AAAI 2023): does CLIP find "good" or "bad" closer to a picture, over five pairs of prompts.

Official: pyiqa's `clipiqa` (CLIP RN50, no positions in the image). Mini: the same question to the mini CLIP.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.iqa.formulas import pyiqa_version
from hlf.iqa.picture import Picture
from hlf.iqa.registry import Source
from hlf.zoo.load import read_state
from hlf.zoo.registry import find_weights

if TYPE_CHECKING:
    from torch import Tensor


class ClipIqa:
    """Mean probability of the positive prompts.

    Args:
        network: of a picture (1, 3, H, W) in [0, 1].
    """

    def __init__(self, network: "Callable[[Tensor], Tensor]") -> None:
        self.network, self.version = network, pyiqa_version()

    def __call__(self, sr: Picture, gt: Picture) -> dict[str, float]:  # noqa: ARG002
        """Clipiqa in [0, 1]: 1 = good; the GT is not looked at."""
        import torch

        with torch.inference_mode():
            return {"clipiqa": float(self.network(sr.tensor))}


def load(name: str, source: Source) -> ClipIqa:
    """CLIP-IQA with its weights.

    Args:
        name: clipiqa, also the name of the zoo's entry.
        source: of weights.

    Raises:
        HlfError: missing or wrong weights.
    """
    paths = find_weights(source.zoo, source.folder, name)
    if source.zoo == "mini":
        return ClipIqa(_mini(read_state(paths[-1])))
    (path,) = paths
    import pyiqa

    try:
        return ClipIqa(pyiqa.create_metric("clipiqa", device="cpu", as_loss=False, backbone=str(path)))
    except Exception as error:  # a plain state dict ends in EOFError, other files in errors of TorchScript
        raise HlfError(
            f"{path} cannot be opened as the TorchScript archive that OpenAI published ({error}); fetch it again"
        ) from error


def _mini(state: "dict[str, Tensor]") -> "Callable[[Tensor], Tensor]":
    """Pyiqa's formula on the mini CLIP, whose words are those of scenes."""
    import torch
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    from pyiqa.archs.clip_model import build_model

    from hlf.scenes.quality import ANTONYMS, tokenize

    model: Any = build_model(state).float()
    prompts = torch.tensor(tokenize([word for pair in ANTONYMS for word in pair], model.context_length))
    mean, std = (torch.tensor(values)[:, None, None] for values in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD))

    def network(images: "Tensor") -> "Tensor":
        """Value (N,) in [0, 1] of RGB (N, 3, H, W) in [0, 1]: share of the good word of each pair of antonyms."""
        logits, _ = model((images - mean) / std, prompts, pos_embedding=True)
        return logits.reshape(len(images), -1, 2).softmax(-1)[..., 0].mean(1)

    return network
