"""Parts of the fine-tuning that need no SeeSR: which pictures, in which order, and how the loss sees them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hlf.errors import HlfError
from hlf.images import write_png
from hlf.tuning.division import accumulation
from hlf.tuning.evaluate import refuse_overlap
from hlf.tuning.loss import ImageLoss, ImageOptions, image_weights, passing_clamp, predicted_x0, seen
from hlf.tuning.pictures import Pairs, Photographs, Preparation, Scenes, choose, cropped
from hlf.tuning.schedule import Schedule
from hlf.tuning.variants import alpha_of, variant_name
from tuning_helpers import group

PLAIN = Preparation(96, 0.0, False, "bsrgan", (0.3,))
ABAR = torch.linspace(0.999, 0.005, 1000)


def photographs(folder, count, side=120):
    """Noise pictures of a folder, and its settings."""
    rng = np.random.default_rng(1)
    for i in range(count):
        write_png(folder / f"part{i % 2}" / f"{i:03d}.png", rng.integers(0, 255, (side, side + 8, 3), dtype=np.uint8))
    return group(source="folder", folder=str(folder), images=count)


def source(settings, chosen, **limits):
    return Photographs(Path(settings["folder"]), dict(chosen), limits.get("min_bytes", 0), limits.get("min_pixels", 0))


# the order of a training


@given(
    st.integers(1, 40), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 99)
)
def test_every_image_is_used_at_most_once_an_epoch_whoever_shares(images, epochs, batch, parts, processes, seed):
    if images < batch * parts * processes:
        with pytest.raises(HlfError, match="fewer than the"):
            Schedule(images, epochs, batch, parts, processes, seed)
        return
    whole = Schedule(images, epochs, batch, parts, processes, seed)
    used = [place for process in range(processes) for part in whole.batches(0, process) for place in part]
    assert len(used) == len(set(used)) == whole.steps * whole.whole
    assert {epoch for epoch, _ in used} == set(range(epochs)) and all(number < images for _, number in used)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 5), st.integers(0, 99))
def test_many_processes_take_the_images_of_one_that_accumulates(parts, processes, start, seed):
    many, one = (Schedule(23, 2, 2, *shared, seed) for shared in ((parts, processes), (parts * processes, 1)))
    start = min(start, many.steps)
    streams = [list(many.batches(start, process)) for process in range(processes)]
    shared = [part for batches in zip(*streams, strict=True) for part in batches]
    assert shared == list(one.batches(start, 0))


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 99))
def test_a_step_has_the_same_images_however_it_is_divided(batch, parts, processes, seed):
    whole = batch * parts * processes
    assert accumulation(whole, batch, processes) == parts
    plans = [Schedule(29, 2, *how, seed) for how in ((batch, parts, processes), (whole, 1, 1), (1, whole, 1))]
    steps = []
    for plan in plans:
        streams = [iter(plan.batches(0, process)) for process in range(plan.processes)]
        taken = [[next(s) for s in streams for _ in range(plan.accumulation)] for _ in range(plan.steps)]
        steps.append([sorted(place for part in step for place in part) for step in taken])
    assert steps[0] == steps[1] == steps[2]


def test_a_step_that_cannot_be_divided_is_told():
    with pytest.raises(
        HlfError, match=r"tuning.step_images is 32, expected a multiple of 12 \(tuning.batch_size 4 x tun"
    ):
        accumulation(32, 4, 3)


def test_a_resumed_order_is_the_rest_of_the_whole():
    plan = Schedule(10, 3, 2, 2, 1, 7)
    whole = list(plan.batches(0, 0))
    for step in range(plan.steps + 1):
        assert list(plan.batches(step, 0)) == whole[2 * step :]
    assert whole[:4] != whole[4:8]  # every epoch has an order of its own


# training pictures


def test_the_subset_is_the_same_every_time_and_holds_none_of_the_runs_images(tmp_path):
    settings = photographs(tmp_path, 12)
    settings["images"] = 8
    first = choose(settings, 5, ["003"])
    assert first == choose(settings, 5, ["003"]) != choose(settings, 6, ["003"])
    names = [name for name, _ in first]
    assert len(set(names)) == 8 and "003" not in names
    assert all((tmp_path / file).is_file() for _, file in first)
    settings["images"] = 5
    assert choose(settings, 5, ["003"]) == first[:5]  # a larger subset holds the smaller one
    settings["images"] = 12
    with pytest.raises(HlfError, match=r"tuning.images is 12, but tuning.folder .* holds 11 images that are not the"):
        choose(settings, 5, ["003"])


def test_two_files_of_one_stem_are_refused(tmp_path):
    settings = photographs(tmp_path, 2)
    write_png(tmp_path / "000.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(HlfError, match=r"000.png and part0/000.png have the same stem '000'"):
        choose(settings, 1, [])


def test_a_file_that_cannot_be_used_is_replaced_and_listed(tmp_path):
    settings = photographs(tmp_path, 6)
    chosen = choose(settings, 1, [])
    files = dict(chosen)
    (tmp_path / files["002"]).write_bytes(b"no picture")
    (tmp_path / files["004"]).unlink()
    pairs = Pairs([name for name, _ in chosen], source(settings, chosen), PLAIN, 1)
    made = {pairs.ids[i]: pairs.pair(0, i) for i in range(6)}
    for name, pair in made.items():
        broken = name in ("002", "004")
        assert (pair.image_id == name) != broken and bool(pair.refused) == broken
        assert pair.gt.shape == (3, 96, 96) and pair.lr.shape == (3, 24, 24)
    assert (
        "cannot be decoded" in dict(made["002"].refused)["002"]
        and "cannot be opened" in dict(made["004"].refused)["004"]
    )
    again = pairs.pair(0, pairs.ids.index("002"))
    assert again.image_id == made["002"].image_id and torch.equal(again.lr, made["002"].lr)


def test_small_files_and_pictures_are_refused_and_a_useless_folder_ends_it(tmp_path):
    settings = photographs(tmp_path, 4)
    chosen = choose(settings, 1, [])
    for limits, word in (({"min_bytes": 10**6}, "tuning.min_bytes"), ({"min_pixels": 10**6}, "tuning.min_pixels")):
        pairs = Pairs([name for name, _ in chosen], source(settings, chosen, **limits), PLAIN, 1)
        with pytest.raises(HlfError, match=f"32 training images in a row cannot be used, the last one: .*{word}"):
            pairs.pair(0, 0)
        assert isinstance(pairs[0, 0], HlfError)  # across the border of a helper process


def test_a_pair_depends_on_its_image_and_epoch_only():
    one = Pairs(["tuning-00001", "tuning-00002"], Scenes(4, 96, (0.3, 0.5)), PLAIN, 4)
    two = Pairs(["tuning-00002", "tuning-00009"], Scenes(4, 96, (0.3, 0.5)), PLAIN, 4)
    first, second = one.pair(0, 1), two.pair(0, 0)
    assert torch.equal(first.lr, second.lr) and torch.equal(first.gt, second.gt)
    assert not torch.equal(one.pair(1, 1).lr, first.lr) and torch.equal(one.pair(1, 1).gt, first.gt)


def test_realesrgan_pairs_have_the_sharpened_target_where_asked():
    scenes = Scenes(4, 96, (0.3, 0.5))
    soft, sharp = (
        Pairs(["tuning-00001"], scenes, Preparation(96, 0.0, sharpen, "realesrgan", ()), 4).pair(0, 0)
        for sharpen in (False, True)
    )
    assert torch.equal(soft.lr, sharp.lr) and not torch.equal(soft.gt, sharp.gt)
    clean = torch.from_numpy(scenes.read("tuning-00001").transpose(2, 0, 1).copy()).float() / 255
    assert torch.equal(soft.gt, clean)
    plain, sharpened = (
        Pairs(["tuning-00001"], scenes, Preparation(96, 0.0, sharpen, "bsrgan", (0.3,)), 4).pair(0, 0).gt
        for sharpen in (False, True)
    )
    assert torch.equal(plain, clean) and not torch.equal(sharpened, clean)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 9))
def test_crops_have_their_size_and_small_pictures_are_reflected(height, width, seed):
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    part = cropped(pixels, Preparation(32, 0.5, False, "bsrgan", (0.3,)), np.random.default_rng(seed))
    assert part.shape == (32, 32, 3) and {tuple(p) for p in part.reshape(-1, 3)} <= {
        tuple(p) for p in pixels.reshape(-1, 3)
    }


def test_overlap_of_the_three_sets_is_refused():
    manifest = pd.DataFrame({"image_id": ["a", "b"], "sha256": ["1", "2"], "role": ["dataset", "evaluation"]})
    trained = pd.DataFrame({"image_id": ["c", "d"]})
    refuse_overlap(manifest, trained)
    with pytest.raises(HlfError, match="1 of the run's images were trained on, such as b"):
        refuse_overlap(manifest, pd.DataFrame({"image_id": ["b", "c"]}))
    refuse_overlap(manifest.assign(sha256="1", role="dataset"), trained)
    for doubled in ({"sha256": "1"}, {"image_id": "a"}):
        with pytest.raises(HlfError, match="image a stands in the dataset and among the evaluation images"):
            refuse_overlap(manifest.assign(**doubled), trained)


# the loss


@given(st.lists(st.integers(0, 999), min_size=1, max_size=6), st.integers(0, 999), st.integers(0, 999))
def test_weights_are_zero_outside_the_range_and_one_or_abar_inside(times, a, b):
    low, high, steps = min(a, b), max(a, b), torch.tensor(times)
    for weighting, inside in (("none", torch.ones(len(times))), ("abar", ABAR[steps])):
        found = image_weights(steps, ABAR, ImageOptions((low, high), weighting))
        assert torch.equal(found, torch.where((steps >= low) & (steps <= high), inside, torch.zeros(())))


def test_x0_of_the_true_noise_is_the_clean_latent():
    clean, noise = torch.randn(2, 4, 3, 5, 5)
    times = torch.tensor([0, 500, 800, 999])
    root, rest = ABAR[times].sqrt().view(-1, 1, 1, 1), (1 - ABAR[times]).sqrt().view(-1, 1, 1, 1)
    clean, noise = clean[:, :3], noise[:, :3]
    found = predicted_x0(root * clean + rest * noise, noise, times, ABAR)
    assert torch.allclose(found, clean, atol=1e-4)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 8))
def test_crops_of_latents_and_pictures_show_the_same_place(down, across, side):
    cells = torch.arange(64.0).view(1, 1, 8, 8)
    picture = cells.repeat_interleave(4, 2).repeat_interleave(4, 3)
    x0, target = seen(cells, picture, torch.tensor([[down, across]]), ImageOptions(crop=side))
    assert x0.shape[-2:] == (side, side) and target.shape[-2:] == (4 * side, 4 * side)
    assert torch.equal(target[..., ::4, ::4], x0)


def test_shrinking_is_the_mean_of_both():
    cells = torch.rand(2, 4, 8, 8)
    x0, target = seen(cells, torch.rand(2, 3, 32, 32), torch.zeros(2, 2), ImageOptions(shrink=2))
    assert x0.shape == (2, 4, 4, 4) and target.shape == (2, 3, 16, 16)
    assert torch.allclose(x0[0, 0, 0, 0], cells[0, 0, :2, :2].mean())


def test_the_clamp_cuts_values_and_no_gradient():
    x = torch.tensor([-2.0, 0.3, 7.0], requires_grad=True)
    cut = passing_clamp(x)
    (cut * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert cut.min() >= 0 and cut.max() <= 1 and torch.equal(x.grad, torch.tensor([1.0, 2.0, 3.0]))


def test_an_image_that_takes_no_part_costs_and_adds_nothing():
    class Nothing:
        """Stands in for networks that must not be called."""

    loss = ImageLoss(Nothing(), Nothing(), ABAR, ImageOptions((900, 999)))
    predicted = torch.rand(2, 4, 8, 8, requires_grad=True)
    found = loss(torch.rand(2, 4, 8, 8), predicted, torch.tensor([5, 899]), torch.rand(2, 3, 32, 32), torch.zeros(2, 2))
    assert float(found) == 0
    with pytest.raises(HlfError, match=r"tuning.loss.weighting 'min' is unknown, expected one of none, abar"):
        ImageLoss(Nothing(), Nothing(), ABAR, ImageOptions(weighting="min"))


@given(st.floats(0, 10).map(lambda x: float(f"{x:g}")))
def test_a_variants_name_tells_its_alpha(alpha):
    assert alpha_of(variant_name(alpha)) == alpha


def test_a_strange_name_is_no_variant():
    with pytest.raises(HlfError, match="'pasd' is no variant of SeeSR"):
        alpha_of("pasd")
