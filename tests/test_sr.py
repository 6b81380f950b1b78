"""Stage sr: contract of the models, tiles, and the loop that loses no image and hides no failure."""

import inspect

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from diffusion_helpers import QUICK
from hlf.device import pick_device
from hlf.errors import HlfError
from hlf.files import sha256, write_table
from hlf.images import read_image, to_tensor
from hlf.seeds import seed_for
from hlf.sr.registry import MODELS, load_upscaler, model_module
from hlf.sr.run import upscale_images
from hlf.sr.swinir import pad
from pasd_helpers import tiny_pasd_zoo
from seesr_helpers import tiny_seesr_zoo
from sr_helpers import Toy, lr_table, picture, png, tiny_zoo
from stablesr_helpers import tiny_stablesr_zoo


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    return tiny_stablesr_zoo(tiny_pasd_zoo(tiny_seesr_zoo(tiny_zoo(tmp_path_factory.mktemp("zoo")))))


def load(zoo, name, precision="fp32"):
    return load_upscaler(name, "mini", zoo, "cpu", precision, QUICK.get(name, {}))


def run(table, results, upscaler, **how):
    return upscale_images(table, results, upscaler, 42, "t", **{"key": "k", **how})


# --- models ---


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_keeps_the_contract(zoo, name):
    model = load(zoo, name)
    rule = model.descriptor
    assert (rule.name, rule.scale, rule.zoo) == (name, 4, "mini") and len(rule.weights_sha256) == 64
    for height, width in [(rule.min_side, rule.min_side), (8, 16), (13, 9)]:
        lr = to_tensor(picture(height, width))[None]
        sr = model.upscale(lr, [0])
        assert sr.shape == (1, 3, 4 * height, 4 * width) and sr.dtype == torch.float32
        assert float(sr.min()) >= 0 and float(sr.max()) <= 1 and float(sr.std()) > 1e-3
        assert torch.equal(sr, model.upscale(lr, [0]))
        assert torch.equal(sr, model.upscale(lr, [1])) is not rule.needs_seed
        assert all(bool(text) is rule.needs_prompt for text in model.texts(lr)[0])
    assert list(inspect.signature(model_module(name).load).parameters) == [
        "zoo", "folder", "device", "precision", "options",
    ]  # fmt: skip


@pytest.mark.parametrize("name", list(MODELS))
def test_wrong_inputs_are_refused_with_a_sentence(zoo, name):
    model = load(zoo, name)
    good = torch.full((2, 3, 8, 8), 0.5)
    for lr, seeds, words in [
        (good * 255, [0, 0], "divide 8-bit values by 255"),
        (good[:, :1], [0, 0], r"expected a float tensor \(N, 3, H, W\)"),
        (good, [0], "2 images and 1 seeds"),
    ]:
        with pytest.raises(HlfError, match=words):
            model.upscale(lr, seeds)


def test_swinir_refuses_sides_below_half_a_window(zoo):
    with pytest.raises(HlfError, match="image of 3x8, expected sides of at least 4"):
        load(zoo, "swinir").upscale(torch.full((1, 3, 8, 3), 0.5), [0])


@pytest.mark.parametrize("name", list(MODELS))
def test_batch_and_single_agree(zoo, name):
    """Last bits of the GAN models may differ (documented); the diffusion models, whose 8 bits would show it, do not."""
    model = load(zoo, name)
    lr = torch.stack([to_tensor(picture(9, 11, phase)) for phase in range(3)])
    single = torch.cat([model.upscale(one[None], [0]) for one in lr])
    assert (model.upscale(lr, [0, 0, 0]) - single).abs().max() <= (0 if name in QUICK else 1e-5)


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("bsrgan", "bf16"),
        ("bsrgan", "fp16"),
        ("swinir", "bf16"),
        ("seesr", "bf16"),
        ("seesr", "fp16"),
        ("pasd", "bf16"),
        ("pasd", "fp16"),
        ("stablesr", "bf16"),
        ("stablesr", "fp16"),
    ],
)
def test_low_precision_is_close_and_fp32_on_request_is_exact(zoo, name, precision):
    lr = to_tensor(picture(12, 12))[None]
    exact = load(zoo, name).upscale(lr, [0])
    low = load(zoo, name, precision)
    worst = float((low.upscale(lr, [0]) - exact).abs().max())
    # bf16 has 8 bits: 1/256 of values near 1, a few times; the sampling models add up two steps
    assert 0 < worst < (0.05 if name in QUICK else 0.02), f"{name} {precision}: {worst:.3g}"
    assert torch.equal(low.upscale(lr, [0], "fp32"), exact)


def test_unknown_names_precisions_devices_and_options(zoo):
    for args, words in [
        (("esrgan", "mini", zoo, "cpu", "fp32", {}), "SR model 'esrgan' is unknown, expected one of bsrgan, swinir"),
        (("swinir", "mini", zoo, "cpu", "fp16", {}), "cannot run in precision 'fp16', expected one of fp32, bf16"),
        (("bsrgan", "mini", zoo, "cpu", "fp8", {}), "precision 'fp8' is unknown"),
        (("bsrgan", "mini", zoo, "tpu", "fp32", {}), "device 'tpu' is unknown"),
        (("swinir", "mini", zoo, "cpu", "fp32", {"variant": "S"}), "sr.swinir.variant is 'S', expected M or L"),
    ]:
        with pytest.raises(HlfError, match=words):
            load_upscaler(*args)
    with pytest.raises(HlfError, match="model 'bsrgan' has no option 'variant', and no other; leave it out"):
        load_upscaler("bsrgan", "mini", zoo, "cpu", "fp32", {"variant": "M"})


def test_device_choice(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == "cpu"
    with pytest.raises(HlfError, match="torch finds no GPU"):
        pick_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (pick_device("auto"), pick_device("cpu"), pick_device("cuda")) == ("cuda", "cpu", "cuda")


@settings(deadline=None)  # the first call warms torch up
@given(st.integers(4, 40), st.integers(4, 40))
def test_swinir_padding_is_the_official_one(height, width):
    array = np.random.default_rng(height * 41 + width).random((3, height, width), dtype=np.float32)
    tall, wide = (height // 8 + 1) * 8, (width // 8 + 1) * 8
    # numpy's "symmetric" repeats the edge, as the flipped copy of the script does
    expected = np.pad(array, [(0, 0), (0, tall - height), (0, wide - width)], "symmetric")
    assert np.array_equal(pad(torch.from_numpy(array)[None], 8)[0].numpy(), expected)


@pytest.mark.parametrize("side", range(4, 26))
def test_swinir_gives_four_times_every_size(zoo, side):
    other = 30 - side
    assert load(zoo, "swinir").upscale(torch.full((1, 3, side, other), 0.5), [0]).shape == (1, 3, 4 * side, 4 * other)


# --- the loop of the stage ---


def test_table_and_files_of_a_run(zoo, tmp_path):
    table = pd.concat([lr_table(tmp_path, ["a", "b"]), lr_table(tmp_path, ["a"], 1.0, "000")])
    model = load(zoo, "bsrgan")
    sr, seconds, failures = run(table, tmp_path, model)
    assert list(sr["path"]) == ["sr/bsrgan/0.3/a.png", "sr/bsrgan/0.3/b.png", "sr/bsrgan/1.0/000/a.png"]
    assert len(failures) == 0 and list(seconds.columns) == ["model", "image_id", "level", "seconds"]
    assert (seconds["seconds"] > 0).all()
    for row, lr in zip(sr.itertuples(), table.itertuples(), strict=True):
        array = read_image(tmp_path / row.path)
        assert array.shape == (4 * lr.height, 4 * lr.width, 3) == (row.height, row.width, 3)
        assert row.sha256 == sha256(tmp_path / row.path)
        assert row.seed == seed_for(42, "sr", "bsrgan", lr.image_id, lr.level)
        expected = model.upscale(to_tensor(read_image(tmp_path / lr.path))[None], [0])[0].numpy().transpose(1, 2, 0)
        assert np.array_equal(array, np.rint(expected * 255))
    assert set(sr["weights_sha256"]) == {model.descriptor.weights_sha256} and set(sr["zoo"]) == {"mini"}
    with Image.open(tmp_path / sr["path"][0]) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")


def test_order_shards_and_other_images_change_nothing(zoo, tmp_path):
    table, model = lr_table(tmp_path, list("abcde")), load(zoo, "swinir")
    whole, _, _ = run(table, tmp_path, model, key="1")
    parts = [run(part, tmp_path, model, key="2")[0] for part in (table[3:], table[1:3][::-1], table[:1])]
    again = pd.concat(parts).sort_values("image_id").reset_index(drop=True)
    pd.testing.assert_frame_equal(whole, again)


def test_every_image_gets_its_own_seed_whatever_the_batch(tmp_path):
    table = lr_table(tmp_path, list("abc"))
    alone, _, _ = run(table, tmp_path, Toy(noisy=True), key="1", batch_size=1)
    model = Toy(noisy=True)
    batch, _, _ = run(table, tmp_path, model, key="2", batch_size=2)
    pd.testing.assert_frame_equal(alone, batch)
    assert [shape[0] for shape, _, _ in model.calls] == [2, 1]
    assert [seed for _, seeds, _ in model.calls for seed in seeds] == [seed_for(42, "sr", "toy", i, 0.3) for i in "abc"]
    assert batch["sha256"].nunique() == 3


def test_batches_hold_equal_sizes_and_results_keep_the_order(tmp_path):
    small, large = lr_table(tmp_path, ["a", "c"]), lr_table(tmp_path, ["b", "d"], size=(6, 14))
    table = pd.concat([small, large]).sort_values("image_id")
    model = Toy()
    sr, _, _ = run(table, tmp_path, model, batch_size=2)
    assert list(sr["image_id"]) == list("abcd")
    assert [shape for shape, _, _ in model.calls] == [(2, 3, 12, 10), (2, 3, 6, 14)]


def test_resume_keeps_what_is_whole_and_remakes_the_rest(tmp_path):
    table = lr_table(tmp_path, list("abcd"))
    first, _, _ = run(table[:3], tmp_path, Toy())
    (tmp_path / first["path"][1]).write_bytes(b"cut")
    (tmp_path / first["path"][2]).unlink()
    model = Toy()
    second, seconds, _ = run(table, tmp_path, model)
    assert list(seconds["image_id"]) == ["b", "c", "d"] and len(model.calls) == 3
    write_table(second, tmp_path / "resumed.parquet")
    write_table(run(table, tmp_path, Toy(), key="other")[0], tmp_path / "afresh.parquet")
    assert (tmp_path / "resumed.parquet").read_bytes() == (tmp_path / "afresh.parquet").read_bytes()


@pytest.mark.parametrize("what", ["key", "seed", "lr", "weights", "precision"])
def test_resume_remakes_when_anything_else_changed(tmp_path, what):
    run(lr_table(tmp_path, ["a"]), tmp_path, Toy())
    table, model = lr_table(tmp_path, ["b" if what == "lr" else "x", "a"] if what == "lr" else ["a"]), Toy()
    if what == "weights":
        object.__setattr__(model.descriptor, "weights_sha256", "v" * 64)
    if what == "precision":
        model.precision = "bf16"
    seed, key = (43 if what == "seed" else 42), ("l" if what == "key" else "k")
    _, seconds, _ = upscale_images(table[-1:], tmp_path, model, seed, "t", key)
    assert len(seconds) == 1


def test_nan_in_low_precision_is_made_again_in_fp32_and_recorded(tmp_path):
    table = lr_table(tmp_path, ["a", "b"])
    model = Toy("bf16", nan_in=("bf16",))
    sr, _, failures = run(table, tmp_path, model)
    assert list(sr["precision"]) == ["fp32", "fp32"] and len(failures) == 0
    assert [precision for _, _, precision in model.calls] == ["bf16", "fp32"] * 2
    again, seconds, _ = run(table, tmp_path, Toy("bf16", nan_in=("bf16",)))
    pd.testing.assert_frame_equal(sr, again)
    assert len(seconds) == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [({"nan_in": ("fp32", "bf16"), "precision": "bf16"}, "holds NaN"), ({"black": True}, "is black")],
)
def test_useless_results_are_failures_not_files(tmp_path, fault, words):
    sr, seconds, failures = run(lr_table(tmp_path, ["a", "b"]), tmp_path, Toy(**fault), batch_size=2)
    assert len(sr) == len(seconds) == 0 and list(failures["image_id"]) == ["a", "b"]
    assert list(failures.columns) == ["image_id", "level", "model", "reason"]
    assert failures["reason"].str.contains(words).all() and not (tmp_path / "sr").exists()


def test_a_black_input_may_stay_black(tmp_path):
    table = lr_table(tmp_path, ["a"])
    data = png(np.zeros((12, 10, 3), np.uint8))
    (tmp_path / table["path"][0]).write_bytes(data)
    table["sha256"] = sha256(tmp_path / table["path"][0])
    assert len(run(table, tmp_path, Toy())[0]) == 1


@pytest.mark.parametrize("batch_size", [1, 3])
def test_one_bad_image_costs_only_itself(tmp_path, batch_size):
    table = lr_table(tmp_path, list("abcdef"))
    (tmp_path / table["path"][1]).unlink()
    (tmp_path / table["path"][2]).write_bytes(b"another picture")
    cut = (tmp_path / table["path"][3]).read_bytes()[:90]
    (tmp_path / table["path"][3]).write_bytes(cut)
    table.loc[3, "sha256"] = sha256(tmp_path / table["path"][3])
    sr, _, failures = run(table, tmp_path, Toy(raises=4), batch_size=batch_size)
    assert list(sr["image_id"]) == ["a", "f"]
    reasons = dict(zip(failures["image_id"], failures["reason"], strict=True))
    assert list(reasons) == list("bcde")
    for image_id, words in zip(
        "bcde", ["cannot be opened", "other SHA-256", "cannot be decoded", "out of memory"], strict=True
    ):
        assert words in reasons[image_id] and "\n" not in reasons[image_id]


def test_too_small_images_are_failures_with_the_needed_size(zoo, tmp_path):
    table = lr_table(tmp_path, ["a"], size=(3, 9))
    _, _, failures = run(table, tmp_path, load(zoo, "swinir"))
    assert "is 9x3, expected at least 4 pixels" in failures["reason"][0]


def test_bugs_and_full_disks_end_the_run(tmp_path, monkeypatch):
    table = lr_table(tmp_path, ["a"])
    (tmp_path / "sr").write_text("a file where the folder should be")
    with pytest.raises(HlfError, match="cannot write"):
        run(table, tmp_path, Toy())
    model = Toy()
    monkeypatch.setattr(model, "upscale", lambda *_: {}["typo"])
    with pytest.raises(KeyError):
        run(table, tmp_path, model)


@pytest.mark.parametrize("path", ["lr/0.3/a.png", "degradation/0.7/a.png", "degradation/0.3", "a.png"])
def test_paths_outside_the_stage_are_refused(tmp_path, path):
    table = lr_table(tmp_path, ["a"])
    table["path"] = path
    with pytest.raises(HlfError, match=r"expected degradation/0.3/.../name.png"):
        run(table, tmp_path, Toy())


def test_batch_size_zero_is_refused(tmp_path):
    with pytest.raises(HlfError, match="batch size is 0"):
        run(lr_table(tmp_path, ["a"]), tmp_path, Toy(), batch_size=0)
