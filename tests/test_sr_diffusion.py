"""What every diffusion model keeps: options, seeds, grey levels, a second try in fp32."""

import pytest
import torch

from diffusion_helpers import ZOOS, load, lr_batch
from hlf.images import from_tensor, to_tensor
from hlf.sr.run import upscale_images
from sr_helpers import lr_table

NAMES = list(ZOOS)
SEEDS = [1, 2**63 + 5, 3]


@pytest.fixture(scope="module")
def zoos(tmp_path_factory):
    torch.set_num_threads(1)
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in ZOOS.items()}


@pytest.mark.parametrize("name", NAMES)
def test_an_image_has_the_same_bytes_alone_in_any_batch_and_in_any_order(zoos, name):
    model, lr = load(name, zoos[name]), lr_batch()
    together = model.upscale(lr, SEEDS)
    reversed_ = model.upscale(lr.flip(0), SEEDS[::-1]).flip(0)
    alone = torch.cat([model.upscale(one[None], [seed]) for one, seed in zip(lr, SEEDS, strict=True)])
    assert torch.equal(together, reversed_) and torch.equal(together, alone)
    again = load(name, zoos[name])
    assert torch.equal(alone[2:], again.upscale(lr[2:], SEEDS[2:])), "an earlier image left something behind"
    assert not torch.equal(alone[2:], again.upscale(lr[2:], [4]))


@pytest.mark.parametrize("name", ["seesr", "pasd"])
def test_in_low_precision_a_batch_goes_through_the_networks_together(zoos, name):
    model, lr = load(name, zoos[name], "bf16"), lr_batch()
    alone = torch.cat([model.upscale(one[None], [seed]) for one, seed in zip(lr, SEEDS, strict=True)])
    rows = []
    model.networks("bf16").unet.register_forward_pre_hook(lambda _, args: rows.append(len(args[0])))
    together = model.upscale(lr, SEEDS)
    assert rows and set(rows) == {6}, "three images, two branches of guidance"
    assert (together - alone).abs().max() < 0.05


@pytest.mark.parametrize("truncate", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_results_are_grey_levels_that_files_keep(zoos, name, truncate):
    sr = load(name, zoos[name], truncate=truncate).upscale(lr_batch(1), [1])
    assert torch.equal(to_tensor(from_tensor(sr[0])), sr[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_failing_network_gives_nan_for_its_image_and_the_stage_retries_in_fp32(zoos, name, tmp_path):
    table, model = lr_table(tmp_path, ["a"]), load(name, zoos[name], "bf16")
    model.networks("bf16").unet.conv_out.bias.data.fill_(float("inf"))
    assert torch.isnan(model.upscale(lr_batch(1), [0])).all()
    sr, _, failures = upscale_images(table, tmp_path, model, 42, "t", "k")
    assert list(sr["precision"]) == ["fp32"] and len(failures) == 0
    exact, _, _ = upscale_images(table, tmp_path, load(name, zoos[name]), 42, "t", "other key")
    assert list(sr["sha256"]) == list(exact["sha256"]), "the second try must be what fp32 gives at once"
