"""Captions by CoCa (open_clip), with a beam search of our own: open_clip's needs classes that transformers 5 removed.

Source: `CoCa.generate` of open_clip 3.3 with its defaults, as `test_pasd.py` of yangxy/PASD calls it. Its six beams in
three groups without a diversity term are three times the same search, so one search with two beams gives its captions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from hlf.errors import HlfError
from hlf.images import from_tensor
from hlf.zoo.load import build_filled, read_config, read_state

OFFICIAL = "coca_ViT-L-14"  # name of its configuration in open_clip
LONGEST, SHORTEST = 30, 5  # tokens of a caption, start and end included; open_clip's defaults
_BEAMS = 2
_REPAIRED = {"blurry": "clear", "noisy": "clean"}  # a caption must not ask for what super-resolution removes


@dataclass
class _Finished:
    """The best complete captions of a search, at most as many as beams; scores are per token."""

    kept: list[tuple[float, list[int]]] = field(default_factory=list)

    def add(self, ids: list[int], score: float) -> None:
        """Keep a finished caption while it is among the best."""
        self.kept.append((score, ids))
        if len(self.kept) > _BEAMS:
            self.kept.remove(min(self.kept, key=lambda one: one[0]))

    def enough(self, best_open: float) -> bool:
        """Whether no open caption can come in any more."""
        return len(self.kept) == _BEAMS and min(score for score, _ in self.kept) >= best_open


def search(logits_of: Callable[[Tensor], Tensor], start: int, end: int) -> list[int]:
    """Token ids of the best caption, start and, unless cut at the longest length, end included.

    Scores are sums of raw logits, not of log-probabilities: an oddity of open_clip that decides which caption wins.

    Args:
        logits_of: next-token logits (B, V) of beams (B, length).
        start: id of the start token.
        end: id of the end token.
    """
    beams, scores = torch.full((_BEAMS, 1), start), torch.tensor([0.0, -1e9])  # only the first one counts at the start
    finished, done = _Finished(), False
    while beams.shape[1] < LONGEST and not done:
        length = beams.shape[1]
        logits = logits_of(beams).float().cpu()
        if length < SHORTEST:
            logits[:, end] = -torch.inf
        sums, places = (logits + scores[:, None]).flatten().topk(2 * _BEAMS)
        following: list[tuple[float, list[int]]] = []
        for rank, (total, place) in enumerate(zip(sums.tolist(), places.tolist(), strict=True)):
            beam, token = divmod(place, logits.shape[1])
            if token != end:
                following.append((total, [*beams[beam].tolist(), token]))
            elif rank < _BEAMS:
                finished.add(beams[beam].tolist(), total / (length + 1))
        done = finished.enough(float(sums[0]) / (length + 1))
        beams = torch.tensor([ids for _, ids in following[:_BEAMS]])
        scores = torch.tensor([total for total, _ in following[:_BEAMS]])
    if not done:
        for ids, total in zip(beams.tolist(), scores.tolist(), strict=True):
            finished.add(ids, total / len(ids))
    best = max(finished.kept, key=lambda one: one[0])[1]
    return best if len(best) >= LONGEST else [*best, end]


class Captioner:
    """CoCa on its device, always in float32 and one picture at a time, as the official program runs it.

    Args:
        network: open_clip's CoCa.
        size: side of its input in pixels.
        ends: ids of its start and end token.
        decode: text of token ids between the two, with a blank at its end.
        device: cpu or cuda.
    """

    def __init__(
        self, network: Any, size: int, ends: tuple[int, int], decode: Callable[[list[int]], str], device: str
    ) -> None:
        from open_clip import image_transform

        self.network, self.ends, self.decode, self.device = network.to(device), ends, decode, device
        self.transform: Any = image_transform(size, is_train=False)
        self.runs = 0  # how often the network ran

    def __call__(self, image: Tensor) -> str:
        """Caption of one image (3, h, w) in [0, 1]; ends with a blank."""
        self.runs += 1
        pixels = self.transform(Image.fromarray(from_tensor(image)))[None]
        return repaired(self.decode([token for token in self.tokens(pixels) if token not in self.ends]))

    def tokens(self, pixels: Tensor) -> list[int]:
        """Token ids of the caption of one preprocessed image (1, 3, size, size)."""
        with torch.inference_mode(False), torch.no_grad():
            pixels = pixels.clone().to(self.device)
            seen = self.network(pixels)
            latent, embeddings = (seen[k].expand(_BEAMS, *seen[k].shape[1:]) for k in ("image_features", "image_embs"))

            def logits_of(ids: Tensor) -> Tensor:
                """Logits (beams, vocabulary) of the word that follows token ids (beams, length)."""
                given = {"image_latent": latent, "image_embs": embeddings, "output_labels": False}
                logits: Tensor = self.network(pixels, ids.to(self.device), **given)["logits"][:, -1]
                return logits

            return search(logits_of, *self.ends)


def repaired(caption: str) -> str:
    """Caption without the words for what super-resolution removes.

    >>> repaired("a blurry photo of a noisy street ")
    'a clear photo of a clean street '
    """
    for word, better in _REPAIRED.items():
        caption = caption.replace(word, better)
    return caption


def build(config: dict[str, Any]) -> Any:
    """CoCa of an open_clip configuration, without trained weights."""
    from open_clip import CoCa

    return CoCa(**{key: value for key, value in config.items() if key != "custom_text"})


def load_captioner(zoo: str, files: list[Path], device: str) -> Captioner:
    """Captioner from the files of the entry `coca` of a zoo.

    Args:
        zoo: official (full size, CLIP's own tokens) or mini (config.json, weights, words.txt with a token in each line:
            padding, start, words, end).
        files: see above.
        device: cpu or cuda.

    Raises:
        HlfError: wrong, truncated or foreign files.
    """
    import open_clip

    official = zoo == "official"
    weights = files[0] if official else files[1]
    config: Any = open_clip.get_model_config(OFFICIAL) if official else read_config(files[0], ("vision_cfg",))
    network: Any = build_filled(lambda: build(config), read_state(weights, mapped=True), weights)
    # the masks stand in no file, and the network was built without values
    network.text.attn_mask = network.text.build_causal_mask()
    network.text_decoder.attn_mask = network.text_decoder.build_attention_mask()
    words = [] if official else files[2].read_text(encoding="utf8").split("\n")
    vocabulary = config["text_cfg"]["vocab_size"]
    if words and len(words) != vocabulary:
        raise HlfError(f"{files[2]} holds {len(words)} tokens, expected {vocabulary} for {weights}")

    ends = (vocabulary - 2, vocabulary - 1) if official else (1, vocabulary - 1)
    decode = clip_text if official else lambda ids: "".join(f"{words[token]} " for token in ids)
    return Captioner(network, config["vision_cfg"]["image_size"], ends, decode, device)


def clip_text(ids: list[int]) -> str:
    """Text of CLIP's tokens, with a blank after each word."""
    import open_clip

    return str(open_clip.decode(torch.tensor(ids)))
