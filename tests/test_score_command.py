"""Command `hlf score`: a row per picture and metric, a summary, failures told, numbers that depend on pictures only."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlf
from backbone_helpers import tiny_backbones, tiny_dino
from hlf.cli import main
from hlf.images import write_png
from hlf.iqa.folder import find_pairs
from hlf.metric.calibration import Calibration
from hlf.metric.fidelity import HighLevelFidelity
from hlf.metric.folder import SCORE_COLUMNS, SUMMARY_COLUMNS
from hlf.metric.model import Origin

ROOT = Path(__file__).parents[1]
NAMES = ("a", "b", "sub/c", "d", "e", "f")


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """GT pictures and an SR picture of each, and a tuned metric."""
    monkeypatch.setenv("HLF_ZOO", str(tiny_backbones(tmp_path / "zoo")))
    rng = np.random.default_rng(1)
    for name in NAMES:
        gt = rng.integers(0, 256, (32, 40, 3), dtype=np.uint8)
        write_png(tmp_path / f"gt/{name}.png", gt)
        write_png(tmp_path / f"sr/{name}_X.png", np.where(rng.random(gt.shape) < 0.5, gt, 255 - gt))
    metric = HighLevelFidelity(tiny_dino(), Calibration(c=0.05, k=1.5), origin=Origin(tuned=True))
    metric.save_pretrained(tmp_path / "model")
    return tmp_path


def call(root, *options, out="out.csv", sr="sr", gt="gt"):
    argv = ["score", "-t", str(root / sr), "-r", str(root / gt), "-o", str(root / out), "--suffix", "_X"]
    return main([*argv, "--device", "cpu", *options])


def read(path):
    return pd.read_csv(path, float_precision="round_trip", keep_default_na=False, na_values=[""])


def by_picture(table):
    """Value of each SR picture, by its path below the folder."""
    names = [image.split("/sr/")[1] for image in table["image"]]
    return dict(zip(names, table["value"], strict=True))


def test_rows_are_the_scores_of_the_library(folders, capsys):
    assert call(folders, "--weights", str(folders / "model"), "-m", "hlf-dinov2", "psnr") == 0
    table = read(folders / "out.csv")
    assert table.columns.tolist() == SCORE_COLUMNS and table["metric"].tolist() == ["hlf-dinov2"] * 6 + ["psnr"] * 6
    assert (table["status"] == "ok").all() and (table["device"] == "cpu").all()
    own = table[table["metric"] == "hlf-dinov2"]
    assert own["lower_better"].all() and not table[table["metric"] == "psnr"]["lower_better"].any()
    metric = hlf.load_metric("dinov2", weights=folders / "model", device="cpu")
    assert own["value"].to_numpy() == pytest.approx(
        metric.score(sr=own["image"].tolist(), gt=own["ref"].tolist()), abs=1e-7
    )
    assert set(own["weights_sha256"]) == {metric.origin.weights_sha256} and set(own["zoo"]) == {"mini"}
    assert set(own["version"]) == {f"hlf {hlf.__version__}"}
    assert "dinov2 tuned; squashed to 32x32" in own["convention"].iloc[0] and "share = 1 /" in own["convention"].iloc[0]
    told = capsys.readouterr()
    assert "12 values in" in told.out and "0 failed, 0 without a partner" in told.out and "lower is better" in told.out


def test_measures_beside_it_are_those_of_hlf_iqa(folders):
    assert call(folders, "-m", "psnr", "ssim") == 0
    argv = ["-t", str(folders / "sr"), "-r", str(folders / "gt"), "-o", str(folders / "iqa.csv"), "--suffix", "_X"]
    assert main(["iqa", *argv, "-m", "psnr", "ssim"]) == 0
    assert read(folders / "out.csv").drop(columns="device").equals(read(folders / "iqa.csv"))


def test_the_summary_has_mean_interval_and_counts(folders, capsys):
    assert call(folders, "--json") == 0
    table, summary = read(folders / "out.csv"), read(folders / "out_summary.csv")
    assert summary.columns.tolist() == SUMMARY_COLUMNS and len(summary) == 1
    row = summary.iloc[0]
    assert row["n"] == 6 and row["mean"] == pytest.approx(table["value"].mean()) and row["failed"] == 0
    assert table["value"].min() <= row["low"] < row["mean"] < row["high"] <= table["value"].max()
    # 95 % of the means of six draws: about four standard errors wide
    assert row["high"] - row["low"] == pytest.approx(3.92 * table["value"].std(ddof=0) / 6**0.5, rel=0.25)
    printed = json.loads(capsys.readouterr().out)
    assert printed["output"].endswith("out.csv") and printed["summary"][0]["mean"] == pytest.approx(row["mean"])
    call(folders, out="again.csv")
    assert (folders / "again_summary.csv").read_bytes() == (folders / "out_summary.csv").read_bytes()


def test_zero_shot_and_raw_are_told_apart(folders, caplog):
    from hlf.metric import load

    load._told.clear()
    assert call(folders, "--raw", "--weights", str(folders / "model")) == 0
    raw = read(folders / "out.csv")
    assert "none: the raw distance is the score" in raw["convention"].iloc[0]
    assert call(folders, out="zero.csv") == 0
    zero = read(folders / "zero.csv")
    assert "zero-shot" in zero["convention"].iloc[0] and any("not fine-tuned" in r.getMessage() for r in caplog.records)
    # the same seed made both backbones
    assert zero["value"].to_numpy() == pytest.approx(raw["value"].to_numpy(), abs=1e-6)


def test_failures_and_lonely_pictures_are_rows(folders, capsys):
    (folders / "sr/a_X.png").write_bytes(b"no picture")
    write_png(folders / "sr/b_X.png", np.zeros((32, 36, 3), np.uint8))
    (folders / "sr/d_X.png").unlink()
    (folders / "gt/e.png").unlink()
    assert call(folders, "-m", "hlf-dinov2", "ssim") == 1
    table = read(folders / "out.csv")
    for name in ("hlf-dinov2", "ssim"):
        own = table[table["metric"] == name].set_index("image")["status"]
        assert (own == "ok").sum() == 2 and len(own) == 6
        assert "cannot be decoded" in own[str(folders / "sr/a_X.png")]
        assert "SR is 36x32 pixels, GT is 40x32" in own[str(folders / "sr/b_X.png")]
        assert own[str(folders / "sr/e_X.png")].startswith("unmatched: ")
        lonely = table[(table["metric"] == name) & table["image"].isna()]
        assert lonely["ref"].tolist() == [str(folders / "gt/d.png")] and lonely["value"].isna().all()
    summary = read(folders / "out_summary.csv")
    assert summary[["n", "failed", "unmatched"]].to_numpy().tolist() == [[2, 2, 2]] * 2
    told = capsys.readouterr()
    assert "d.png has no partner" in told.err and "cannot be decoded" in told.err and "4 failed" in told.out


def test_fail_on_missing_scores_nothing(folders, capsys):
    (folders / "gt/e.png").unlink()
    assert call(folders, "--fail-on-missing") == 2
    assert "1 pictures have no partner, so nothing was scored" in capsys.readouterr().err
    assert not (folders / "out.csv").exists()


def test_names_order_shards_and_batches_change_no_score(folders):
    assert call(folders) == 0
    whole = by_picture(read(folders / "out.csv"))
    # renamed in step so that the order turns round, in three parts, another batch size
    parts = {}
    for number, name in enumerate(sorted(NAMES, reverse=True)):
        for place, suffix in (("sr", "_X"), ("gt", "")):
            target = folders / f"part{number % 3}/{place}/{number}{suffix}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folders / f"{place}/{name}{suffix}.png", target)
    for part in range(3):
        root = folders / f"part{part}"
        assert call(root, "--batch-size", str(part + 1)) == 0
        parts |= by_picture(read(root / "out.csv"))
    renamed = {f"{number}_X.png": f"{name}_X.png" for number, name in enumerate(sorted(NAMES, reverse=True))}
    assert {renamed[name]: value for name, value in parts.items()} == pytest.approx(whole, abs=1e-6)
    before = (folders / "out.csv").read_bytes()
    assert call(folders) == 0 and (folders / "out.csv").read_bytes() == before


def test_pairs_by_name_or_by_table(folders):
    assert call(folders, "--pair-by", "name") == 0
    by_stem = by_picture(read(folders / "out.csv"))
    (folders / "gt/a.png").rename(folders / "gt/a.bmp")
    found = find_pairs(folders / "sr", folders / "gt", "_X", "name")
    assert "a.png" not in found.names and len(found.lonely()) == 2 and len(found.names) == 5
    rows = [
        ("sr/b_X.png", "gt/b.png"),
        ("sr/sub/c_X.png", "gt/sub/c.png"),
        ("sr/d_X.png", "gt/b.png"),
        ("sr/no.png", "gt/b.png"),
    ]
    pd.DataFrame(rows, columns=["image", "ref"]).to_csv(folders / "pairs.csv", index=False)
    argv = [
        "score",
        "-t",
        str(folders / "pairs.csv"),
        "--pair-by",
        "csv",
        "-o",
        str(folders / "t.csv"),
        "--device",
        "cpu",
    ]
    assert main(argv) == 1
    table = read(folders / "t.csv")
    assert [image.split("/sr/")[1] for image in table["image"]] == ["b_X.png", "sub/c_X.png", "d_X.png", "no.png"]
    assert table["value"][0] == pytest.approx(by_stem["b_X.png"], abs=1e-6)
    assert table["value"][1] == pytest.approx(by_stem["sub/c_X.png"], abs=1e-6)
    assert "cannot be opened" in table["status"][3]


def test_a_gt_of_another_size_is_resized_when_asked(folders):
    for path in (folders / "sr").rglob("*.png"):
        write_png(path, np.zeros((16, 20, 3), np.uint8))
    assert call(folders) == 1 and read(folders / "out.csv")["value"].isna().all()
    assert call(folders, "--resize-ref") == 0 and read(folders / "out.csv")["value"].notna().all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-m", "hlf-dinov2", "hlf-dinov2"), r"a metric is named twice \(hlf-dinov2, hlf-dinov2\); name each once"),
        (("-m", "hlf-pe", "--weights", "{model}"), "--weights of backbone dinov2 belong to no metric of -m"),
        (("--weights", "{model}", "{model}"), "--weights name one backbone twice"),
        (("--weights", "nowhere"), "nowhere/config.json does not exist"),
        (("-m", "psnr", "--weights", "{model}"), "expected one folder for each of the HLF metrics"),
        (("--zoo-folder", "nowhere"), "nowhere/dinov2/config.json does not exist"),
        (("-o", "out.txt"), "output out.txt: expected a name ending in .csv"),
        (("--suffix", "_Y"), "holds no image|give --suffix if names differ"),
        (("--pair-by", "csv"), "cannot be read|cannot write"),
    ],
)
def test_wrong_use_is_one_sentence(folders, capsys, options, words):
    import re

    assert call(folders, *(o.format(model=folders / "model") for o in options)) == 2
    told = capsys.readouterr().err
    assert re.search(words, told) and told.startswith("hlf: ") and not (folders / "out.csv").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,gt\na,b\n", "lacks column ref; expected columns image and ref"),
        ("image,ref\n", "has no row"),
        ("image,ref\na,\n", "has an empty cell"),
    ],
)
def test_a_wrong_table_of_pairs_is_told(folders, capsys, text, words):
    (folders / "pairs.csv").write_text(text)
    argv = ["score", "-t", str(folders / "pairs.csv"), "--pair-by", "csv", "-o", str(folders / "t.csv")]
    assert main(argv) == 2 and words in capsys.readouterr().err


def test_pairing_needs_a_reference(folders, capsys):
    assert main(["score", "-t", str(folders / "sr"), "-o", str(folders / "t.csv")]) == 2
    assert "pairing by stem needs a GT picture or folder" in capsys.readouterr().err
