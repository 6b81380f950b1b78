"""Packages of small runs: what is inside, whom it spares, what is noticed, which licences travel along."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from hlf import config as hlf_config
from hlf.cli import main as hlf
from hlf.errors import HlfError
from hlf.files import read_table, write_json
from hlf.release.card import card, front_matter
from hlf.release.checksums import NAME, problems, write_checksums
from hlf.release.dataset import write_dataset
from hlf.release.finished import TABLES, copies_images, read_finished
from hlf.release.licences import card_name, remark
from hlf.release.models import write_seesr_package
from hlf.release.rebuild import Means, rebuild_images
from hlf.zoo.entries import ENTRIES, STEERED
from release_helpers import (
    LEVEL,
    MODEL,
    PEOPLE,
    ROOT,
    Small,
    copies,
    package,
    recipes,
    small,
    small_run,
    with_release,
)  # fmt: skip

__all__ = ["copies", "package", "recipes", "small"]  # fixtures

PERSONAL = (*PEOPLE[:3], "10.0.0.", "secret!", "trap for Anna")


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def text_of(folder: Path) -> str:
    """Everything a package says: files as they are, Parquet files also unpacked, with their metadata."""
    parts = [repr(p.relative_to(folder)) + p.read_bytes().decode("latin1") for p in folder.rglob("*") if p.is_file()]
    tables = [pq.read_table(p) for p in folder.rglob("*.parquet")]
    return "\n".join([*parts, *(t.to_pandas().to_csv() + str(t.schema) + str(t.schema.metadata) for t in tables)])


def test_photographs_go_along_only_with_a_licence(recipes: Path, copies: Path) -> None:
    assert not (recipes / "pictures").exists() and len(list((copies / "pictures").rglob("*.png"))) == 18
    assert "No picture is in this package" in (recipes / "LICENSES.md").read_text()
    assert "**CC0-1.0**" in (copies / "LICENSES.md").read_text()
    front = yaml.safe_load((copies / "README.md").read_text().split("---")[1])
    assert front["license"] == ["cc-by-4.0", "cc0-1.0"]
    assert [copies_images("recipe", *case) for case in (("scenes", ""), ("folder", "CC0-1.0"))] == [False, False]
    assert copies_images("copy", "folder", "CC0-1.0")


def test_photographs_without_a_licence_may_not_be_copied_by_configuration() -> None:
    config = hlf_config.load(ROOT, ["config.paper.yaml"])
    paper = config["release"]
    assert not copies_images(paper["images"], config["images"]["source"], paper["image_licence"])
    config["release"] = {**paper, "images": "copy"}
    with pytest.raises(HlfError, match=r"release.images is copy, but release.image_licence does not say"):
        hlf_config.check(config)
    config["release"]["image_licence"] = "CC0-1.0"
    hlf_config.check(config)
    # it changes no result, so neither the report nor any table is made again for it
    assert "release" not in hlf_config.shown(config)


def test_splits_features_and_files_are_what_the_card_says(copies: Path, small: Small) -> None:
    front = yaml.safe_load((copies / "README.md").read_text().split("---")[1])
    files = {f["path"] for config in front["configs"] for f in config["data_files"]}
    assert files == {p.relative_to(copies).as_posix() for p in copies.rglob("*.parquet")}
    for config, info in zip(front["configs"], front["dataset_info"], strict=True):
        assert config["config_name"] == info["config_name"]
        for data, split in zip(config["data_files"], info["splits"], strict=True):
            table = pq.read_table(copies / data["path"])
            assert (data["split"], table.num_rows) == (split["name"], split["num_examples"])
            assert table.column_names == [feature["name"] for feature in info["features"]]
    splits = {s["name"]: s["num_examples"] for s in front["dataset_info"][0]["splits"]}
    assert splits == {"train": 4, "test": 1, "incomplete": 1}
    named = set((copies / "data_dictionary.md").read_text().split())
    assert {c for p in copies.rglob("*.parquet") for c in pq.read_schema(p).names} <= named


def test_pairs_hold_scores_values_and_the_very_pictures(copies: Path, small: Small) -> None:
    pairs = pd.concat(read_table(p) for p in (copies / "data/pairs").iterdir()).set_index("pair_id")
    tables = {name: table.set_index("pair_id") for name, table in small.run.tables.items() if "pair_id" in table}
    for column in ("score", "wilson_low", "wilson_high", "n_valid", "n_yes"):
        pd.testing.assert_series_equal(pairs[column].sort_index(), tables["scores"][column].sort_index())
    psnr = tables["iqa"]["value"].reindex(pairs.index)
    assert np.isnan(psnr).sum() == 1 and np.array_equal(pairs["iqa_psnr"], psnr, equal_nan=True)
    metric = small.run.tables["metric"]
    for tuned, column in ((True, "hlf_pe_core_tuned"), (False, "hlf_pe_core_untouched")):
        own = metric[metric["tuned"] == tuned].set_index("pair_id")["value"]
        assert (pairs[column] == own.reindex(pairs.index)).all()
    measures = read_table(copies / "measures.csv").set_index("column")
    assert measures["failed"].to_dict() == {"iqa_psnr": 1, "hlf_pe_core_untouched": 0, "hlf_pe_core_tuned": 0}
    for pair, row in pairs.iterrows():
        for kind in ("gt", "lr", "sr"):
            source = small.run.results / tables["pairs"].loc[pair, f"{kind}_path"]
            assert row[kind]["bytes"] == source.read_bytes() == (copies / row[f"{kind}_path"]).read_bytes()
    assert set(pairs["zoo"]) == {"mini"} and set(pairs["source"]) == {"human"}


def test_nothing_of_people_but_their_answers_gets_out(copies: Path, recipes: Path, small: Small) -> None:
    for folder in (copies, recipes):
        said = text_of(folder)
        assert all(word in said for word in (f"photo 1@{LEVEL}@{MODEL}", "p0004"))  # it sees into every file
        assert [word for word in PERSONAL if word in said] == []
    votes = pd.concat(read_table(p) for p in (copies / "data/votes").iterdir())
    assert sorted(set(votes["participant"])) == ["p0001", "p0002", "p0003", "p0004"]
    assert set(votes.loc[votes["is_trap"], "pair_id"]) == {"trap-01"}
    given = small.run.tables["votes"]
    # every vote is there once, and people keep their votes together
    shapes = [
        sorted(
            tuple(sorted(zip(own["order_index"], own["answer"], own["rt_active_ms"], strict=True))) for _, own in groups
        )
        for groups in (votes.groupby("participant"), given.groupby("participant"))
    ]
    assert len(votes) == len(given) and shapes[0] == shapes[1]


def test_people_may_be_called_anything(small: Small, recipes: Path, tmp_path: Path) -> None:
    other = small_run(tmp_path, people=("zz", "y", "0", "Anna"))
    shutil.rmtree(other.photographs)
    write_dataset(with_release(other), tmp_path / "dataset")
    assert contents(tmp_path / "dataset") == contents(recipes)


def test_columns_that_a_table_of_votes_should_not_have_stay_behind(small: Small, recipes: Path, tmp_path: Path) -> None:
    votes = small.run.tables["votes"].assign(email="anna.lovelace@example.org", ip="10.0.0.9")
    run = with_release(small)
    run.tables["votes"], kept = votes, run.tables["votes"]
    try:
        write_dataset(run, tmp_path / "dataset")
    finally:
        run.tables["votes"] = kept
    assert contents(tmp_path / "dataset") == contents(recipes)


def test_checksums_are_those_of_sha256sum(copies: Path) -> None:
    check = subprocess.run(
        ["sha256sum", "-c", "--strict", NAME], cwd=copies, capture_output=True, text=True, check=True
    )
    assert check.stdout.count(": OK\n") == len(contents(copies)) - 1
    assert problems(copies) == []


def test_a_tampered_package_is_noticed(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hlf(["release", "check", str(package)]) == 0
    path = package / "data/pairs/train.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    (package / "CITATION.cff").unlink()
    (package / "more.txt").write_text("x")
    capsys.readouterr()
    assert hlf(["release", "check", str(package)]) == 1
    told = capsys.readouterr()
    said = told.err
    assert told.out.endswith("3 problems\n") and said.count("hlf: ") == said.count("\n") == 3
    for sentence in ("CITATION.cff is missing", "more.txt is not listed", "train.parquet is not the file"):
        assert sentence in said
    assert subprocess.run(["sha256sum", "-c", NAME], cwd=package, capture_output=True, check=False).returncode == 1
    with pytest.raises(HlfError, match=r"is not as it was released: CITATION.cff is missing, and 2 other files"):
        rebuild_images(package, package.parent / "out", Means())


@pytest.mark.parametrize("text", ["", "12  README.md\n", f"{'a' * 64} README.md\n", f"{'a' * 64}  x\n{'b' * 64}  x\n"])
def test_broken_lists_of_checksums_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    (tmp_path / "README.md").write_text("x")
    if not text:
        assert problems(tmp_path) == [f"README.md is not listed in {NAME}"]
        return
    with pytest.raises(HlfError, match="line"):
        problems(tmp_path)


def test_names_that_tools_write_in_different_ways_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a\nb").write_text("x")
    with pytest.raises(HlfError, match="line break in the name"):
        write_checksums(tmp_path)


def test_a_changed_or_missing_picture_is_not_released(tmp_path: Path) -> None:
    small = small_run(tmp_path)
    picture = small.run.results / small.run.tables["pairs"]["sr_path"].iloc[0]
    data = picture.read_bytes()
    for change, says in (
        (lambda: picture.write_bytes(data + b"x"), "other SHA-256"),
        (picture.unlink, "cannot be read"),
    ):
        change()
        with pytest.raises(HlfError, match=says):
            write_dataset(small.run, tmp_path / "dataset")
        assert not (tmp_path / "dataset").exists()


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in (*TABLES, "origin")}
    with pytest.raises(HlfError, match=r"is not finished: .*complete.txt does not exist; run `snakemake all` first"):
        read_finished({**files, "complete": tmp_path / "complete.txt"}, tmp_path, {})


def test_an_export_of_a_study_tells_how_it_was_collected(small: Small, tmp_path: Path) -> None:
    export = tmp_path / "export"
    export.mkdir()
    summary = {
        "settings": {"question": "Did it change?"}, "counts": {"late_votes": 5, "declined": 3},
        "screening": {"version": "v9", "excluding": ["traps", "median_rt"]},
    }  # fmt: skip
    write_json(export / "summary.json", summary)
    texts = []
    for votes in ("votes.csv", str(export), "simulated"):
        run = with_release(small)
        config = {**run.config, "study": {**run.config["study"], "votes": votes}}
        run = type(run)(run.results, run.tables, run.facts, config, run.release, run.origin)
        texts.append(
            card(run, front_matter(run, {"pairs": {}}, {"pairs": {"train": (1, 2)}}, {"pairs": 3}), _measures())
        )
    plain, exported, simulated = texts
    assert "whoever publishes this data set tells it here" in plain
    for sentence in ('"Did it change?"', "5 votes came after their time limit", "3 people did not agree", "Rules v9"):
        assert sentence in " ".join(exported.split()) and sentence not in plain
    assert "Nobody was asked" in simulated and "whoever publishes" not in simulated


def _measures() -> pd.DataFrame:
    return pd.DataFrame([{"column": "iqa_psnr", "measure": "psnr", "kind": "FR", "lower_better": False, "failed": 0}])


def test_official_licences_travel_with_a_fine_tuned_seesr(tmp_path: Path) -> None:
    folder = tmp_path / "seesr-hlf0.1"
    for name in (*STEERED, "history.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "README.md").write_text("# SeeSR\n")
    weights = [
        {"zoo": zoo, "entry": name, "file": "f", "licence": e.licence, "source": e.source}
        for (zoo, name), e in ENTRIES.items()
    ]
    table4 = pd.DataFrame({"model": ["SeeSR-Original", "SeeSR-Finetuned (0.1)"], "n": 1000, "psnr": [20.0, 21.5]})
    origin = {"zoo": "official", "run": "paper", "stamp": "", "weights": weights}
    write_seesr_package(folder, tmp_path / "package", "seesr-hlf0.1", table4, origin)
    text = (tmp_path / "package/README.md").read_text()
    assert yaml.safe_load(text.split("---")[1])["license"] == "openrail++"
    said = " ".join(text.split())
    for sentence in (
        "OpenRAIL++-M",
        "must bind the next user by the same",
        "exploit or harm minors",
        "21.5",
        "1000 eval",
    ):
        assert sentence in said
    assert "| ram |" not in text and "test-data" not in text
    assert (tmp_path / "package" / STEERED[1]).read_text() == STEERED[1] and problems(tmp_path / "package") == []
    (folder / STEERED[1]).unlink()
    with pytest.raises(HlfError, match="does not exist; run `snakemake all` first"):
        write_seesr_package(folder, tmp_path / "other", "seesr-hlf0.1", table4, origin)
    assert not (tmp_path / "other").exists()


def test_licences_of_every_entry_are_known_to_the_card() -> None:
    licences = {entry.licence for entry in ENTRIES.values()}
    # what is neither on the hub's list nor explained would be passed on without a word
    assert {x for x in licences if card_name(x) == "other" and not remark(x)} <= {
        "BSD-3-Clause; BSD-2-Clause",
        "BSD-3-Clause; MIT",
    }
    assert (
        remark("S-Lab License 1.0 (non-commercial)") and card_name("CreativeML-OpenRAIL-M") == "creativeml-openrail-m"
    )
