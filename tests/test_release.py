"""`snakemake release` on the finished tiny run: refused while unfinished, and both kinds of packages load back."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import hlf
from hlf import config as hlf_config
from hlf.columns import level_name
from hlf.device import one_thread
from hlf.files import read_json, read_table, sha256
from hlf.images import encode_png, from_tensor, read_image, to_tensor
from hlf.release.checksums import problems
from hlf.release.dataset import write_dataset
from hlf.release.finished import TABLES, read_finished
from hlf.release.pictures import SAME
from hlf.release.rebuild import Means, rebuild_images
from hlf.seeds import seed_for
from hlf.sr.registry import load_upscaler
from workflow_helpers import TINY, snakemake

pytestmark = pytest.mark.workflow

PATHS = {
    "manifest": "images/manifest.parquet", "lr": "degradation/lr.parquet", "sr": "sr/sr.parquet",
    "pairs": "sampling/pairs.csv", "votes": "study/votes.parquet", "scores": "study/scores.csv",
    "split": "study/split.csv", "iqa": "iqa/iqa.parquet", "metric": "metric/scores.parquet",
}  # fmt: skip
VARIANT = "seesr-hlf0.1"


@pytest.fixture(scope="module")
def project(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished project for packages."""
    return Path(shutil.copytree(kept, tmp_path_factory.mktemp("release") / "project"))


@pytest.fixture(scope="module")
def released(project: Path) -> Path:
    """results/tiny of the finished run with its packages; that an unfinished one is refused is seen on the way."""
    results, note = project / "results/tiny", project / "results/tiny/complete.txt"
    hidden = note.rename(note.with_suffix(".hidden"))
    text = snakemake(project, "--cores", "2", "release")
    assert text.endswith("exit code 1") and "run 'tiny' is not finished, 1 jobs are left (complete)" in text, text
    assert not (results / "release").exists() and not note.exists()
    hidden.rename(note)
    text = snakemake(project, "--cores", "2", "release")
    assert text.endswith("exit code 0"), text[-4000:]
    return results


@pytest.fixture(scope="module")
def load(released: Path, tmp_path_factory: pytest.TempPathFactory):
    """`datasets.load_dataset` of the released folder, with a cache of its own; conftest.py keeps it off the network."""
    import datasets

    datasets.disable_progress_bars()
    cache = str(tmp_path_factory.mktemp("cache"))
    return lambda *names: datasets.load_dataset(str(released / "release/dataset"), *names, cache_dir=cache)


def test_release_is_no_part_of_all_and_has_nothing_to_do_twice(released: Path, project: Path) -> None:
    for target in ("release", "all"):
        assert "Nothing to be done" in snakemake(project, "-n", target)
    names = {p.name for p in (released / "release/models").iterdir()}
    assert names == {"hlf-dinov2", "hlf-pe-core", VARIANT}
    for folder in (released / "release/dataset", *(released / "release/models").iterdir()):
        assert problems(folder) == []


def test_the_library_datasets_gives_back_rows_splits_and_pixels(released: Path, load) -> None:
    pairs = load()
    split, scores = read_table(released / "study/split.csv"), read_table(released / "study/scores.csv")
    assert {part: sorted(rows["pair_id"]) for part, rows in pairs.items()} == {
        part: sorted(own["pair_id"]) for part, own in split.groupby("part")
    }
    known, chosen = scores.set_index("pair_id"), read_table(released / "sampling/pairs.csv").set_index("pair_id")
    iqa = read_table(released / "iqa/iqa.parquet").set_index(["pair_id", "metric"])["value"]
    for row in (row for part in pairs.values() for row in part):
        own = known.loc[row["pair_id"]]
        for column in ("score", "wilson_low", "wilson_high", "n_valid", "n_yes", "source"):
            assert row[column] == own[column], (row["pair_id"], column)
        assert row["iqa_lpips"] == iqa[row["pair_id"], "lpips"]
        for kind in ("gt", "lr", "sr"):
            file = released / chosen.loc[row["pair_id"], f"{kind}_path"]
            assert np.array_equal(np.asarray(row[kind]), read_image(file))
    votes = load("votes")
    counted = [row for part in ("train", "test") for row in votes[part] if row["valid"]]
    assert len(counted) == scores["n_valid"].sum() and sum(r["answer"] for r in counted) == scores["n_yes"].sum()
    everything = read_table(released / "study/votes.parquet")
    assert votes["traps"].num_rows == everything["is_trap"].sum()
    assert load("images")["images"].num_rows == sum(chosen[f"{k}_path"].nunique() for k in ("gt", "lr", "sr"))


def test_a_split_that_lost_rows_is_refused_by_the_library(released: Path, tmp_path: Path) -> None:
    import datasets
    import pyarrow.parquet as pq

    folder = Path(shutil.copytree(released / "release/dataset", tmp_path / "dataset"))
    file = folder / "data/votes/test.parquet"
    pq.write_table(pq.read_table(file).slice(1), file)
    with pytest.raises(Exception, match="expected"):
        datasets.load_dataset(str(folder), "votes", cache_dir=str(tmp_path / "cache"))


@pytest.mark.parametrize("backbone", ["dinov2", "pe-core"])
def test_a_metric_package_gives_the_scores_of_the_run(released: Path, backbone: str) -> None:
    one_thread()
    folder = released / f"release/models/hlf-{backbone}"
    metric = hlf.load_metric(backbone, weights=folder, device="cpu", calibrated=False)
    pairs = read_table(released / "sampling/pairs.csv")
    files = {kind: [released / path for path in pairs[f"{kind}_path"]] for kind in ("sr", "gt")}
    table = read_table(released / "metric/scores.parquet")
    own = table[(table["backbone"] == backbone) & table["tuned"]].set_index("pair_id")["value"]
    # the run embeds the same pictures with the same weights, one by one, too
    assert np.abs(metric.score(sr=files["sr"], gt=files["gt"], batch_size=1) - own.loc[pairs["pair_id"]]).max() < 1e-6
    facts = read_json(folder / "config.json")["facts"]
    assert facts["test pairs"] == (read_table(released / "study/split.csv")["part"] == "test").sum()
    assert "undefined: a correlation needs at least 5 pairs" in (folder / "README.md").read_text()


def test_a_seesr_package_makes_the_pictures_of_the_run(released: Path, project: Path) -> None:
    one_thread()
    options = hlf_config.load(project, [project / TINY])["sr"]["seesr"]
    weights = {"weights": str(released / "release/models" / VARIANT)}
    upscaler = load_upscaler("seesr", "mini", project / "resources/zoo/mini", "cpu", "fp32", options | weights)
    table = read_table(released / "tuning/sr.parquet")
    row = table[table["variant"] == VARIANT].iloc[0]
    lr = to_tensor(read_image(released / row["lr_path"]))
    seed = seed_for(42, "sr", "seesr", row["image_id"], row["level"])
    made = encode_png(from_tensor(upscaler.upscale(lr[None], [seed])[0]))
    assert made == (released / row["sr_path"]).read_bytes()
    original = table[table["variant"] == "seesr"].set_index(["image_id", "level"])["sr_path"]
    assert made != (released / original[row["image_id"], row["level"]]).read_bytes()


def test_recipes_alone_give_the_pictures_of_the_run(released: Path, project: Path, tmp_path: Path) -> None:
    config = hlf_config.load(project, [project / TINY])
    settings = {"run": "tiny", "seed": 42, "scale": "mini", "zoo": "mini", "config_hash": "x"}
    settings |= {"config": hlf_config.shown(config), **{f"release.{k}": v for k, v in config["release"].items()}}
    files = {name: released / PATHS[name] for name in TABLES}
    files |= {"complete": released / "complete.txt", "origin": released / "provenance.json"}
    write_dataset(read_finished(files, released, settings | {"release.images": "recipe"}), tmp_path / "dataset")
    assert not (tmp_path / "dataset/pictures").exists()
    means = Means(zoo_folder=project / "resources/zoo/mini", device="cpu")
    found = rebuild_images(tmp_path / "dataset", tmp_path / "out", means, ["lr", "sr"], ["seesr"])
    assert set(found["status"]) == {SAME} and set(found["kind"]) == {"lr", "sr"}, found
    sr = read_table(released / "sr/sr.parquet").set_index(["model", "image_id", "level"])
    for path in found.loc[found["kind"] == "sr", "path"]:
        level, name = Path(path).parts[-2:]
        wanted = sr.loc[("seesr", Path(name).stem, float(level)), "sha256"]
        assert sha256(tmp_path / "out" / path) == wanted and level == level_name(float(level))
    devices = read_json(tmp_path / "dataset/recipes.json")["models"]["seesr"]["devices"]
    assert devices == ["cpu"]
