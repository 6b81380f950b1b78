"""Training of mini models: a kill costs time only, and what is stored is what was measured."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from hlf.errors import HlfError
from hlf.files import sha256
from hlf.nets.vgg import MiniVGG, perceptual_distance
from hlf.scenes.scene import scene_for
from hlf.training.augment import augment, random_crops
from hlf.training.loop import Average, batch_of, cosine_rate, set_rate, train
from hlf.training.pool import build_pool, open_pool
from hlf.training.save import rounded, save_model
from hlf.zoo.load import load_strict, read_state


def small_net(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.3), nn.Linear(5, 1))


def run(work, steps, seed=1, start=0, dies_at=None, every=4):
    """Train a small net with dropout on random data; the net, its average, the facts."""
    net = small_net(start)
    average, optimizer = Average(net, 0.9), torch.optim.Adam(net.parameters(), lr=0.01)

    def step(i, rng):
        if i == dies_at:
            raise KeyboardInterrupt
        x = torch.from_numpy(rng.standard_normal((6, 4)).astype(np.float32))
        loss = (net(x) - x.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update(net)
        return {"loss": float(loss.detach())}

    parts = {"net": net, "average": average, "optimizer": optimizer}
    facts = train("small", parts, step, steps, work, seed, every)
    return {**{f"n.{k}": v for k, v in net.state_dict().items()}, **average.state_dict()}, facts


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("dies_at", [2, 4, 7, 9])
def test_a_killed_training_ends_with_the_same_bits(tmp_path, dies_at):
    torch.set_num_threads(1)
    expected, facts = run(tmp_path / "unbroken", 10)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "work", 10, dies_at=dies_at)
    torch.rand(3)  # torch's own generator stands elsewhere in the new process
    # before the first checkpoint the training starts anew, so from the same weights; later they do not matter
    resumed, resumed_facts = run(tmp_path / "work", 10, start=0 if dies_at < 4 else 5)
    assert equal(resumed, expected)
    assert resumed_facts["loss"] == facts["loss"] and resumed_facts["steps"] == 10
    assert sorted(p.name for p in (tmp_path / "work").iterdir()) == ["checkpoint.pt"]


def test_a_finished_training_is_not_repeated_and_the_seed_matters(tmp_path):
    first, facts = run(tmp_path / "a", 6)
    again, same = run(tmp_path / "a", 6, dies_at=0)
    assert equal(first, again) and same == facts
    other, _ = run(tmp_path / "b", 6, seed=2)
    assert not equal(first, other)


def test_a_diverged_training_stops_with_its_step(tmp_path):
    with pytest.raises(HlfError, match=r"training of small diverged at step 1: .*nan.*lower its learning rate"):
        train("small", {}, lambda i, _: {"loss": 1.0 if i < 1 else float("nan")}, 3, tmp_path, 1)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_average_moves_a_share_of_the_way_and_copies_buffers():
    net = small_net()
    average = Average(net, 0.75)
    before = {k: v.clone() for k, v in average.state_dict().items()}
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1.0)
        net[1].running_mean.fill_(5.0)
    average.update(net)
    assert torch.allclose(average.module[0].weight, before["0.weight"] + 0.25)
    assert torch.equal(average.module[1].running_mean, torch.full((5,), 5.0))
    average.update(net, 0.0)
    assert torch.allclose(average.module[3].weight, net[3].weight)
    assert not any(p.requires_grad for p in average.module.parameters())
    other = Average(small_net(4), 0.5)
    other.load_state_dict(average.state_dict())
    assert equal(other.state_dict(), average.state_dict())


def test_learning_rate_warms_up_and_falls():
    rates = [cosine_rate(1.0, i, 500) for i in range(500)]
    assert rates[0] == 0.01 and max(rates) == rates[100] == rates[99] == 1.0
    assert all(a < b for a, b in pairwise(rates[:100]))
    assert all(a > b for a, b in pairwise(rates[100:]))
    assert 0.02 <= rates[-1] < 0.021
    optimizer = torch.optim.SGD([{"params": [nn.Parameter(torch.zeros(1))]} for _ in range(2)], lr=1.0)
    set_rate(optimizer, 0.3)
    assert [g["lr"] for g in optimizer.param_groups] == [0.3, 0.3]


def test_a_stored_model_is_its_rounded_self(tmp_path):
    net = small_net()
    net(torch.randn(8, 4))
    save_model(tmp_path / "m", "Small", "For tests.", {"width": 4}, net.state_dict(), {"steps": 3})
    stored = load_file(tmp_path / "m" / "model.safetensors")
    assert stored["0.weight"].dtype == torch.float16 and stored["1.num_batches_tracked"].dtype == torch.int32
    other = small_net(9)
    load_strict(other, read_state(tmp_path / "m" / "model.safetensors"), "m")
    assert equal(other.state_dict(), rounded(net).state_dict())
    card = (tmp_path / "m" / "README.md").read_text()
    # floating-point entries of the state: weights 20 + 5 + 5 + 1, batch norm 4 * 5
    for words in ("# Mini Small", "For tests.", "| parameters | 51 |", "| steps | 3 |", "Apache-2.0"):
        assert words in card
    assert (tmp_path / "m" / "config.json").read_text() == '{\n "width": 4\n}\n'
    digest = sha256(tmp_path / "m" / "model.safetensors")
    save_model(tmp_path / "m", "Small", "For tests.", {"width": 4}, net.state_dict(), {"steps": 3})
    assert sha256(tmp_path / "m" / "model.safetensors") == digest


def test_the_pool_does_not_depend_on_the_number_of_processes(tmp_path):
    # more scenes than one worker takes at a time
    for processes in (1, 2):
        build_pool(tmp_path / str(processes), 70, 64, 42, processes)
    for name in ("images.npy", "captions.parquet", "content.parquet"):
        assert sha256(tmp_path / "1" / name) == sha256(tmp_path / "2" / name)
    pool = open_pool(tmp_path / "1")
    assert pool.images.shape == (70, 64, 64, 3) and len(pool.captions) == 70
    scene = scene_for(42, "train", 69, 64)
    assert (pool.images[69] == scene.image).all() and pool.captions[69] == scene.caption
    rows = pool.content[pool.content["index"] == 69]
    assert [(r.kind, r.label, r.left, r.bottom) for r in rows.itertuples()] == [
        (o.kind, o.label, o.box[0], o.box[3]) for o in scene.objects
    ]
    batch = batch_of(pool.images, np.array([3, 1]))
    assert batch.shape == (2, 3, 64, 64) and batch.dtype == torch.float32
    assert torch.equal(batch[0], torch.from_numpy(pool.images[1].transpose(2, 0, 1).copy()).float() / 255)


def test_augmented_scenes_keep_shape_and_range_and_follow_their_generator():
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for seed in range(6):
        first, again = (augment(images, np.random.default_rng(seed)) for _ in range(2))
        assert torch.equal(first, again) and first.shape == images.shape and not torch.equal(first, images)
        assert first.min() >= 0 and first.max() <= 1
        crops = random_crops(images, np.random.default_rng(seed), (0.2, 0.5), 24)
        assert crops.shape == (3, 3, 24, 24) and crops.min() >= -1e-6 and crops.max() <= 1 + 1e-6
    whole = random_crops(images, np.random.default_rng(0), (1.0, 1.0), 64)
    assert any(torch.allclose(whole, view, atol=1e-6) for view in (images, images.flip(-1)))


def test_perceptual_distance_is_zero_for_equal_pictures_and_trains_the_sr_side():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = MiniVGG([4, "M", 8, "M"], 7).eval().requires_grad_(False)
    gt = torch.rand(2, 3, 16, 16)
    sr = (gt + 0.1).clamp(0, 1).requires_grad_()
    assert net(gt).shape == (2, 7) and [t.shape[-1] for t in net.taps(gt)] == [16, 8]
    assert perceptual_distance(net, gt, gt) == 0
    near, far = perceptual_distance(net, sr, gt), perceptual_distance(net, 1 - gt, gt)
    assert 0 < near < far
    near.backward()
    assert torch.isfinite(sr.grad).all() and sr.grad.abs().sum() > 0
