"""How each picture of a data set is made again: one short JSON text per picture, and what all of them share.

GT: a scene by its seed, or a photograph by name, SHA-256 and crop. LR: the degradation plan. SR: model and seed; its
options, precision and weight files stand in `shared`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.columns import level_name
from hlf.errors import HlfError
from hlf.files import read_json
from hlf.release.pictures import print_of
from hlf.resume import record_path
from hlf.sr.options import resolve
from hlf.sr.registry import has_weights, model_module
from hlf.zoo.registry import needed

if TYPE_CHECKING:
    import pandas as pd

    from hlf.release.finished import Finished

FORMAT = 1  # of recipes.json and of the recipes
FILES = ("weights", "captions")  # options of SR models that name a file or folder
PICTURES = "pictures"  # folder of the PNG files in a package
# how they lie in the package: kind -> folder of the run -> folder of the package
TABLES = {"gt": "manifest", "lr": "lr", "sr": "sr"}  # that tell of each kind of picture
PLACES = {"gt": ("images/gt", "gt"), "lr": ("degradation", "lr"), "sr": ("sr", "sr")}


def package_path(kind: str, path: str) -> str:
    """Path of a picture in the package, from that in the run's results.

    >>> package_path("lr", "degradation/0.3/a7/photo.png")
    'pictures/lr/0.3/a7/photo.png'
    """
    there, here = PLACES[kind]
    return f"{PICTURES}/{here}/{Path(path).relative_to(there).as_posix()}"


def images_table(run: "Finished") -> "pd.DataFrame":
    """Table IMAGES of `hlf.release.tables` with column `from`, the picture's path in the run's results.

    One row for each GT, LR and SR picture that the chosen pairs use: GT first, then LR, then SR, each by path.

    Raises:
        HlfError: a picture is missing, or is not the one that its table describes.
    """
    import pandas as pd

    pairs, rows, places = run.tables["pairs"], [], _places(run)
    for kind, name in TABLES.items():
        used = run.tables[name][run.tables[name]["path"].isin(set(pairs[f"{kind}_path"]))]
        for row in sorted(used.to_dict("records"), key=lambda r: str(r["path"])):
            rows.append({**_marks(run, kind, row), **_made(kind, run, row, places)})
    table = pd.DataFrame(rows).assign(zoo=run.facts.zoo)
    return table.fillna({"model": "", "weights_sha256": "", "prompt": "", "tags": ""})


def _places(run: "Finished") -> dict[Any, str]:
    """Where GT (by image id) and LR pictures (by image id and level) lie in the package."""
    gt, lr = run.tables["manifest"], run.tables["lr"]
    found: dict[Any, str] = {name: package_path("gt", p) for name, p in zip(gt["image_id"], gt["path"], strict=True)}
    for name, level, path in zip(lr["image_id"], lr["level"], lr["path"], strict=True):
        found[name, level_name(level)] = package_path("lr", path)
    return found


def _made(kind: str, run: "Finished", row: "dict[Any, Any]", places: dict[Any, str]) -> dict[str, Any]:
    """Recipe of a picture, and what else is told of an SR picture."""
    if kind == "gt":
        return {"recipe": _text(_gt(run, row))}
    if kind == "lr":
        facts = {"gt": places[row["image_id"]], "variant": row["variant"], "seed": int(row["seed"])}
        return {"recipe": _text({**facts, "plan": json.loads(row["plan"])})}
    facts = {"lr": places[row["image_id"], level_name(row["level"])], "model": row["model"], "seed": int(row["seed"])}
    kept = {name: row[name] for name in ("model", "weights_sha256", "prompt", "tags")}
    return {"recipe": _text({**facts, "precision": row["precision"]}), **kept}


def _marks(run: "Finished", kind: str, row: "dict[Any, Any]") -> dict[str, Any]:
    """Columns that every kind has."""
    path = run.results / row["path"]
    try:
        found = print_of(path.read_bytes(), str(path))
    except OSError as error:
        raise HlfError(f"picture {path} cannot be read ({error.strerror}); run `snakemake all` again") from error
    if found.sha256 != row["sha256"]:
        raise HlfError(f"picture {path} is not the one its table describes (other SHA-256); run `snakemake all` again")
    return {
        "from": row["path"], "path": package_path(kind, row["path"]), "kind": kind, "image_id": row["image_id"],
        "level": row.get("level"), **vars(found),
    }  # fmt: skip


def _gt(run: "Finished", row: "dict[Any, Any]") -> dict[str, Any]:
    """Recipe of a GT, from the record that its stage left beside it."""
    record = read_json(record_path(run.results / row["path"]))
    if record.get("sha256") != row["sha256"]:
        raise HlfError(f"the record of {row['path']} is of another picture; remove it and run `snakemake all` again")
    facts = {name: value for name, value in record["facts"].items() if name != "key"}
    return {"source": "folder", "file": row["source"], **facts} if "source_sha256" in facts else facts


def _text(facts: dict[str, Any]) -> str:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def shared(run: "Finished") -> dict[str, Any]:
    """Content of recipes.json: SR models with their options and weight files, and the software that made all.

    Weight files have their SHA-256, licence and source, as provenance.json of the run tells them.
    """
    config, sr, origin = run.config, run.config["sr"], run.origin
    files, models = _by_entry(origin["weights"]), {}
    for name in sorted(set(run.tables["pairs"]["model"])):
        options = resolve(name, model_module(name).OPTIONS, sr.get(name, {}), texts=False)
        names = needed(run.facts.zoo, name, options) if has_weights(name) else []
        models[name] = {
            "options": portable(options),
            **{key: sr[key] for key in ("precision", "batch_size", "tile", "tile_overlap")},
            "devices": _devices(origin, name),
            "weights": [w for one in names for w in files.get((run.facts.zoo, one), [])],
        }
    images = {key: config["images"][key] for key in ("source", "crop", "resize_short", "objects")}
    return {
        "format": FORMAT, "zoo": run.facts.zoo, "seed": run.facts.seed, "images": images, "models": models,
        "python": origin["python"], "packages": origin["packages"], "commit": origin["code"]["commit"],
    }  # fmt: skip


def portable(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of an SR model without what belongs to one machine: folders of files, and trust in a file of one's own.

    >>> portable({"steps": 50, "captions": "/home/me/captions.csv", "trust_ram_file": True})
    {'steps': 50, 'captions': 'captions.csv'}
    """
    kept = {name: value for name, value in options.items() if not name.startswith("trust_")}
    return {name: Path(value).name if name in FILES and value else value for name, value in kept.items()}


def _by_entry(weights: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in weights:
        found.setdefault((row["zoo"], row["entry"]), []).append(row)
    return found


def _devices(origin: "Any", model: str) -> list[str]:
    """What a model ran on, such as "cpu" or the name of a card; none where its jobs left no note."""
    cards = {m["host"]: [card["name"] for card in m.get("gpus", [])] for m in origin["machines"]}
    found = set()
    for job in origin["jobs"]:
        if job["job"].startswith(f"super_resolve/{model}/"):
            found |= set(cards.get(job["host"], [])) if job["device"] == "cuda" else {"cpu"}
    return sorted(found)
