"""Measuring pairs: one decode, failures as rows, resume per metric, and the float64 way out of a NaN."""

import numpy as np
import pandas as pd
import pytest

from hlf.columns import TABLES, conform
from hlf.errors import HlfError
from hlf.images import write_png
from hlf.iqa import measure
from hlf.iqa.measure import measure_pairs
from hlf.iqa.registry import METRICS, get_metric
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


class Counter:
    """Stands in for pyiqa: counts calls, and may break at one of them."""

    def __init__(self, values=0.5, break_at=None):
        self.calls, self.values, self.break_at = 0, values, break_at

    def __call__(self, *_images):
        self.calls += 1
        if self.calls == self.break_at:
            raise KeyboardInterrupt
        return self.values


def fake(monkeypatch, **counters):
    for metric in METRICS.values():
        monkeypatch.setattr(type(metric), "build", lambda self: counters[self.name])


def test_values_are_those_of_pyiqa_called_with_sr_first(study):
    import pyiqa
    import torch

    pairs, root = study
    table, timing = measure_pairs(pairs, root, ["psnr", "ssim", "vif"], "t", "k", None)
    assert list(table) == list(TABLES["iqa"])
    assert (table["status"] == "ok").all() and set(table["version"]) == {f"pyiqa {pyiqa.__version__}"}
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
    measure_pairs(pairs, root, ["psnr", "psnry", "ssim"], "t", "k", None)
    assert len(decoded) == len(set(decoded)) == 6


def test_failures_are_rows_and_the_rest_is_measured(study):
    pairs, root = study
    (root / "sr/0_0.3.png").unlink()
    (root / "sr/0_1.0.png").write_bytes(b"no picture")
    write_png(root / "sr/1_0.3.png", picture(1, 48, 60))
    table, _ = measure_pairs(pairs, root, ["psnr"], "t", "k", None)
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
    table, _ = measure_pairs(pairs, root, ["ssim", "vif"], "t", "k", None)
    status = table.set_index("metric")["status"]
    assert (status["ssim"] == "ok").all()
    assert (status["vif"] == "failed: images are 64x20 pixels, vif needs at least 33 a side").all()


def test_nan_of_vif_is_recomputed_in_float64_and_recorded(study, monkeypatch):
    pairs, root = study
    fake(monkeypatch, vif=Counter(float("nan")), psnr=Counter(float("nan")))
    table, _ = measure_pairs(pairs, root, ["vif", "psnr"], "t", "k", None)
    vif = table[table["metric"] == "vif"].set_index("pair_id")
    assert (vif["status"] == "ok").all() and vif["version"].str.match(r"hlf vif64 \(pyiqa .* gave nan\)").all()
    assert vif.loc["0@1.0@m", "value"] == vif64(noisy(picture(0), 0, 20), picture(0))
    # the others have no second way: the row says so
    assert set(table.loc[table["metric"] == "psnr", "status"]) == {"failed: psnr gave nan"}


def test_a_metric_added_later_measures_only_itself(study, monkeypatch, tmp_path):
    pairs, root = study
    first = {"psnr": Counter(1.0), "ssim": Counter(2.0)}
    fake(monkeypatch, **first)
    before, timing = measure_pairs(pairs, root, ["psnr"], "t", "k", tmp_path / "work")
    after, later = measure_pairs(pairs, root, ["psnr", "ssim"], "t", "k", tmp_path / "work")
    assert (first["psnr"].calls, first["ssim"].calls) == (4, 4)
    pd.testing.assert_frame_equal(before, after.head(4))
    assert later["seconds"][0] == timing["seconds"][0]


@pytest.mark.parametrize("change", ["key", "image", "pairs"])
def test_finished_parts_are_not_reused_for_something_else(study, monkeypatch, tmp_path, change):
    pairs, root = study
    counter = Counter()
    fake(monkeypatch, psnr=counter)
    measure_pairs(pairs, root, ["psnr"], "t", "k", tmp_path / "work")
    if change == "image":
        write_png(root / "sr/0_0.3.png", picture(9))
    again = pairs.iloc[:3] if change == "pairs" else pairs
    measure_pairs(again, root, ["psnr"], "t", "other" if change == "key" else "k", tmp_path / "work")
    assert counter.calls == {"key": 8, "image": 5, "pairs": 7}[change]


def test_a_killed_job_goes_on_where_it_stopped(study, monkeypatch, tmp_path):
    pairs, root = study
    monkeypatch.setattr(measure, "FLUSH", 1)
    counter = Counter(break_at=3)
    fake(monkeypatch, psnr=counter)
    with pytest.raises(KeyboardInterrupt):
        measure_pairs(pairs, root, ["psnr"], "t", "k", tmp_path / "work")
    resumed, _ = measure_pairs(pairs, root, ["psnr"], "t", "k", tmp_path / "work")
    assert counter.calls == 3 + 2
    pd.testing.assert_frame_equal(resumed, measure_pairs(pairs, root, ["psnr"], "t", "k", None)[0])


def test_a_failed_pair_is_tried_again(study, monkeypatch, tmp_path):
    pairs, root = study
    fake(monkeypatch, psnr=Counter())
    whole = (root / "sr/0_0.3.png").read_bytes()
    (root / "sr/0_0.3.png").write_bytes(b"")
    table, _ = measure_pairs(pairs, root, ["psnr"], "t", "k", tmp_path / "work")
    assert (table["status"] == "ok").sum() == 3
    (root / "sr/0_0.3.png").write_bytes(whole)
    table, _ = measure_pairs(pairs, root, ["psnr"], "t", "k", tmp_path / "work")
    assert (table["status"] == "ok").all()


def test_wrong_metric_lists_are_refused(study):
    pairs, root = study
    with pytest.raises(HlfError, match="'lpips2', expected some of psnr"):
        measure_pairs(pairs, root, ["lpips2"], "t", "k", None)
    with pytest.raises(HlfError, match="twice"):
        measure_pairs(pairs, root, ["psnr", "psnr"], "t", "k", None)
    with pytest.raises(HlfError, match="no pair"):
        measure_pairs(pairs.head(0), root, ["psnr"], "t", "k", None)


@pytest.mark.parametrize("name", list(METRICS))
def test_registry_says_what_pyiqa_says(name):
    metric = get_metric(name)
    own = metric.build()
    assert (own.metric_mode, own.lower_better) == (metric.kind, metric.lower_better)


@pytest.mark.parametrize("name", ["ssim", "vif"])
def test_smallest_side_is_where_the_metric_starts_to_work(name):
    import torch

    metric = get_metric(name)
    build, side = metric.build(), metric.min_side
    good, small = (torch.rand(1, 3, n, 64, generator=torch.manual_seed(1)) for n in (side, side - 1))
    assert float(build(good, good)) == pytest.approx(1, abs=1e-3)
    with pytest.raises((RuntimeError, AssertionError, ValueError)):
        build(small, small)


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
