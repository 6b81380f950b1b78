"""Mini BLIP: contrast, matching and captioning on one image tower (BLIP paper, section 3.2), transformers' own classes.

Negatives of the matching loss are the batch's hardest, as in the paper; text encoder and decoder are kept apart, and
there is no momentum teacher: both would only save memory or help with noisy web texts.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hlf.backbones.base import clip_preprocess
from hlf.backbones.blip import PARTS, BlipTower
from hlf.scenes.vocabulary import tokenize, vocabulary_size
from hlf.training.augment import augment
from hlf.training.contrastive import matching_loss
from hlf.training.loop import cosine_rate, train
from hlf.training.optim import BlockMuon
from hlf.training.pool import Pool
from hlf.training.save import save_model
from hlf.training.teacher import PatchTeacher
from hlf.training.views import ObjectViews

WHAT = "BLIP's image tower at small width (transformers): contrast, matching and captioning with captions of scenes."
CONTEXT = 26  # tokens of a text; captions of scenes have at most 23 words
SCENES = 0.25  # share of a batch that whole scenes take; the rest are views of one object


class _Learner(nn.Module):
    """Image tower, text encoder with its heads, and captioner."""

    def __init__(self, network: dict[str, Any], text: dict[str, Any]):
        super().__init__()
        from transformers import BlipTextConfig
        from transformers.models.blip.modeling_blip_text import BlipTextLMHeadModel, BlipTextModel

        width = network["image_text_hidden_size"]
        self.tower = BlipTower(network["vision_config"], width)
        special: dict[str, Any] = {
            "vocab_size": vocabulary_size(),
            "bos_token_id": 1,
            "pad_token_id": 0,
            "sep_token_id": 0,
        }
        sizes: dict[str, Any] = {
            "encoder_hidden_size": network["vision_config"]["hidden_size"],
            "max_position_embeddings": CONTEXT,
        }
        config = BlipTextConfig(**text, **special, **sizes)
        self.text_encoder = BlipTextModel(config, add_pooling_layer=False)
        self.text_proj, self.itm_head = nn.Linear(text["hidden_size"], width), nn.Linear(text["hidden_size"], 2)
        self.decoder = BlipTextLMHeadModel(config)
        self.scale = nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))

    def logits(self, tokens: Tensor, ids: Tensor) -> Tensor:
        """Scaled similarities (N, N) of image tokens (N, T, D) and texts (N, CONTEXT)."""
        hidden = self.text_encoder(input_ids=ids, attention_mask=(ids > 0).long()).last_hidden_state
        image = F.normalize(self.tower.vision_proj(tokens[:, 0]), dim=-1)
        text = F.normalize(self.text_proj(hidden[:, 0]), dim=-1)
        return self.scale.exp().clamp(max=100) * image @ text.T

    def matching(self, tokens: Tensor, ids: Tensor) -> Tensor:
        """Logits (N, 2) of whether image and text belong together: the text is read while looking at the image."""
        seen = self.text_encoder(
            input_ids=ids, attention_mask=(ids > 0).long(), encoder_hidden_states=tokens, is_decoder=False
        )
        return self.itm_head(seen.last_hidden_state[:, 0])

    def captioning(self, tokens: Tensor, ids: Tensor) -> Tensor:
        """Cross-entropy () of the next word: patch tokens (N, T, D), token ids (N, L), 0 for none."""
        labels = ids.masked_fill(ids == 0, -100)
        mask = (ids > 0).long()
        return self.decoder(ids, attention_mask=mask, encoder_hidden_states=tokens, labels=labels).loss


def _hard_negatives(logits: Tensor, texts: list[str]) -> Tensor:
    """For each image the number of the wrong text that is most like it."""
    same = torch.tensor([[a == b for b in texts] for a in texts])
    return logits.detach().masked_fill(same, -torch.inf).argmax(1)


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train all; image tower and projection are kept. Patch tokens are taught by the mini VGG."""
    torch.manual_seed(seed)
    network, count = settings["network"], settings["batch_size"]
    net, teacher = (
        _Learner(network, settings["text"]),
        PatchTeacher(network["vision_config"]["hidden_size"], zoo_folder),
    )
    optimizer = BlockMuon([net, teacher], settings["learning_rate"], 0.01, frozenset({"layers", "layer"}))
    side = network["vision_config"]["image_size"]
    prepare, objects = clip_preprocess(side), ObjectViews(pool)

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step on pictures with captions: contrast, matching with hard negatives, and the teacher."""
        images, texts = objects.mixed(count, SCENES, side, rng)
        images, ids = augment(images, rng), torch.tensor(tokenize(texts, CONTEXT))
        tokens = net.tower(prepare(images))
        logits = net.logits(tokens, ids)
        contrast, wrong = matching_loss(logits, texts), ids[_hard_negatives(logits, texts)]
        pairs = net.matching(torch.cat([tokens, tokens]), torch.cat([ids, wrong]))
        belongs = torch.arange(2 * count).lt(count).long()
        matched, told = F.cross_entropy(pairs, belongs), net.captioning(tokens, ids)
        taught = teacher(tokens[:, 1:], images)
        rate = cosine_rate(settings["learning_rate"], i, settings["steps"])
        optimizer.step(contrast + matched + told + settings["teacher_weight"] * taught, rate)
        right = float((pairs.argmax(1) == belongs).float().mean())
        losses = {"contrast": contrast, "matching": matched, "caption": told, "teacher": taught}
        return {**{k: float(v.detach()) for k, v in losses.items()}, "matched_right": right}

    parts = {"net": net, "teacher": teacher, "optimizer": optimizer}
    facts = train("blip", parts, step, settings["steps"], work, seed)
    facts |= {"seed": seed, "batch": count}
    state = {key: value for key, value in net.tower.state_dict().items() if key.startswith(PARTS)}
    save_model(folder, "BLIP", WHAT, network, state, facts)
