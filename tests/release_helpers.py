"""A small finished run made in a second: photographs of one's own or scenes, votes from a table, values made up."""

import csv
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlf import config as hlf_config
from hlf.columns import conform, pair_id
from hlf.data.prepare import prepare_images
from hlf.degradation.run import degrade_images
from hlf.images import write_png
from hlf.paper.gather import facts_of
from hlf.release.dataset import write_dataset
from hlf.release.finished import Finished
from hlf.seeds import generator
from hlf.sr.registry import load_upscaler
from hlf.sr.run import upscale_images
from hlf.study.scores import score_pairs
from hlf.study.split import split_pairs
from hlf.study.votes import read_votes
from hlf.versions import package_versions

ROOT = Path(__file__).resolve().parent.parent
RUN, SEED, LEVEL, MODEL, SIDE = "small", 7, 0.3, "bicubic", 64
PEOPLE = ("anna.lovelace@example.org", "Bo Nilsson", "carl-77", "dora")


@dataclass(frozen=True)
class Small:
    """The run, and the photographs that it was made of."""

    run: Finished
    photographs: Path


def photographs(folder: Path, count: int = 6) -> Path:
    """Smooth coloured pictures of unequal sizes."""
    folder.mkdir(parents=True)
    for index in range(count):
        rng = generator(SEED, "photographs", index)
        height, width = SIDE + 8 + index, SIDE + 20
        low = rng.integers(0, 256, (5, 6, 3)).astype(np.float64)
        rows, columns = np.linspace(0, 3.99, height), np.linspace(0, 4.99, width)
        pixels = low[rows.astype(int)][:, columns.astype(int)] + 8 * np.sin(rows * 9)[:, None, None]
        write_png(folder / f"photo {index}.png", pixels.clip(0, 255).astype(np.uint8))
    return folder


def votes_file(path: Path, pairs: pd.DataFrame, people: tuple[str, ...] = PEOPLE, undecided: int = 1) -> Path:
    """Votes as an owner may have them: names, addresses and other columns that are nobody's business.

    The last `undecided` pairs get two votes only.
    """
    rows = []
    for number, person in enumerate(people):
        for place, pair in enumerate(pairs["pair_id"]):
            if place < len(pairs) - undecided or number < 2:
                answer = int(generator(SEED, "votes", number, place).random() < 0.5)
                rows.append(
                    [person, pair, answer, "false", "", 700 + 10 * place + number, f"10.0.0.{number}", "secret!"]
                )
        rows.append([person, "trap for Anna", 1, "true", 1, 900 + number, f"10.0.0.{number}", "secret!"])
    names = ["participant", "pair_id", "answer", "is_trap", "trap_answer", "rt_active_ms", "ip", "comment"]
    with path.open("w", newline="", encoding="utf8") as handle:
        csv.writer(handle).writerows([names, *rows])
    return path


def small_run(
    folder: Path, source: str = "folder", people: tuple[str, ...] = PEOPLE, votes: str = "votes.csv", **release: Any
) -> Small:
    """A finished run with six GT pictures, one SR "model" (bicubic) and two measures, one of which failed once.

    Args:
        folder: everything goes below it.
        source: folder or scenes.
        people: who voted.
        votes: `study.votes` of the configuration; the votes are the same.
        release: values of the configuration's group `release`.
    """
    photos = photographs(folder / "photos") if source == "folder" else folder
    config = hlf_config.load(ROOT, [ROOT / "tests/config.tiny.yaml"])
    config["release"] |= release
    config["sr"] |= {"models": [MODEL], "baselines": []}
    config["study"] |= {"votes": votes, "votes_per_pair": 4}
    config["images"] |= {"source": source, "folder": str(photos) if source == "folder" else None}
    config["images"] |= {"crop": SIDE, "dataset": 6, "evaluation": 0}
    results = folder / "results"
    manifest, _, _ = prepare_images(config["images"], results, RUN, SEED, "key").tables()
    lr, _ = degrade_images(manifest, results, [LEVEL], SEED, RUN, "bsrgan")
    upscaler = load_upscaler(MODEL, "mini", "", "cpu", "fp32", {})
    sr, _, failures = upscale_images(lr, results, upscaler, SEED, RUN, "key")
    assert failures.empty
    pairs = _pairs(manifest, lr, sr)
    table = read_votes(votes_file(folder / "votes.csv", pairs, people), pairs, RUN)
    scores = score_pairs(pairs, table, 4, RUN)
    tables = {
        "manifest": manifest, "lr": lr, "sr": sr, "pairs": pairs, "votes": table, "scores": scores,
        "split": split_pairs(scores, 0.2, "image_id", SEED), "iqa": _iqa(pairs), "metric": _metric(pairs),
    }  # fmt: skip
    settings = {"run": RUN, "seed": SEED, "scale": "mini", "zoo": "mini", "config_hash": "abc"}
    origin = {
        "run": RUN, "zoo": "mini", "stamp": "", "packages": package_versions(("hlf",)), "python": "CPython",
        "code": {"commit": None, "why": "no checkout"}, "weights": [], "machines": [], "jobs": [],
    }  # fmt: skip
    facts = facts_of(settings, scores, sr, tables["metric"])
    return Small(Finished(results, tables, facts, hlf_config.shown(config), config["release"], origin), photos)


def with_release(small: Small, **release: Any) -> Finished:
    """The run with other values of the group `release`."""
    return replace(small.run, release={**small.run.release, **release})


def packed(run: Finished, folder: Path) -> Path:
    """The data set package of a run, below a folder."""
    write_dataset(run, folder / "dataset")
    return folder / "dataset"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return small_run(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def recipes(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed(small.run, tmp_path_factory.mktemp("recipes"))


@pytest.fixture(scope="module")
def copies(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed(with_release(small, image_licence="CC0-1.0"), tmp_path_factory.mktemp("copies"))


@pytest.fixture
def package(recipes: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recipes, tmp_path / "package"))


def _pairs(manifest: pd.DataFrame, lr: pd.DataFrame, sr: pd.DataFrame) -> pd.DataFrame:
    """Every SR picture as a chosen pair."""
    table = sr[["run", "image_id", "level", "model", "path", "seed"]].rename(columns={"path": "sr_path"})
    table["pair_id"] = [pair_id(str(i), LEVEL, MODEL) for i in table["image_id"]]
    for column, other in (("gt_path", manifest), ("lr_path", lr)):
        table[column] = table["image_id"].map(dict(zip(other["image_id"], other["path"], strict=True)))
    return conform(table.assign(similarity=np.linspace(0.1, 0.9, len(table)), bin=0), "pairs")


def _iqa(pairs: pd.DataFrame) -> pd.DataFrame:
    value, status = np.linspace(20, 30, len(pairs)), ["ok"] * len(pairs)
    value[0], status[0] = np.nan, "failed: too small"
    table = pairs[["run", "pair_id"]].assign(
        metric="psnr", value=value, kind="FR", lower_better=False, convention="RGB", zoo="", weights_sha256="",
        version="hlf", status=status,
    )  # fmt: skip
    return conform(table, "iqa")


def _metric(pairs: pd.DataFrame) -> pd.DataFrame:
    parts = [
        pairs[["run", "pair_id"]].assign(
            backbone="pe-core", tuned=tuned, value=np.linspace(0, 1, len(pairs)) / (2 - tuned), part="train",
            zoo="mini", weights_sha256="ff",
        )
        for tuned in (False, True)
    ]  # fmt: skip
    return conform(pd.concat(parts), "metric_scores")
