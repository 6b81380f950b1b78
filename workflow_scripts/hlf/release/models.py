"""Packages of fine-tuned models: the run's own files, a card with test numbers and licences, checksums."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.backbones.base import Description
from hlf.errors import HlfError
from hlf.files import atomic, read_json, write_json, write_text
from hlf.metric.calibration import Calibration
from hlf.metric.card import write_card
from hlf.paper.formats import PROVENANCE
from hlf.paper.tables import row_name
from hlf.paper.tuning import paper_name
from hlf.release.card import PAPER
from hlf.release.checksums import write_checksums
from hlf.release.licences import card_name, remark, restrictions, weight_table
from hlf.tuning.variants import BASELINE
from hlf.zoo.entries import STEERED
from hlf.zoo.registry import entry_name, needed

if TYPE_CHECKING:
    import pandas as pd

# what of a metric's folder goes along besides config.json and README.md, which are written anew
METRIC_FILES = ("model.safetensors", "history.csv")
SEESR_FILES = (*STEERED, "history.csv")
BESIDE = ("ram", "dape")  # SeeSR reads them, but no weight of a package comes from them
SEESR_HEAD = """---
library_name: diffusers
license: {licence}
tags: [super-resolution, image-to-image, seesr, high-level-fidelity{tag}]
---
"""
SEESR_USE = """```sh
hlf sr -m seesr -i LR_DIR -o OUT_DIR --zoo {zoo} --option weights=FOLDER
```

In the workflow: `sr: {{seesr: {{weights: FOLDER}}}}`. Everything else that SeeSR reads (base model, RAM, DAPE) comes
from the zoo{base}."""


def write_metric_package(
    folder: Path, target: Path, tables: Mapping[str, "pd.DataFrame"], origin: Mapping[str, Any], variant: str
) -> None:
    """Package of a fine-tuned metric, which `hlf.load_metric(backbone, weights=target)` reads.

    Args:
        folder: metric/<backbone>/ of the run.
        target: the package, replaced if it is there.
        tables: table3, ceiling and calibration of the run, as their CSV files have them.
        origin: content of the run's provenance.json.
        variant: size of the backbone (`metric.variants`), "" for the usual one.

    Raises:
        HlfError: files that are missing or describe no metric.
    """
    config = read_json(folder / "config.json")
    try:
        description = Description.from_dict(config["backbone"])
        calibration = None if config["calibration"] is None else Calibration.from_dict(config["calibration"])
    except (KeyError, TypeError) as error:
        raise HlfError(
            f"{folder / 'config.json'} does not describe a fine-tuned metric ({error}); run `snakemake all` again"
        ) from error
    config["facts"] |= test_facts(row_name(description.name, True, description.zoo), calibration, tables)
    base = _weights(origin, description.zoo, [entry_name(description.zoo, description.name, variant)])
    card = write_card(description, config["facts"], config["stamp"], calibration, config["mapping"], config["tuned"])
    with atomic(target) as tmp:
        tmp.mkdir()
        _copy(folder, tmp, METRIC_FILES)
        write_json(tmp / "config.json", config)
        write_text(tmp / "README.md", f"{card}\n## Licences\n\n{_licences(base)}\n")
        write_checksums(tmp)


def test_facts(row: str, calibration: Calibration | None, tables: Mapping[str, "pd.DataFrame"]) -> dict[str, Any]:
    """How good a metric is on the test part, in the words of `hlf.metric.card`.

    Args:
        row: the metric's row in Table 3.
        calibration: of the metric.
        tables: see `write_metric_package`.

    Returns:
        Values (value, low, high), numbers, or texts that say why a number is undefined.
    """
    one, ceiling = _row(tables["table3"], "metric", row), _row(tables["ceiling"], "correlation", "SRCC")
    found: dict[str, Any] = {"test pairs": int(one["n"])}
    for name in ("srcc", "plcc"):
        values = [float(one[f"{name}{end}"]) for end in ("", "_low", "_high")]
        found[f"test {name.upper()}"] = _undefined(name.upper(), one["status"]) if values[0] != values[0] else values
        spread = [float(one.get(f"{name}_folds_{part}", float("nan"))) for part in ("mean", "sd")]
        if spread[0] == spread[0]:
            found[f"{name.upper()} over folds"] = f"{spread[0]:.3f} (deviation {spread[1]:.3f})"
    best = [float(ceiling[name]) for name in ("full", "full_low", "full_high")]
    found["human ceiling SRCC"] = ceiling["status"] if best[0] != best[0] else best
    if calibration is not None:
        own = tables["calibration"]
        judged = own[(own["metric"] == row) & (own["prediction"] == calibration.kind)]
        found |= {"test calibration error": float(judged["ece"].iloc[0])} if len(judged) else {}
    return found


def _undefined(name: str, status: str) -> str:
    """Why a correlation has no value, from the status of a row of Table 3."""
    reason = re.search(rf"{name} undefined: ([^;]*)", status)
    return f"undefined: {reason[1] if reason else status}"


def write_seesr_package(
    folder: Path, target: Path, variant: str, table4: "pd.DataFrame", origin: Mapping[str, Any]
) -> None:
    """Package of a fine-tuned SeeSR, which the option `weights` of SeeSR reads.

    Args:
        folder: tuning/<variant>/ of the run.
        target: the package, replaced if it is there.
        variant: name, such as "seesr-hlf0.1".
        table4: Table 4 of the run, as its CSV file has it.
        origin: content of the run's provenance.json.

    Raises:
        HlfError: files that are missing.
    """
    zoo = origin["zoo"]
    ending = "" if zoo == "official" else f" ({zoo})"
    rows = [_row(table4, "model", paper_name(name) + ending) for name in (BASELINE, variant)]
    base = _weights(origin, zoo, [name for name in needed(zoo, "seesr", {}) if name not in BESIDE])
    bound = [w["licence"] for w in base if "OpenRAIL" in w["licence"]]
    head = SEESR_HEAD.format(licence=card_name([*bound, "Apache-2.0"][0]), tag=", test-data" if origin["stamp"] else "")
    parts = [
        head + (folder / "README.md").read_text(encoding="utf8").rstrip(),
        "## How good it is",
        f"Means over {int(rows[1]['n'])} evaluation pictures, none of which it was trained on (Table 4 of run "
        f"{origin['run']}); HLF, LPIPS and DISTS: lower is better, the others higher. Measures that end in _trained "
        "were part of the loss and cannot judge it.",
        _markdown(rows),
        "## Use",
        SEESR_USE.format(zoo=zoo, base="" if zoo == "official" else f", here the {zoo} one of this software"),
        "## Licences",
        _licences(base),
        restrictions() if bound else "",
        "## Citation",
        f"{PAPER} SeeSR: Wu et al., CVPR 2024.",
    ]
    with atomic(target) as tmp:
        tmp.mkdir()
        _copy(folder, tmp, SEESR_FILES)
        write_text(tmp / "README.md", "\n\n".join(part for part in parts if part) + "\n")
        write_checksums(tmp)


def _copy(folder: Path, target: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if not (folder / name).is_file():
            raise HlfError(f"{folder / name} does not exist; run `snakemake all` first")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, target / name)


def _row(table: "pd.DataFrame", column: str, value: str) -> "pd.Series":
    """The row of a table whose column has a value; HlfError when there is none."""
    found = table[table[column] == value]
    if found.empty:
        raise HlfError(
            f"no row '{value}' in a table of the run, which has {list(table[column])}; run `snakemake all` again"
        )
    return found.iloc[0]


def _weights(origin: Mapping[str, Any], zoo: str, names: list[str]) -> list[dict[str, Any]]:
    """Weight files of entries, as provenance.json has them."""
    return [w for w in origin["weights"] if w["zoo"] == zoo and w["entry"] in names]


def _licences(base: list[dict[str, Any]]) -> str:
    """What the weights derive from."""
    mind = any(remark(w["licence"]) for w in base)
    return (
        "These weights derive from the following ones, whose licences hold for them too"
        f"{'; mind the last column' if mind else ''}. The software, hlf, is under Apache-2.0.\n\n{weight_table(base)}"
    )


def _markdown(rows: "list[pd.Series]") -> str:
    """Rows of Table 4 without provenance."""
    names = [name for name in rows[0].index if name not in (*PROVENANCE, "stamp", "n")]
    lines = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    lines += ["| " + " | ".join(str(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines)
