"""Fine-tuning SeeSR: what learns, what a step is, and that nothing is lost when it is killed or divided."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image

from hlf.errors import HlfError
from hlf.files import read_table
from hlf.nets import seesr as nets
from hlf.sr.registry import load_upscaler
from hlf.sr.seesr_networks import tuned_files
from hlf.tuning import train
from hlf.tuning.checkpoints import Checkpoints
from hlf.tuning.launch import fine_tune
from hlf.tuning.noising import noise_loss
from hlf.tuning.optimizers import build_optimizer
from hlf.tuning.train import Trainer
from tuning_helpers import ZOO, same, small_task, unbroken, weights

__all__ = ["unbroken"]  # a fixture

KILLED = """
import sys
from pathlib import Path
from hlf.device import one_thread
from hlf.tuning.launch import fine_tune
from tuning_helpers import small_task

one_thread()
fine_tune(small_task(Path(sys.argv[1])))
"""


def prepared(root, **settings):
    """A trainer and the inputs of its first step."""
    trainer = Trainer(small_task(root, **settings))
    pairs = [trainer.task.pairs.pair(0, number) for number in (0, 1)]
    return trainer, trainer.start.encoder(pairs, 0)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_image_loss_reaches_what_seesr_trains_and_nothing_else(tmp_path, checkpointing):
    trainer, inputs = prepared(tmp_path, gradient_checkpointing=checkpointing, loss={"checkpointing": checkpointing})
    _, image = trainer._losses(inputs)
    image.backward()
    start, metric = trainer.start, trainer.image.metric
    for name, parameter in start.denoiser.named_parameters():
        learns = name.startswith("controlnet.") or ".image_attentions." in name
        assert parameter.requires_grad == learns, name
        assert (parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)) == learns, name
    for network in (start.vae, start.encoder.text.model, start.encoder.degraded.network, metric):
        assert all(p.grad is None and not p.requires_grad for p in network.parameters())
    assert len(list(start.denoiser.learned())) == len(nets.trainable(start.networks.unet, start.networks.controlnet))


def test_checkpointing_changes_memory_but_no_gradient(tmp_path):
    found = []
    for checkpointing in (False, True):
        trainer, inputs = prepared(
            tmp_path, gradient_checkpointing=checkpointing, loss={"checkpointing": checkpointing}
        )
        sum(trainer._losses(inputs)).backward()
        found.append({name: p.grad for name, p in trainer.learned.items()})
    first, second = (torch.cat([g.flatten() for g in gradients.values()]) for gradients in found)
    assert torch.equal(first, second)  # what is computed twice is the same twice


def test_alpha_zero_is_seesrs_own_step_to_the_bit(tmp_path):
    trainer, _ = prepared(tmp_path, alpha=0.0)
    pairs = [trainer.task.pairs.pair(*place) for place in next(trainer.schedule.batches(0, 0))]
    trainer._step([pairs], 0)

    other, _ = prepared(tmp_path, alpha=0.0)
    inputs, denoiser = other.start.encoder(pairs, 0), other.start.denoiser
    optimizer = build_optimizer("adamw", other.learned.values(), 5e-5)
    residuals = denoiser.controlnet(
        inputs.noisy, inputs.times, inputs.text, inputs.batch.context, inputs.batch.condition
    )
    predicted = denoiser.unet(inputs.noisy, inputs.times, inputs.text, inputs.batch.context, residuals)
    noise_loss(predicted, inputs.noise).backward()
    torch.nn.utils.clip_grad_norm_(list(other.learned.values()), 1.0)
    optimizer.step()
    assert trainer.task.settings["learning_rate"] == 5e-5
    assert all(torch.equal(p, other.learned[name]) for name, p in trainer.learned.items())


def test_alpha_weighs_the_image_loss(tmp_path):
    trainer, inputs = prepared(tmp_path)
    ori, image = trainer._losses(inputs)
    assert 0 < float(image.detach()) < 2
    learned = list(trainer.learned.values())
    alone = [torch.autograd.grad(part, learned, retain_graph=True) for part in (ori, image)]
    both = torch.autograd.grad(ori + 0.1 * image, learned)
    for a, b, total in zip(*alone, both, strict=True):
        assert torch.allclose(a + 0.1 * b, total, atol=1e-6)


def test_the_result_reads_as_a_seesr_and_differs_from_its_start(unbroken):
    for path in tuned_files(unbroken / "model"):
        assert path.is_file()
    history = read_table(unbroken / "model/history.csv")
    assert list(history["step"]) == [1, 2, 3, 4, 5, 6] and list(history["epoch"]) == [0, 0, 1, 1, 2, 2]
    assert (history["loss_ori"] > 0).all() and (history["loss_hlf"] > 0).all() and not history["skipped"].any()
    assert read_table(unbroken / "model/refused.csv").empty
    card = (unbroken / "model/README.md").read_text()
    assert "alpha 0.1" in card and "A test." in card and "| steps | 6 |" in card
    lr = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    options = {"steps": 2, "process_size": 96}
    made = [
        load_upscaler("seesr", "mini", ZOO, "cpu", "fp32", {**options, **more}).upscale(lr, [1])
        for more in ({}, {"weights": str(unbroken / "model")})
    ]
    assert not torch.equal(*made)
    assert not list((unbroken / "work").glob("*"))  # checkpoints are several times the weights


def test_killed_in_mid_epoch_it_goes_on_to_the_same_bits(unbroken, tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment)
    wanted, limit = tmp_path / "work/checkpoint-00000003.pt", time.monotonic() + 120
    while not wanted.is_file() and time.monotonic() < limit and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not (tmp_path / "model").exists()
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    assert same(weights(tmp_path), weights(unbroken))
    first, second = (read_table(root / "model/history.csv") for root in (tmp_path, unbroken))
    assert first.equals(second)


def test_the_average_is_resumed_too(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    fine_tune(small_task(whole, 0.0, ema=0.9))
    trainer = Trainer(small_task(broken, 0.0, ema=0.9))
    for step, batch in zip(range(3), trainer.schedule.batches(0, 0), strict=False):
        entry = trainer._step([[trainer.task.pairs.pair(*place) for place in batch]], trainer.schedule.epoch(step))
        trainer.history.append({"step": step + 1, "epoch": trainer.schedule.epoch(step), **entry})
    trainer._save(3)
    fine_tune(small_task(broken, 0.0, ema=0.9))
    assert same(weights(whole), weights(broken))
    fine_tune(small_task(tmp_path / "plain", 0.0))
    assert not same(weights(whole), weights(tmp_path / "plain"))


def test_a_step_without_a_finite_loss_is_skipped_and_counted(tmp_path, monkeypatch):
    trainer, _ = prepared(tmp_path, alpha=0.0, give_up_after=2)
    pairs = [trainer.task.pairs.pair(0, number) for number in (0, 1)]
    before = {name: p.clone() for name, p in trainer.learned.items()}
    monkeypatch.setattr(train, "noise_loss", lambda predicted, _: predicted.sum() * float("nan"))
    assert trainer._step([pairs], 0)["skipped"] == 1
    assert all(torch.equal(p, before[name]) for name, p in trainer.learned.items())
    monkeypatch.undo()
    assert trainer._step([pairs], 0)["skipped"] == 0 and trainer.in_a_row == 0
    monkeypatch.setattr(train, "noise_loss", lambda predicted, _: predicted.sum() * float("inf"))
    assert trainer._step([pairs], 0)["skipped"] == 1
    with pytest.raises(
        HlfError, match=r"2 steps in a row had no finite loss or gradient \(tuning.give_up_after\); lower"
    ):
        trainer._step([pairs], 0)


def test_a_skipped_part_skips_the_whole_step(tmp_path, monkeypatch):
    AcceleratorState._reset_state(True)
    trainer, _ = prepared(tmp_path, alpha=0.0, batch_size=1)
    before, calls = {name: p.clone() for name, p in trainer.learned.items()}, []
    exact = train.noise_loss

    def broken(predicted, noise):
        calls.append(1)
        return exact(predicted, noise) * (float("nan") if len(calls) == 1 else 1.0)

    monkeypatch.setattr(train, "noise_loss", broken)
    parts = [[trainer.task.pairs.pair(0, number)] for number in (0, 1)]
    assert trainer._step(parts, 0)["skipped"] == 1
    assert all(torch.equal(p, before[name]) for name, p in trainer.learned.items())
    assert trainer._step(parts, 0)["skipped"] == 0
    assert not all(torch.equal(p, before[name]) for name, p in trainer.learned.items())


def test_a_gradient_that_is_not_finite_skips_the_step(tmp_path):
    trainer, _ = prepared(tmp_path, alpha=0.0)
    before = {name: p.clone() for name, p in trainer.learned.items()}
    first = next(iter(trainer.learned.values()))
    hook = first.register_hook(lambda gradient: gradient * float("inf"))
    pairs = [trainer.task.pairs.pair(0, number) for number in (0, 1)]
    assert trainer._step([pairs], 0)["skipped"] == 1
    assert all(torch.equal(p, before[name]) for name, p in trainer.learned.items())
    hook.remove()
    assert trainer._step([pairs], 0)["skipped"] == 0


def test_helpers_that_prepare_pictures_change_nothing(unbroken, tmp_path):
    fine_tune(small_task(tmp_path, workers=1))
    assert same(weights(tmp_path), weights(unbroken))


def test_low_precision_keeps_float32_weights(tmp_path):
    AcceleratorState._reset_state(True)  # one process has one precision
    trainer, inputs = prepared(tmp_path, precision="bf16")
    with torch.no_grad():
        ori, image = trainer._losses(inputs)
    assert {p.dtype for p in trainer.learned.values()} == {torch.float32} and trainer.start.vae.dtype == torch.bfloat16
    assert ori.dtype == image.dtype == torch.float32
    AcceleratorState._reset_state(True)
    exact, same_inputs = prepared(tmp_path)
    with torch.no_grad():
        wanted = [float(part) for part in exact._losses(same_inputs)]
    assert [float(ori), float(image)] == pytest.approx(wanted, rel=0.05)


def test_sample_grids_and_events_are_written(tmp_path):
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples/step-000099.png").write_bytes(b"of another training")
    fine_tune(small_task(tmp_path, 0.0, sample_every=2, samples=2))
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == [f"step-00000{i}.png" for i in (2, 4, 6)]
    fine_tune(small_task(tmp_path / "unseen", 0.0))
    assert same(weights(tmp_path), weights(tmp_path / "unseen"))  # looking changes nothing
    with Image.open(tmp_path / "samples/step-000002.png") as grid:
        assert grid.size == (3 * 96, 2 * 96)
    assert list((tmp_path / "events").glob("events.*"))


def test_wrong_settings_are_told_in_a_sentence(tmp_path):
    with pytest.raises(
        HlfError, match=r"tuning.images is 4, fewer than the 8 of one step \(tuning.step_images\); lower"
    ):
        Trainer(small_task(tmp_path, 0.0, step_images=8))
    with pytest.raises(
        HlfError, match=r"tuning.step_images is 2, expected a multiple of 4 \(tuning.batch_size 2 x tuning"
    ):
        fine_tune(small_task(tmp_path, 0.0, processes=2))
    with pytest.raises(
        HlfError, match=r"tuning.processes is 2, but 1 take part; start the training by hlf.tuning.launch"
    ):
        Trainer(small_task(tmp_path, 0.0, processes=2, batch_size=1))
    with pytest.raises(HlfError, match=r"tuning.optimizer 'sgd' is unknown, expected one of adamw"):
        Trainer(small_task(tmp_path, 0.0, optimizer="sgd"))
    with pytest.raises(HlfError, match="adamw_8bit needs package bitsandbytes"):
        fine_tune_8bit()
    with pytest.raises(HlfError, match=r"unet.config.json does not exist; expected a folder of a fine-tuned SeeSR"):
        tuned_files(tmp_path)


def fine_tune_8bit():
    from unittest import mock

    with mock.patch.dict(sys.modules, {"bitsandbytes": None}):
        build_optimizer("adamw_8bit", [torch.nn.Parameter(torch.zeros(1))], 1e-3)


def test_checkpoints_keep_the_last_ones_and_pass_over_damaged_ones(tmp_path):
    kept = Checkpoints(tmp_path, 2)
    assert kept.last() is None
    for step in (1, 2, 3):
        kept.save(step, {"step": step})
    assert sorted(p.name for p in tmp_path.glob("*")) == ["checkpoint-00000002.pt", "checkpoint-00000003.pt"]
    (tmp_path / "checkpoint-00000003.pt").write_bytes(b"half")
    assert kept.last() == {"step": 2}
    (tmp_path / "checkpoint-00000002.pt").write_bytes(b"half")
    with pytest.raises(
        HlfError, match=r"no checkpoint in .* can be read; remove that folder to start the training anew"
    ):
        kept.last()
    kept.remove()
    assert kept.last() is None


def test_checkpoints_of_other_settings_go_when_a_training_is_over(tmp_path):
    for name in ("old", "new"):
        Checkpoints(tmp_path / name, 1).save(1, {})
    (tmp_path / "old/notes.txt").write_text("mine")
    Checkpoints(tmp_path / "new", 1).remove_others()
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.*")) == [
        "new/checkpoint-00000001.pt", "old/notes.txt"
    ]  # fmt: skip
