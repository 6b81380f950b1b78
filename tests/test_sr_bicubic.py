"""The baseline bicubic: Pillow's picture, no weights, and everything that an SR model can do."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hlf.cli import main
from hlf.errors import HlfError
from hlf.files import read_table
from hlf.images import from_tensor, read_image, to_tensor
from hlf.sr.registry import BASELINES, MODELS, has_weights, load_upscaler
from hlf.sr.run import upscale_images
from hlf.sr.tiling import upscale_tiled
from sr_helpers import lr_table, picture, png


def load(precision="fp32"):
    return load_upscaler("bicubic", "mini", "no such folder", "cpu", precision, {})


@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 2**32 - 1))
def test_it_is_pillows_interpolation(height, width, seed):
    lr = np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)
    sr = load().upscale(torch.from_numpy(lr.transpose(2, 0, 1))[None], [0])[0].numpy().transpose(1, 2, 0)
    channels = [Image.fromarray(np.ascontiguousarray(lr[..., c])) for c in range(3)]  # floats, so nothing is rounded
    theirs = np.stack([c.resize((4 * width, 4 * height), Image.Resampling.BICUBIC) for c in channels], -1)
    assert np.abs(sr - theirs.clip(0, 1)).max() < 1e-5


def test_of_an_8_bit_picture_it_differs_by_pillows_rounding_only():
    lr = picture(24, 20)
    ours = from_tensor(load().upscale(to_tensor(lr)[None], [0])[0]).astype(int)
    theirs = np.asarray(Image.fromarray(lr).resize((80, 96), Image.Resampling.BICUBIC)).astype(int)
    # Pillow rounds between rows and columns
    assert ours.shape == theirs.shape and np.abs(ours - theirs).max() <= 1


def test_it_keeps_the_contract_of_every_model():
    lr = torch.stack([to_tensor(picture(9, 11, phase)) for phase in range(3)])
    model = load()
    rule = model.descriptor
    assert (rule.name, rule.scale, rule.weights_sha256, rule.needs_seed) == ("bicubic", 4, "", False)
    sr = model.upscale(lr, [0, 1, 2])
    assert sr.shape == (3, 3, 36, 44) and float(sr.min()) >= 0 and float(sr.max()) <= 1
    assert torch.equal(sr, torch.cat([model.upscale(one[None], [7]) for one in lr]))
    for lower in ("bf16", "fp16"):
        assert torch.equal(load(lower).upscale(lr, [0, 1, 2]), sr)
    with pytest.raises(HlfError, match="divide 8-bit values by 255"):
        model.upscale(lr * 255, [0, 1, 2])
    with pytest.raises(HlfError, match="model 'bicubic' has no option 'a', and no other; leave it out"):
        load_upscaler("bicubic", "mini", ".", "cpu", "fp32", {"a": 1})


def test_tiles_show_no_seam():
    lr = to_tensor(picture(40, 24))[None]
    model = load()
    assert (upscale_tiled(model, lr, [0], 16, 8) - model.upscale(lr, [0])).abs().max() < 2 / 255


def test_it_is_a_baseline_without_weights():
    assert list(BASELINES) == ["bicubic"] and not set(BASELINES) & set(MODELS)
    assert not has_weights("bicubic") and all(has_weights(name) for name in MODELS)


def test_the_stage_makes_its_images_and_keeps_them(tmp_path):
    table = lr_table(tmp_path, ["a", "b"])
    sr, seconds, failures = upscale_images(table, tmp_path, load(), 42, "t", "k")
    assert list(sr["path"]) == ["sr/bicubic/0.3/a.png", "sr/bicubic/0.3/b.png"] and len(failures) == 0
    assert set(sr["weights_sha256"]) == {""} and len(seconds) == 2
    assert len(upscale_images(table, tmp_path, load(), 42, "t", "k")[1]) == 0


def test_the_command_knows_it(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_bytes(png(picture(8, 6)))
    arguments = ["sr", "-m", "bicubic", "-i", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--device", "cpu"]
    assert main(arguments) == 0 and "1 pictures" in capsys.readouterr().out
    assert read_image(tmp_path / "out/a.png").shape == (32, 24, 3)
    assert list(read_table(tmp_path / "out/sr.parquet")["model"]) == ["bicubic"]
    assert main([*arguments, "--option", "a=1"]) == 2
