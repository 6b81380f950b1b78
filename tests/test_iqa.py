"""Measuring pairs: one decode, failures as rows, resume per metric, and the float64 way out of a NaN."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlf
from hlf.columns import TABLES, conform
from hlf.errors import HlfError
from hlf.images import write_png
from hlf.iqa import measure
from hlf.iqa.measure import measure_pairs
from hlf.iqa.picture import Picture
from hlf.iqa.registry import GROUPS, METRICS, Source, get_metric, load_measure
from hlf.iqa.vif64 import vif64


def picture(seed, height=48, width=64):
    """A smooth wave with some noise on it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    wave = 120 + 70 * np.sin(x / (3 + seed % 4)) * np.cos(y / 5)
    return np.clip(wave[..., None] + rng.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)


def noisy(image, seed=0, sigma=10):
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def study(tmp_path):
    """Four pairs of two GT images under results/t."""
    root = tmp_path / "results"
    rows = []
    for gt in range(2):
        write_png(root / f"gt/{gt}.png", picture(gt))
        for level in (0.3, 1.0):
            write_png(root / f"sr/{gt}_{level}.png", noisy(picture(gt), gt, 20 * level))
            rows.append((f"{gt}@{level}@m", str(gt), level, f"gt/{gt}.png", f"sr/{gt}_{level}.png"))
    pairs = pd.DataFrame(rows, columns=["pair_id", "image_id", "level", "gt_path", "sr_path"])
    return conform(pairs.assign(run="t", model="m", similarity=0.5, bin=0, lr_path="lr", seed=1), "pairs"), root


SOURCE = Source("mini", Path("no such folder"))


def measured(pairs, root, metrics, key="k", work=None, source=SOURCE):
    """Table of `measure_pairs`."""
    keys = dict.fromkeys(GROUPS, key)
    return measure_pairs(pairs, root, metrics, source, "t", keys, work)[0]


class Counter:
    """Stands in for a group's measure: counts calls, and may break at one of them."""

    version = "counter"

    def __init__(self, break_at=None, **values):
        self.calls, self.values, self.break_at = 0, values, break_at

    def __call__(self, *_given):
        self.calls += 1
        if self.calls == self.break_at:
            raise KeyboardInterrupt
        return self.values


def fake(monkeypatch, **counters):
    monkeypatch.setattr(measure, "load_measure", lambda group, _source: counters[group])


def test_values_are_those_of_pyiqa_called_with_sr_first(study):
    import pyiqa
    import torch

    pairs, root = study
    table, timing = measure_pairs(pairs, root, ["psnr", "ssim", "vif"], SOURCE, "t", {}, None)
    assert list(table) == list(TABLES["iqa"])
    assert (table["status"] == "ok").all()
    versions = table.groupby("metric")["version"].unique().map(list).to_dict()
    theirs = [f"pyiqa {pyiqa.__version__}"]
    assert versions == {"psnr": theirs, "ssim": [f"hlf {hlf.__version__}"], "vif": theirs}
    assert timing["metric"].tolist() == ["psnr", "ssim", "vif"] and (timing["pairs"] == 4).all()
    assert (timing["seconds"] > 0).all()
    values = table.set_index(["metric", "pair_id"])["value"]
    sr, gt = noisy(picture(1), 1, 20), picture(1)
    for name in ("psnr", "ssim", "vif"):
        tensors = [torch.tensor(i / 255.0, dtype=torch.float32).permute(2, 0, 1)[None] for i in (sr, gt)]
        assert values[name, "1@1.0@m"] == pytest.approx(float(pyiqa.create_metric(name, device="cpu")(*tensors)))
        assert values[name, "1@0.3@m"] > values[name, "1@1.0@m"]  # all three rise with quality


def test_each_image_is_decoded_once_for_all_metrics(study, monkeypatch):
    pairs, root = study
    decoded = []
    decode = measure.decode_image
    monkeypatch.setattr(measure, "decode_image", lambda data, name: decoded.append(name) or decode(data, name))
    measured(pairs, root, ["psnr", "psnry", "ssim"])
    assert len(decoded) == len(set(decoded)) == 6


def test_failures_are_rows_and_the_rest_is_measured(study):
    pairs, root = study
    (root / "sr/0_0.3.png").unlink()
    (root / "sr/0_1.0.png").write_bytes(b"no picture")
    write_png(root / "sr/1_0.3.png", picture(1, 48, 60))
    table = measured(pairs, root, ["psnr"])
    rows = table.set_index("pair_id")
    for pair, words in {
        "0@0.3@m": "failed: image .*cannot be opened",
        "0@1.0@m": "failed: image .*cannot be decoded",
        "1@0.3@m": "failed: SR is 60x48 pixels, GT is 64x48",
    }.items():
        assert pd.Series(rows.loc[pair, "status"]).str.match(words).all()
        assert np.isnan(rows.loc[pair, "value"])
    assert rows.loc["1@1.0@m", "status"] == "ok" and rows.loc["1@1.0@m", "value"] > 10


def test_too_small_images_fail_only_for_the_metric_that_needs_more(study):
    pairs, root = study
    for path in {*pairs["gt_path"], *pairs["sr_path"]}:
        write_png(root / path, picture(0, 20, 64))
    table = measured(pairs, root, ["ssim", "vif"])
    status = table.set_index("metric")["status"]
    assert (status["ssim"] == "ok").all()
    assert (status["vif"] == "failed: images are 64x20 pixels, vif needs at least 33 a side").all()


def test_nan_of_vif_is_recomputed_in_float64_and_recorded(study, monkeypatch):
    import pyiqa

    pairs, root = study
    monkeypatch.setattr(pyiqa, "create_metric", lambda *_, **__: lambda *_: float("nan"))
    table = measured(pairs, root, ["vif", "psnr"])
    vif = table[table["metric"] == "vif"].set_index("pair_id")
    assert (vif["status"] == "ok").all() and vif["version"].str.match(r"hlf vif64 \(pyiqa .* gave nan\)").all()
    assert vif.loc["0@1.0@m", "value"] == vif64(noisy(picture(0), 0, 20), picture(0))
    # the others have no second way: the row says so
    assert set(table.loc[table["metric"] == "psnr", "status"]) == {"failed: psnr gave nan"}


def test_a_metric_added_later_measures_only_itself(study, monkeypatch, tmp_path):
    pairs, root = study
    counters = {"psnr": Counter(psnr=1.0), "ssim": Counter(ssim=2.0)}
    fake(monkeypatch, **counters)
    before = measured(pairs, root, ["psnr"], work=tmp_path)
    after = measured(pairs, root, ["ssim", "psnr"], work=tmp_path)
    assert (counters["psnr"].calls, counters["ssim"].calls) == (4, 4)
    pd.testing.assert_frame_equal(before, after.tail(4).reset_index(drop=True))


def test_one_pass_gives_all_metrics_of_a_group(study, monkeypatch, tmp_path):
    pairs, root = study
    counter = Counter(afine=1.0, afine_fr=2.0, afine_nr=3.0)
    fake(monkeypatch, afine=counter)
    monkeypatch.setattr(measure, "missing_weights", lambda *_: "")
    monkeypatch.setattr(measure, "weight_files", lambda *_: [])
    monkeypatch.setattr(measure, "check_sizes", lambda *_: None)
    table = measured(pairs, root, ["afine_fr", "afine", "afine_nr"], work=tmp_path)
    assert counter.calls == 4
    assert table["metric"].tolist() == ["afine_fr"] * 4 + ["afine"] * 4 + ["afine_nr"] * 4
    assert table["value"].tolist() == [2.0] * 4 + [1.0] * 4 + [3.0] * 4


def test_missing_weights_are_rows_that_name_the_file(study):
    pairs, root = study
    table = measured(pairs, root, ["psnr", "lpips", "afine_fr", "koniqpp_blur"])
    rows = table.groupby("metric")["status"].agg(["first", "nunique"])
    assert (rows["nunique"] == 1).all()
    assert rows["first"]["psnr"] == "ok"
    assert rows["first"]["lpips"] == "weights missing: config.json"
    assert table.loc[table["metric"] == "lpips", "value"].isna().all()
    official = measured(pairs, root, ["lpips", "joint_technical"], source=Source("official", Path("nowhere")))
    assert official["status"].unique().tolist() == [
        "weights missing: alexnet-owt-7be5be79.pth",
        "weights missing: JOINT_2024.pth",
    ]


@pytest.mark.parametrize("change", ["key", "image", "pairs", "seed"])
def test_finished_parts_are_not_reused_for_something_else(study, monkeypatch, tmp_path, change):
    pairs, root = study
    counter = Counter(psnr=0.5)
    fake(monkeypatch, psnr=counter)
    measured(pairs, root, ["psnr"], work=tmp_path)
    if change == "image":
        write_png(root / "sr/0_0.3.png", picture(9))
    again = pairs.iloc[:3] if change == "pairs" else pairs
    source = Source("mini", SOURCE.folder, seed=7) if change == "seed" else SOURCE
    measured(again, root, ["psnr"], "other" if change == "key" else "k", tmp_path, source)
    assert counter.calls == {"key": 8, "image": 5, "pairs": 7, "seed": 8}[change]


def test_a_killed_job_goes_on_where_it_stopped(study, monkeypatch, tmp_path):
    pairs, root = study
    monkeypatch.setattr(measure, "FLUSH", 1)
    counter = Counter(break_at=3, psnr=0.5)
    fake(monkeypatch, psnr=counter)
    with pytest.raises(KeyboardInterrupt):
        measured(pairs, root, ["psnr"], work=tmp_path)
    resumed = measured(pairs, root, ["psnr"], work=tmp_path)
    assert counter.calls == 3 + 2
    pd.testing.assert_frame_equal(resumed, measured(pairs, root, ["psnr"]))


def test_a_failed_pair_is_tried_again(study, monkeypatch, tmp_path):
    pairs, root = study
    fake(monkeypatch, psnr=Counter(psnr=0.5))
    whole = (root / "sr/0_0.3.png").read_bytes()
    (root / "sr/0_0.3.png").write_bytes(b"")
    assert (measured(pairs, root, ["psnr"], work=tmp_path)["status"] == "ok").sum() == 3
    (root / "sr/0_0.3.png").write_bytes(whole)
    assert (measured(pairs, root, ["psnr"], work=tmp_path)["status"] == "ok").all()


def test_wrong_weights_stop_the_job(study, tmp_path):
    pairs, root = study
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "vgg").mkdir(exist_ok=True)
        (tmp_path / "vgg" / name).write_text("{}")
    with pytest.raises(HlfError, match="vgg"):
        measured(pairs, root, ["psnr", "lpips"], source=Source("mini", tmp_path))


def test_wrong_metric_lists_are_refused(study):
    pairs, root = study
    with pytest.raises(HlfError, match="'lpips2', expected some of psnr"):
        measured(pairs, root, ["lpips2"])
    with pytest.raises(HlfError, match="twice"):
        measured(pairs, root, ["psnr", "psnr"])
    with pytest.raises(HlfError, match="no pair"):
        measured(pairs.head(0), root, ["psnr"])


@pytest.mark.parametrize("name", list(METRICS))
def test_registry_says_what_pyiqa_says(name):
    from pyiqa.default_model_configs import DEFAULT_CONFIGS

    metric, theirs = get_metric(name), {"afine": "afine_all", "afine_scale": "afine_all_scale"}.get(name, name)
    if metric.group in ("koniqpp", "joint"):
        assert theirs not in DEFAULT_CONFIGS, "no measure of ours where the library has one"
        return
    assert (metric.kind, metric.lower_better) == (
        DEFAULT_CONFIGS[theirs]["metric_mode"],
        DEFAULT_CONFIGS[theirs].get("lower_better", False),
    )


@pytest.mark.parametrize("name", ["ssim", "vif"])
def test_smallest_side_is_where_the_metric_starts_to_work(name):
    own, side = load_measure(name, SOURCE), get_metric(name).min_side
    good, small = (Picture(picture(1, n, 64)) for n in (side, side - 1))
    assert own(good, good)[name] == pytest.approx(1, abs=1e-3)
    with pytest.raises((RuntimeError, AssertionError, ValueError, HlfError)):
        own(small, small)


@pytest.mark.parametrize("name", ["ssim", "ssimc"])
def test_ssim_is_pyiqas_to_the_last_digits(name):
    import pyiqa

    theirs, own = pyiqa.create_metric(name, device="cpu"), load_measure(name, SOURCE)
    gt = Picture(picture(1, 61, 83))
    # an inverted picture, where the clamp of the structure term acts, and a flat one
    others = [noisy(gt.rgb, 1, 25), 255 - gt.rgb, np.full_like(gt.rgb, 90), gt.rgb]
    for rgb in others:
        sr = Picture(rgb)
        assert own(sr, gt)[name] == pytest.approx(float(theirs(sr.tensor, gt.tensor)), abs=1e-12)


# vif64


def test_vif_of_an_image_with_itself_is_one_and_falls_with_noise():
    image = picture(3, 60, 70)
    values = [vif64(noisy(image, 0, sigma), image) for sigma in (5, 15, 40)]
    assert vif64(image, image) == pytest.approx(1, abs=1e-6)
    assert 1 > values[0] > values[1] > values[2] > 0


def test_vif_is_finite_for_flat_and_smooth_references():
    flat = np.full((40, 40, 3), 90, np.uint8)
    ramp = np.repeat(np.tile(np.arange(40, dtype=np.uint8) * 5, (40, 1))[..., None], 3, axis=2)
    assert vif64(picture(1, 40, 40), flat) == 0
    for sr in (ramp, flat, picture(1, 40, 40)):
        assert 0 <= vif64(sr, ramp) <= 1.01
    assert vif64(255 - ramp, ramp) < 0.01  # a reversed contrast tells nothing


@pytest.mark.parametrize("shape", [(40, 41, 3), (32, 40, 3)])
def test_vif_refuses_other_sizes(shape):
    with pytest.raises(HlfError, match="one size"):
        vif64(np.zeros(shape, np.uint8), np.zeros((40, 40, 3) if shape[0] == 40 else shape, np.uint8))
