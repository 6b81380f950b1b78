"""The card of a metric's model folder, written from the facts of its run and from nothing else."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hlf.backbones.base import Description, Preprocess
    from hlf.metric.calibration import Calibration

CARD = """---
library_name: hlf
license: {front_licence}
tags: [image-quality, super-resolution, full-reference, {name}]
---
# HLF metric on {name}

{claim}

{stamp}
| what | how |
|---|---|
| Backbone | {name}, {zoo} zoo, {state} |
| Licence of the backbone | {licence} |
| Preprocessing | {preprocess} |
| Compared | {pooling} |
| Mapping | raw distance = {mapping} |
| Calibration | {calibration} |

## How good it is

{quality}

## Training

{training}

## Use

`hlf.HighLevelFidelity.from_pretrained(folder).score(sr="sr.png", gt="gt.png")`; docs/metric.md of the project.

- **Intended**: comparing SR results with their ground truth, and as a loss when training SR models, on pictures like
  those of the training data.
- **Colour and size**: RGB in [0, 1], grey repeated, files with alpha composed over white, tensors with alpha refused;
  SR and GT of one size, unless `resize_ref=True` resizes the GT.
- **Limits**: it sees pictures at the backbone's input size, so changes of a few pixels in large pictures escape it; it
  needs the ground truth; one number does not say what changed. A model trained with it as a loss must be judged by
  another backbone too. It says nothing of sharpness or beauty.

## Citation

Rocafort, Su, Gomez-Villa, Vazquez-Corral: Evaluating and Preserving High-level Fidelity in Super-Resolution,
arXiv 2512.07037, 2025.
"""

TUNED = """Predicts the share of viewers who would say that the content of a super-resolved image differs from its
ground truth: {mapping} of the embeddings of both, 0 = nobody, 1 = everybody; lower is better (paper, section 4.2)."""
ZERO_SHOT = """Distance of a super-resolved image from its ground truth: {mapping} of the embeddings of both, lower is
better. It is not fine-tuned on human scores, so it is no share of viewers (paper, section 4.2)."""

# facts whose name holds one of these words tell how good the metric is
QUALITY = ("SRCC", "PLCC", "MSE", "ceiling", "test pairs", "validation pairs", "calibration error")
NO_TEST = "Correlations on the test part are not stored with this model; Table 3 of the run that made it holds them."


def write_card(
    description: "Description",
    facts: Mapping[str, Any],
    stamp: str,
    calibration: "Calibration | None",
    mapping: str,
    tuned: bool,
) -> str:
    """Markdown of the card.

    Args:
        description: of the backbone.
        facts: what the run knows, by name. A value may be a number, a text, or (value, low, high) with the 95 %
            interval. Names that hold a word of QUALITY, such as "test SRCC" or "human ceiling SRCC", stand in the
            section on quality, all others in that on training.
        stamp: sentence on mini models and simulated votes, "" when neither applies.
        calibration: as stored beside the weights.
        mapping: raw distance in words.
        tuned: fine-tuned on human scores, or as published.
    """
    licence = _licence(description)
    quality = {k: v for k, v in facts.items() if any(word in k for word in QUALITY)}
    training = {k: v for k, v in facts.items() if k not in quality}
    tested = any(k.startswith("test") for k in quality)
    return CARD.format(
        name=description.name,
        front_licence=licence.lower() if " " not in licence else "other",
        licence=licence,
        zoo=description.zoo,
        state="all weights fine-tuned on human scores" if tuned else "as published, not fine-tuned on human scores",
        preprocess=_preprocess(description.preprocess),
        claim=(TUNED if tuned else ZERO_SHOT).format(mapping=mapping),
        mapping=mapping,
        pooling=f"pooling '{description.pooling}'" if description.pooling else "the backbone's usual embedding",
        calibration=_calibration(calibration),
        stamp=f"**{stamp}**\n" if stamp else "",
        quality=_table(quality) + ("" if tested else f"\n\n{NO_TEST}" if quality else NO_TEST),
        training=_table(training) or ("The run stored no facts." if tuned else "None: the backbone is as published."),
    )


def convention(description: "Description", calibration: "Calibration | None", tuned: bool) -> str:
    """How a score came about, in the words of a result row."""
    pooling, state = description.pooling and f" ({description.pooling})", "tuned" if tuned else "zero-shot"
    return f"{description.name}{pooling} {state}; {_preprocess(description.preprocess)}; {_calibration(calibration)}"


def _table(facts: Mapping[str, Any]) -> str:
    if not facts:
        return ""
    rows = "\n".join(f"| {name} | {_value(value)} |" for name, value in sorted(facts.items()))
    return f"| fact | value |\n|---|---|\n{rows}"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple) and len(value) == 3 and all(isinstance(v, int | float) for v in value):
        return f"{value[0]:.3f} (95 %: {value[1]:.3f} to {value[2]:.3f})"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _licence(description: "Description") -> str:
    from hlf.zoo.entries import ENTRIES

    known = ENTRIES.get((description.zoo, description.name))
    return known.licence if known else "not known to this library"


def _preprocess(rules: "Preprocess") -> str:
    if rules.short_side is None:
        resize = f"squashed to {rules.size}x{rules.size}"
    else:
        resize = f"shorter side to {rules.short_side}, centre {rules.size}x{rules.size} cut out"
    mean, std = (", ".join(f"{v:.4g}" for v in values) for values in (rules.mean, rules.std))
    return f"{resize}, {rules.mode}, antialiased; mean {mean}; deviation {std}"


def _calibration(calibration: "Calibration | None") -> str:
    if calibration is None:
        return "none: the raw distance is the score"
    if calibration.kind == "logistic":
        return f"share = 1 / (1 + (raw / {calibration.c:.4g})^-{calibration.k:.4g})"
    if calibration.kind == "isotonic":
        return f"isotonic, {len(calibration.knots)} knots in config.json, linear between them"
    return "the raw distance, cut at 1"
