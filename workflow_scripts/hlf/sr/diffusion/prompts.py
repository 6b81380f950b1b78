"""Prompt of tags and added words, and its embedding by the CLIP text encoder of the base model."""

import functools
from typing import Any

import torch
from torch import Tensor


def join_prompt(tags: str, user_prompt: str, added_prompt: str) -> str:
    """Prompt as SeeSR builds it, double comma and missing blank included: the model was judged with these texts.

    >>> join_prompt("cat, tree", "", "clean, 8k")
    'cat, tree, ,clean, 8k'
    """
    return f"{tags}, {user_prompt},{added_prompt}"


class TextEncoder:
    """Tokenizer and CLIP text model; every text is encoded alone and once.

    Args:
        tokenizer: of the base model, with its own padding token.
        model: CLIP text model on its device.
    """

    def __init__(self, tokenizer: Any, model: Any) -> None:
        self.tokenizer, self.model = tokenizer, model
        self._cached = functools.lru_cache(maxsize=256)(self._encode)

    def __call__(self, texts: list[str]) -> Tensor:
        """Last hidden states (N, 77, D); longer texts are cut, so many tags push the added words out."""
        return torch.cat([self._cached(text) for text in texts])

    def _encode(self, text: str) -> Tensor:
        length = self.model.config.max_position_embeddings
        ids = self.tokenizer(
            text, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        ).input_ids
        # read outside of inference mode as well, hence no inference tensors in the cache
        with torch.inference_mode(False), torch.no_grad():
            hidden: Tensor = self.model(ids.to(self.model.device))[0]
        return hidden
