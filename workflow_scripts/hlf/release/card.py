"""README.md of a data set package: YAML for the library `datasets` and the hub, and the datasheet for people."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hlf.paper.facts import HUMAN
from hlf.release.finished import Finished
from hlf.release.licences import card_name
from hlf.release.parquet import features
from hlf.release.summary import collection, summary_of
from hlf.study.results import datasheet
from hlf.study.results.dictionary import Columns

if TYPE_CHECKING:
    import pandas as pd

# upper ends of the hub's words for the number of rows
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
PAPER = (
    "Rocafort, Su, Gomez-Villa, Vazquez-Corral: Evaluating and Preserving High-level Fidelity in Super-Resolution, "
    "arXiv 2512.07037, 2025."
)
LOAD = """```python
from datasets import load_dataset

pairs = load_dataset("FOLDER", split="test")  # {first}
votes = load_dataset("FOLDER", "votes", split="test")
```"""
INSIDE = """| file | what |
|---|---|
| `data/pairs/` | one row per pair: score with interval, part, similarity, a value per measure{pictures} |
| `data/votes/` | one row per vote, traps and screened people included |
| `data/images/` | one row per picture: size, SHA-256, and the recipe that makes it again |
| `measures.csv` | what the columns `iqa_...` and `hlf_...` of the pairs are |
| `recipes.json` | options, precision and weight files of the SR models, versions of the software |
{folder}| `data_dictionary.md` | every column with type and meaning |
| `LICENSES.md`, `CITATION.cff` | licences of everything inside, how to cite |
| `SHA256SUMS` | `sha256sum -c SHA256SUMS` checks every file |"""
INSIDE_COPIED = """The pictures are in `pictures/` as PNG files, and in the columns gt, lr, sr of the pairs. Each of
them can also be made again from its recipe, which proves where it comes from:"""
INSIDE_RECIPES = """The pictures are not in the package, because licences of the photographs do not allow it or are not
known. Who has the photographs and the published weights makes them again:"""
REBUILD = """```sh
hlf release images FOLDER -o OUT{photographs} --zoo-folder ZOO
```

The command compares each picture with its SHA-256 and writes OUT/images.csv. "same" means the same bytes; on another
processor, GPU or version than recipes.json names, last bits of SR pictures differ, which it calls "alike". To fetch the
command: package `hlf` of the software."""


def front_matter(
    run: Finished,
    columns: Mapping[str, Columns],
    sizes: Mapping[str, Mapping[str, tuple[int, int]]],
    download: Mapping[str, int],
) -> dict[str, Any]:
    """The YAML part as plain values.

    Args:
        run: finished.
        columns: of each table that `datasets` reads; the first is the default.
        sizes: table -> split -> rows, and their bytes in memory.
        download: table -> bytes of its files.
    """
    total = sum(rows for rows, _ in sizes["pairs"].values())
    human = run.facts.votes == HUMAN
    licences = [run.release["licence"]]
    if run.copies and run.config["images"]["source"] == "folder":
        licences.append(run.release["image_licence"])
    names = list(dict.fromkeys(card_name(licence) for licence in licences))
    return {
        "license": names if len(names) > 1 else names[0],
        **({"license_name": "see-licenses-md", "license_link": "LICENSES.md"} if "other" in names else {}),
        "pretty_name": summary_of(run)["title"],
        "task_categories": ["image-to-image"],
        "tags": ["image-quality", "super-resolution", "fidelity", *([] if human else ["synthetic-votes", "test-data"])],
        "annotations_creators": ["crowdsourced" if human else "machine-generated"],
        "size_categories": [next((word for limit, word in SIZES if total < limit), "n>1M")],
        "configs": [
            {
                "config_name": name,
                **({"default": True} if place == 0 else {}),
                "data_files": [{"split": s, "path": f"data/{name}/{s}.parquet"} for s in sizes[name]],
            }
            for place, name in enumerate(columns)
        ],
        "dataset_info": [
            {
                "config_name": name,
                "features": features(columns[name]),
                "splits": [
                    {"name": split, "num_bytes": size, "num_examples": rows}
                    for split, (rows, size) in sizes[name].items()
                ],
                "download_size": download[name],
                "dataset_size": sum(size for _, size in sizes[name].values()),
            }
            for name in columns
        ],
    }


def card(run: Finished, front: Mapping[str, Any], measures: "pd.DataFrame") -> str:
    """Text of README.md.

    Args:
        run: finished.
        front: of `front_matter`.
        measures: table MEASURES.
    """
    import yaml

    summary, facts = summary_of(run), run.facts
    folder = "| `pictures/` | GT, LR and SR pictures as PNG files |\n" if run.copies else ""
    photographs = " --photographs DIR" if run.config["images"]["source"] == "folder" else ""
    head = yaml.safe_dump(dict(front), sort_keys=False, allow_unicode=True, width=1000)
    parts = [
        f"---\n{head}---",
        f"# {summary['title']}",
        f"**{facts.stamp()}**" if facts.stamp() else "",
        "Pairs of a ground truth (GT) picture and what a super-resolution (SR) model made of its degraded version, and "
        f"what {'people' if facts.votes == HUMAN else f'{facts.votes} observers'} say to the question whether the "
        f"content changed. Run {facts.run}, scale {facts.scale}, {facts.zoo} zoo, source of votes: {facts.votes}, seed "
        f"{facts.seed}, configuration {facts.config_hash}. Columns `zoo` and `source` say so in every row.",
        "## Files",
        INSIDE.format(pictures=", the three pictures" if run.copies else "", folder=folder),
        LOAD.format(first="columns gt, lr, sr are pictures" if run.copies else "no pictures, see below"),
        "## Pictures",
        INSIDE_COPIED if run.copies else INSIDE_RECIPES,
        REBUILD.format(photographs=photographs),
        _made(run),
        "## Why",
        datasheet.WHY,
        "## What is in it",
        *datasheet.contents(summary),
        _counts(run),
        "## How it was collected",
        *collection(run, summary),
        "## Screening",
        f"{datasheet.screening(summary)} {datasheet.excluded(summary)}",
        "## Split",
        _split(run),
        "## Measures",
        _measures(measures),
        "## What it is fit for, and what not",
        f"{datasheet.FITNESS} {datasheet.NEVER_MIX}",
        "## Privacy",
        "People have numbers that follow from their answers and say nothing else. There are no names, addresses, "
        "statements of people, or times of day; reaction times are in milliseconds.",
        "## Licence",
        f"Data: {run.release['licence']}. LICENSES.md tells the licence of everything inside.",
        "## Citation",
        f"{PAPER} CITATION.cff names this data set.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _made(run: Finished) -> str:
    """How pictures were made."""
    config, pairs = run.config, run.tables["pairs"]
    images, levels = config["images"], sorted(set(pairs["level"]))
    source = "procedural scenes with known content" if images["source"] == "scenes" else "photographs"
    models = ", ".join(sorted(set(pairs["model"])))
    return (
        f"GT: {pairs['image_id'].nunique()} {source}, {images['crop']} x {images['crop']} pixels. LR: a quarter of the "
        f"sides, degraded by {config['degradation']['variant']} at strengths {', '.join(map(str, levels))}. SR by 4: "
        f"{models}. Pairs were chosen to spread evenly over the cosine of {config['sampling']['backbone']} embeddings "
        "of GT and SR."
    )


def _counts(run: Finished) -> str:
    """Pairs and mean score of each SR model."""
    scores = run.tables["scores"]
    rows = [
        f"| {model} | {len(own)} | {own['score'].mean():.3f} |" for model, own in scores.groupby("model", sort=True)
    ]
    return "\n".join(["| SR model | pairs | mean score |", "|---|---|---|", *rows])


def _split(run: Finished) -> str:
    """What the parts are and how they were divided."""
    study, parts = run.config["study"], run.tables["split"]["part"].value_counts()
    how = (
        "all pairs of a GT stand on one side, balanced over SR models and scores"
        if study["split_by"] == "image_id"
        else "pairs at random, so a GT may stand on both sides"
    )
    return f"{parts.get('train', 0)} pairs to train on, {parts.get('test', 0)} to test on: {how}."


def _measures(table: "pd.DataFrame") -> str:
    """Markdown table of the measures."""
    better = {True: "lower", False: "higher"}
    rows = [
        f"| {m['column']} | {m['measure']} | {m['kind']} | {better[m['lower_better']]} | {m['failed']} |"
        for m in table.to_dict("records")
    ]
    return "\n".join(
        [
            "Values that `tuned` HLF metrics give to pairs of the train part are no predictions.",
            "",
            "| column | measure | kind | better | without value |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )


def citation(run: Finished) -> str:
    """Text of CITATION.cff."""
    import yaml

    authors = [{"name": name} for name in run.release["authors"]] or [{"name": f"The makers of run {run.facts.run}"}]
    paper = {
        "type": "article",
        "title": "Evaluating and Preserving High-level Fidelity in Super-Resolution",
        "authors": [
            {"family-names": family, "given-names": given}
            for family, given in (
                ("Rocafort", "Josep M."), ("Su", "Shaolin"), ("Gomez-Villa", "Alexandra"), ("Vazquez-Corral", "Javier"),
            )
        ],
        "year": 2025,
        "journal": "arXiv",
        "identifiers": [{"type": "other", "value": "arXiv:2512.07037"}],
    }  # fmt: skip
    told = {
        "cff-version": "1.2.0",
        "message": "If you use this data set, please cite it and the paper whose method it follows.",
        "type": "dataset",
        "title": summary_of(run)["title"],
        "authors": authors,
        **({} if card_name(run.release["licence"]) == "other" else {"license": run.release["licence"]}),
        "references": [paper],
    }
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=1000)
