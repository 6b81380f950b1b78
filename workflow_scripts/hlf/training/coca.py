"""Mini CoCa: captioner of scenes, PASD's source of prompts (Yu et al. 2022: contrastive and captioning loss together).

The published captioner was trained on clean photographs and copes with degraded ones because it has seen billions; a
tiny one has not, so a share of each batch are whole scenes as the chain degrades them (our choice).
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hlf.backbones.base import clip_preprocess
from hlf.files import write_text
from hlf.scenes.vocabulary import caption_words, tokenize, vocabulary_size
from hlf.sr.diffusion import captioner
from hlf.training.augment import augment
from hlf.training.gan import degraded
from hlf.training.loop import batch_of, cosine_rate, train
from hlf.training.optim import BlockMuon
from hlf.training.pool import Pool
from hlf.training.save import rounded, save_model
from hlf.training.teacher import PatchTeacher
from hlf.training.views import ObjectViews

WHAT = "CoCa's architecture at small width (open_clip), with the words of scenes as its tokens."
CONTEXT = captioner.LONGEST + 2  # tokens of a text; captions of scenes have at most 23
TOKENS = ("<pad>", "<start>", *caption_words(), "<end>")  # in the order of `tokenize`
FILLING = frozenset({"a", "and", "on", "sign", "reading"})  # words of nearly every caption; knowing them is no merit
HELD = 200  # scenes at the end of the pool that only measure, at most a tenth of it


def config(network: dict[str, Any]) -> dict[str, Any]:
    """open_clip configuration of the mini model from its widths."""
    sizes = {"context_length": CONTEXT, "vocab_size": vocabulary_size()}
    return {**network, **{part: {**network[part], **sizes} for part in ("text_cfg", "multimodal_cfg")}}


class _Data:
    """Batches of pictures and captions: degraded scenes, and clean views of single objects."""

    def __init__(self, settings: dict[str, Any], pool: Pool, learned: int, side: int):
        self.settings, self.pool, self.learned, self.side = settings, pool, learned, side
        self.objects = ObjectViews(pool)
        self.numbers = [i for i, row in enumerate(self.objects.rows) if row.index < learned]
        self.texts, self.object_texts = (
            torch.tensor(tokenize(texts, CONTEXT)) for texts in (pool.captions, self.objects.captions)
        )

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Pictures (N, 3, side, side) in [0, 1] and token ids (N, CONTEXT)."""
        count = self.settings["batch_size"]
        whole = np.sort(rng.choice(self.learned, int(self.settings["scenes"] * count), replace=False))
        single = rng.choice(self.numbers, count - len(whole), replace=False)
        views = torch.stack([self.objects.cut(int(number), rng, self.side) for number in single])
        lr, _ = degraded(self.pool, whole, rng, self.settings["levels"])
        large = F.interpolate(lr, (self.side,) * 2, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
        return augment(torch.cat([large, views]), rng), torch.cat([self.texts[whole], self.object_texts[single]])


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train captioner and contrastive towers together; patch tokens are taught by the mini VGG."""
    from open_clip.loss import CoCaLoss

    torch.manual_seed(seed)
    cfg = config(settings["network"])
    side, model = cfg["vision_cfg"]["image_size"], captioner.build(cfg)
    # open_clip leaves this one as the memory was, since it is made to be loaded; its own rule, never called, is this
    torch.nn.init.normal_(model.text_decoder.text_projection, std=cfg["multimodal_cfg"]["width"] ** -0.5)
    learned = len(pool.captions) - min(HELD, len(pool.captions) // 10)
    preprocess = clip_preprocess(side)
    data, teacher = _Data(settings, pool, learned, side), PatchTeacher(cfg["vision_cfg"]["width"], zoo_folder)
    optimizer = BlockMuon([model, teacher], settings["learning_rate"], weight_decay=0.01)
    judge = CoCaLoss(settings["caption_weight"], 1.0)
    seen: list[Tensor] = []  # patch tokens of the last forward, which the network itself does not return
    model.visual.transformer.register_forward_hook(lambda _module, _inputs, tokens: seen.append(tokens))

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step on pictures with captions: contrast, caption, and the teacher."""
        images, ids = data.draw(rng)
        seen.clear()
        out = model(preprocess(images), ids)
        scale = out["logit_scale"].clamp(max=100)
        inputs = (out["image_features"], out["text_features"], out["logits"], out["labels"], scale)
        contrastive, told = judge(*inputs)
        # the official search adds raw logits; near a sum of exponentials of 1 they are log-probabilities
        level = out["logits"].logsumexp(-1)[out["labels"] > 0].square().mean()
        taught = teacher(seen[0][:, 1:], images)
        rate = cosine_rate(settings["learning_rate"], i, settings["steps"])
        optimizer.step(contrastive + told + 0.01 * level + settings["teacher_weight"] * taught, rate)
        right = (out["logits"].argmax(-1) == out["labels"])[out["labels"] > 0].float().mean()
        losses = {"contrastive": contrastive, "caption": told / settings["caption_weight"], "teacher": taught}
        return {**{k: float(v.detach()) for k, v in losses.items()}, "tokens_right": float(right)}

    parts = {"model": model, "teacher": teacher, "optimizer": optimizer}
    facts = train("coca", parts, step, settings["steps"], work, seed)
    facts |= {"seed": seed, "batch": settings["batch_size"], "levels": settings["levels"]}
    facts |= measure(rounded(model).eval(), pool, learned, side)
    write_text(folder / "words.txt", "\n".join(TOKENS))
    save_model(folder, "CoCa", WHAT, cfg, model.state_dict(), facts)


def measure(model: Any, pool: Pool, learned: int, side: int, count: int = 64) -> dict[str, float]:
    """Share of captions' telling words found, and of those said that are right, in held-out clean scenes."""
    reader = captioner.Captioner(model, side, (1, len(TOKENS) - 1), str, "cpu")
    preprocess, found, said, hits = clip_preprocess(side), 0, 0, 0
    for index in range(learned, min(learned + count, len(pool.captions))):
        pixels = preprocess(batch_of(pool.images, np.array([index])))
        wanted = set(pool.captions[index].split()) - FILLING
        given = {TOKENS[token] for token in reader.tokens(pixels)} - FILLING - {TOKENS[0], TOKENS[1], TOKENS[-1]}
        hits, found, said = hits + len(wanted & given), found + len(wanted), said + len(given)
    return {
        "held-out words found": round(hits / max(1, found), 4),
        "held-out words right": round(hits / max(1, said), 4),
    }
