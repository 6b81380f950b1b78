"""Model folders of the HLF metric: config.json + model.safetensors + README.md, self-contained."""

from pathlib import Path
from typing import Any

from hlf.backbones.base import Backbone, Description
from hlf.backbones.registry import build_backbone
from hlf.errors import HlfError
from hlf.files import atomic, read_json, sha256, write_json, write_text
from hlf.zoo.load import load_strict, read_state

FILES = ("config.json", "model.safetensors", "README.md")

CARD = """# HLF metric on {name}

Predicts the share of viewers who would say that the content of a super-resolved image differs from its ground truth:
1 - cosine of the embeddings of both, 0 = nobody, 1 = everybody; lower is better (paper, section 4.2).

{stamp}
| fact | value |
|---|---|
{rows}
"""


def save_metric(folder: Path, backbone: Backbone, facts: dict[str, Any], stamp: str) -> None:
    """Write a tuned backbone as a model folder.

    Args:
        folder: where the three files go.
        backbone: tuned, float32.
        facts: what the card and config.json tell: training settings, data, results on the validation part.
        stamp: sentence on mini models and simulated votes, empty when neither applies.
    """
    from safetensors.torch import save

    description = backbone.description
    config = {"metric": "hlf", "mapping": "1 - cosine", "backbone": description.to_dict(), "facts": facts}
    state = {k: v.contiguous().cpu() for k, v in backbone.tower.state_dict().items()}
    with atomic(folder / FILES[1]) as tmp:
        tmp.write_bytes(save(state))
    rows = "\n".join(f"| {k} | {v} |" for k, v in facts.items())
    note = f"**{stamp}**\n" if stamp else ""
    write_text(folder / FILES[2], CARD.format(name=description.name, stamp=note, rows=rows))
    write_json(folder / FILES[0], config)


def load_metric_folder(folder: str | Path) -> tuple[Backbone, str]:
    """Backbone of a model folder in eval mode, and the SHA-256 of its weights.

    Raises:
        HlfError: a file is missing, or weights and config.json do not belong together.
    """
    folder = Path(folder)
    config = read_json(folder / FILES[0])
    if not isinstance(config, dict) or config.get("metric") != "hlf":
        raise HlfError(f'{folder / FILES[0]} does not describe an HLF metric: expected "metric": "hlf"')
    try:
        description = Description.from_dict(config["backbone"])
    except (KeyError, TypeError) as error:
        raise HlfError(f"{folder / FILES[0]} does not describe a backbone ({error}); fetch the folder again") from error
    backbone = build_backbone(description)
    load_strict(backbone.tower, read_state(folder / FILES[1]), folder / FILES[1])
    return backbone.eval(), sha256(folder / FILES[1])
