"""A step of fine-tuning: the same whatever fits into memory, in every number format, and what pictures it sees."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backbone_helpers import TUNING, tiny_backbones, tiny_dino, toy_study
from hlf.backbones.registry import BACKBONES, load_backbone
from hlf.errors import HlfError
from hlf.metric.pairs import AUGMENTATIONS, PairSet, View, draw_views, load_pairs
from hlf.metric.step import PRECISIONS, Stepper, checkpoint_layers
from hlf.metric.train import fine_tune, predict


@pytest.fixture
def pairs(tmp_path):
    table, split = toy_study(tmp_path)
    return load_pairs(table, split, tmp_path)


def backbones(root):
    zoo = tiny_backbones(root)
    return [load_backbone(name, "mini", zoo) for name in BACKBONES if (zoo / name).is_dir()]


def gradient(backbone, pairs, index, **settings):
    """Gradients of all weights of one step, by name."""
    stepper = Stepper(backbone, {**TUNING, **settings})
    stepper.prepare()
    stepper.step(pairs, index)
    return {k: p.grad for k, p in stepper.backbone.named_parameters() if p.grad is not None}


def length(gradients):
    return float(sum((g**2).sum() for g in gradients.values()) ** 0.5)


def apart(first, second):
    """Distance of two gradients as a share of the first one's length."""
    assert set(first) == set(second)
    return length({k: first[k] - second[k] for k in first}) / length(first)


@pytest.mark.parametrize("parts", [2, 3, 7, 99])
def test_a_batch_in_parts_gives_the_gradient_of_the_whole(pairs, parts):
    index = np.arange(7)
    whole, split = (gradient(tiny_dino(), pairs, index, accumulation=n) for n in (1, parts))
    assert length(whole) > 1e-3 and apart(whole, split) < 1e-5  # float32 sums in another order
    # a part is weighed by its pairs: 7 pairs in 2 parts are 4 and 3
    assert apart(whole, gradient(tiny_dino(), pairs, index[:4])) > 0.1


def test_a_batch_in_parts_goes_through_the_backbone_in_parts(pairs):
    backbone, seen = tiny_dino(), []
    backbone.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    said = Stepper(backbone, {**TUNING, "accumulation": 3}).step(pairs, np.array([4, 0, 9, 2]))
    assert seen == [4, 2, 2]  # SR and GT of 2, 1 and 1 pairs
    assert said == pytest.approx(predict(tiny_dino(), pairs, 4)[[4, 0, 9, 2]], abs=1e-6)


def test_checkpointing_gives_the_same_gradient_with_less_kept(pairs, tmp_path):
    for backbone in backbones(tmp_path / "zoo"):
        found = []
        for checkpointing in (False, True):
            kept = []
            with torch.autograd.graph.saved_tensors_hooks(
                lambda t, kept=kept: kept.append(t.numel()) or t, lambda t: t
            ):
                grads = gradient(backbone, pairs, np.arange(2), gradient_checkpointing=checkpointing, learning_rate=0.0)
            found.append((grads, sum(kept)))
        name = backbone.description.name
        assert apart(found[0][0], found[1][0]) == 0.0, name
        assert found[1][1] < 0.5 * found[0][1], (name, found[0][1], found[1][1])


def test_checkpointing_computes_layers_twice_and_leaves_dropout_off(pairs):
    backbone, calls = tiny_dino(), []
    backbone.tower.encoder.layer[0].mlp.register_forward_hook(lambda *_: calls.append(1))
    gradient(backbone, pairs, np.arange(2), gradient_checkpointing=True)
    assert len(calls) == 2
    # the hook's layer is in eval mode, as all that a layer consists of
    assert not any(m.training for layer in backbone.tower.encoder.layer for m in layer.children())
    gradient(backbone, pairs, np.arange(2))


def test_a_tower_without_checkpointing_is_told():
    backbone = tiny_dino()
    backbone.tower = torch.nn.Linear(3, 3)
    with pytest.raises(HlfError, match=r"dinov2 knows no gradient checkpointing; set metric.gradient_checkpointing"):
        checkpoint_layers(backbone, "metric.gradient_checkpointing")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_used_and_keeps_float32_weights(pairs, precision):
    backbone, kinds = tiny_dino(), set()
    backbone.tower.encoder.layer[0].mlp.fc1.register_forward_hook(lambda _, __, out: kinds.add(out.dtype))
    half = gradient(backbone, pairs, np.arange(8), precision=precision)
    assert kinds == {PRECISIONS[precision]}
    assert {p.dtype for p in backbone.parameters()} == {torch.float32}
    full = gradient(tiny_dino(), pairs, np.arange(8))
    # 8 and 11 bits of a number, a few layers deep
    assert 0 < apart(full, half) < (0.1 if precision == "bf16" else 0.02)


def test_small_gradients_survive_float16(pairs):
    stepper = Stepper(tiny_dino(), {**TUNING, "precision": "fp16"})
    assert stepper.scaler.is_enabled() and not Stepper(tiny_dino(), TUNING).scaler.is_enabled()
    weights = {k: v.clone() for k, v in stepper.backbone.state_dict().items()}
    # an overflow lowers the scale and leaves out the step instead of spoiling the weights
    stepper.scaler.load_state_dict({**stepper.scaler.state_dict(), "scale": 1e30})
    stepper.step(pairs, np.arange(4))
    assert stepper.scaler.get_scale() < 1e30
    assert all(torch.equal(v, weights[k]) for k, v in stepper.backbone.state_dict().items())


@pytest.mark.parametrize("key", ["precision", "augmentation"])
def test_unknown_words_are_refused(pairs, tmp_path, key):
    with pytest.raises(HlfError, match=f"metric.{key} 'fancy' is unknown, expected"):
        fine_tune(tiny_dino(), pairs, pairs, {**TUNING, key: "fancy"}, tmp_path, 1, tmp_path / "e")


@given(st.sampled_from(AUGMENTATIONS), st.integers(0, 50), st.integers(8, 40), st.integers(8, 40))
def test_views_cut_inside_the_picture_and_only_as_named(kind, seed, height, width):
    image = np.arange(height * width * 3).reshape(height, width, 3)
    views = draw_views(kind, 12, np.random.default_rng(seed))
    assert len(views) == 12
    shapes = {view(image).shape for view in views}
    side = 0.875 if kind == "flip_crop" else 1
    assert shapes == {(round(side * height), round(side * width), 3)}
    for view in views:
        seen = view(image)
        straight = seen[:, ::-1] if view.flip else seen
        top, left = divmod(int(straight[0, 0, 0]) // 3, width)
        assert (straight == image[top : top + seen.shape[0], left : left + seen.shape[1]]).all()
        assert not view.flip or kind != "none"


def test_both_pictures_of_a_pair_are_seen_alike(pairs):
    same = PairSet(pairs.images, pairs.gt, pairs.gt, pairs.score)
    views = draw_views("flip_crop", 16, np.random.default_rng(0))
    assert {v.flip for v in views} == {True, False} and len({v.top for v in views}) == 16
    sr, gt, _ = same.batch(np.arange(16), torch.device("cpu"), views)
    assert torch.equal(sr, gt) and sr.shape == (16, 3, 28, 28)
    whole, _, _ = same.batch(np.array([3]), torch.device("cpu"), [View(flip=True)])
    plain, _, _ = same.batch(np.array([3]), torch.device("cpu"))
    assert torch.equal(whole.flip(-1), plain)


def test_augmented_epochs_differ_and_are_drawn_by_seed(pairs, tmp_path):
    runs = []
    for name, kind, seed in (("a", "flip", 1), ("b", "flip", 1), ("c", "none", 1), ("d", "flip", 2)):
        settings = {**TUNING, "epochs": 2, "augmentation": kind}
        runs.append(fine_tune(tiny_dino(), pairs, pairs, settings, tmp_path / name, seed, tmp_path / "e" / name))
    assert runs[0] == runs[1] and all(a[2] != b[2] for a, b in pairwise(runs[1:]))


def test_tensorboard_shows_the_history(pairs, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = tmp_path / "events"
    events.mkdir()
    (events / "events.out.tfevents.old").write_bytes(b"of a killed run")
    history = fine_tune(tiny_dino(), pairs, pairs, {**TUNING, "epochs": 2}, tmp_path / "work", 1, events)
    # as after a kill: the checkpoint holds everything, and the file is written anew
    fine_tune(tiny_dino(), pairs, pairs, {**TUNING, "epochs": 3}, tmp_path / "work", 1, events)
    assert len(list(events.iterdir())) == 1
    board = EventAccumulator(str(events)).Reload()
    assert sorted(board.Tags()["scalars"]) == ["loss/train", "loss/validation", "srcc/train", "srcc/validation"]
    shown = board.Scalars("loss/validation")
    assert [s.step for s in shown] == [0, 1, 2, 3]
    assert [s.value for s in shown[:3]] == pytest.approx([h["validation_loss"] for h in history])
