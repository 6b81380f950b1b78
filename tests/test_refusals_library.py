"""Refusals of networks, statistics, weights and packages that no other test meets (docs/errors.md)."""

import logging
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

import hlf_job
from hlf.errors import HlfError
from hlf.files import write_json, write_table
from hlf.images import rgb_batch
from hlf.iqa import measure
from hlf.iqa.afine import build_parts
from hlf.iqa.joint import ArtifactDetector
from hlf.iqa.koniqpp import _first
from hlf.iqa.vif64 import vif64
from hlf.metric.pairs import draw_views
from hlf.metric.step import Stepper
from hlf.nets.ram import TagList
from hlf.release.finished import TABLES, read_finished
from hlf.release.models import _row, write_metric_package
from hlf.release.pictures import Print, compare
from hlf.release.rebuild import _Work
from hlf.release.recipes import _gt
from hlf.resume import record_path
from hlf.sr import stablesr_networks
from hlf.sr.base import FeedForward
from hlf.sr.diffusion import base_model, tagger
from hlf.sr.diffusion.base_model import BaseFiles, load_text_encoder
from hlf.sr.diffusion.sizes import cut_to_multiple
from hlf.sr.diffusion.tiles import boxes
from hlf.stats import latent
from hlf.stats.answers import Answers
from hlf.stats.ceiling import human_ceiling
from hlf.study.shown import png
from hlf.tuning.loss import ImageLoss, ImageOptions, seen
from hlf.tuning.task import Task
from hlf.zoo.assets import assets
from hlf.zoo.content import look
from hlf.zoo.fetching.download import Patience
from hlf.zoo.fetching.fetch import _Ways
from hlf.zoo.fetching.part import _told
from hlf.zoo.lock import Locked
from sr_helpers import Toy
from study_data import make_pairs, make_votes

ROOT = Path(__file__).resolve().parent.parent


def refused(words, function, *arguments, **more):
    with pytest.raises(HlfError, match=words):
        function(*arguments, **more)


# --- networks ---


def test_a_checkpoint_that_is_no_afine():
    refused(r"checkpoint a\.pt holds no CLIP: .*; fetch it again", build_parts, {}, None, Path("a.pt"), 8)


def test_a_koniqpp_without_its_lists():
    for content in ({}, {"k": []}, {"k": ["x"]}):
        refused(r"lacks list 'k', which brings the quality", _first, content, "k", Path("a.pth"))


def test_vif_needs_two_pictures_of_one_size():
    big, small = np.zeros((40, 40, 3), np.uint8), np.zeros((32, 40, 3), np.uint8)
    refused(r"VIF needs two images of one size, sides >= 33, got SR \(32, 40, 3\)", vif64, small, big)


def test_basicsr_is_missing_or_its_config_is_wrong(monkeypatch):
    from hlf.nets import basicsr_adapter

    refused("SwinIR has no argument 'wide'; check its config.json", basicsr_adapter.swinir, wide=3)
    refused("SwinIR cannot be built from the arguments .*; check its config", basicsr_adapter.swinir, embed_dim="x")
    monkeypatch.setitem(sys.modules, "basicsr.archs.swinir_arch", None)
    refused(r"SwinIR needs the package basicsr, whose import failed .*; run: ", basicsr_adapter.swinir)


def test_sizes_that_cannot_be_made():
    narrow = np.zeros((200, 60, 3), np.uint8)
    refused("image of 60x200 is smaller than 64 pixels along a side", cut_to_multiple, narrow, 64)
    refused(r"latent tiles of 8 with an overlap of 8 never end; use an overlap below", boxes, 8, 80, 16, 8)
    x0, gt = torch.zeros(1, 4, 9, 9), torch.zeros(1, 3, 72, 72)
    options = ImageOptions(shrink=2)
    refused("tuning.loss.shrink is 2, expected a divisor of the 9 cells", seen, x0, gt, torch.zeros(1, 2), options)


def test_a_model_of_another_scale():
    from hlf.sr.base import Descriptor

    class Twice(FeedForward):
        def forward(self, lr):
            return lr.repeat_interleave(2, 2).repeat_interleave(2, 3)

    twice = Twice(Descriptor("twice", "mini", "w" * 64), torch.nn.Identity(), "cpu", "fp32")
    words = r"model 'twice' made \(1, 3, 8, 8\) of \(1, 3, 4, 4\), expected x4"
    refused(words, twice.upscale, torch.zeros(1, 3, 4, 4), [0])


# --- statistics, weights, packages ---


def test_votes_that_say_too_little(monkeypatch):
    rows = [(f"i{i}@1@m", f"p{k}", int(i == k == 0)) for i in range(6) for k in range(4)]
    votes = pd.DataFrame(rows, columns=["pair_id", "participant", "answer"])
    votes = votes.assign(source="human", valid=True, is_trap=False)
    words = "in 10 of 10 splits one half gives all pairs the same score; collect more votes"
    refused(words, human_ceiling, votes, 10, 0)
    monkeypatch.setattr(latent, "_ROUNDS", 1)
    answers = Answers.of(make_votes(make_pairs()))
    refused("Dawid-Skene did not converge within 1 rounds on", latent.dawid_skene, answers)


def test_an_afine_without_a_section(monkeypatch):
    from pyiqa.archs import afineclip_model

    network = torch.nn.Linear(1, 1)
    monkeypatch.setattr(afineclip_model, "build_model", lambda _: network)
    refused(r"checkpoint a\.pt lacks section '.*', expected", build_parts, network.state_dict(), {}, Path("a.pt"), 8)


def test_tags_that_do_not_fit(monkeypatch, tmp_path):
    refused("the tag list has 2 names and 1 thresholds, expected one each", TagList, ("a", "b"), (0.5,))
    monkeypatch.setattr(tagger, "read_tags", lambda *_: TagList(("a", "b"), (0.5, 0.5)))
    monkeypatch.setattr(tagger, "read_config", lambda *_: {})
    network = torch.nn.Module()
    network.label_embed = torch.nn.Parameter(torch.zeros(3, 1))
    monkeypatch.setattr(tagger.ram_net, "build", lambda *_: network)
    files = [tmp_path / name for name in ("config.json", "ram.pth", "tags.txt", "limits.txt")]
    refused(r"tags\.txt holds 2 tags, expected 3 for .*ram\.pth", tagger.load_tagger, "mini", files, [], "cpu", False)


def test_a_text_encoder_that_is_not_there(tmp_path):
    files = BaseFiles(*(tmp_path / "base" / str(i) / "x" for i in range(9)))
    words = r"text encoder in .*base cannot be loaded \(.*\); fetch it again"
    refused(words, load_text_encoder, files, torch.float32, "cpu")


def test_a_lock_that_the_manifest_contradicts(tmp_path):
    file = replace(assets()["bsrgan"].files[0], sha256="1" * 64, bytes=2)
    ways = _Ways(tmp_path, tmp_path, {}, None, False, False, Patience(), {file.path: Locked("0" * 64, 1)})
    words = "assets.lock.json has a .* by the manifest; remove its entry there, and the file"
    refused(words, ways.expected, file, file.path)


def test_a_run_without_scores_is_not_released(tmp_path):
    files = {name: tmp_path / f"{name}.csv" for name in TABLES}
    for path in files.values():
        write_table(pd.DataFrame({"status": ["incomplete"]}), path)
    (tmp_path / "complete").write_text("")
    files["complete"] = tmp_path / "complete"
    refused("holds no pair with enough votes; there is nothing", read_finished, files, tmp_path, {})


def test_a_picture_made_again_with_other_weights(monkeypatch, tmp_path):
    other = SimpleNamespace(descriptor=SimpleNamespace(weights_sha256="b"))
    monkeypatch.setattr("hlf.sr.registry.load_upscaler", lambda *_: other)
    means = SimpleNamespace(device="cpu", zoo_folder=tmp_path)
    how = {"precision": "fp32", "options": {}}
    work = SimpleNamespace(_how=lambda _: how, shared={"zoo": "mini"}, means=means)
    refused("holds other weights of 'toy' than the data set was made with", _Work._upscaler, work, "toy", {"a"})


# --- arguments in Python ---


def test_wrong_words_for_settings():
    for words, function, *arguments in (
        ("metric.augmentation 'turn' is unknown, expected one of", draw_views, "turn", 1, None),
        ("metric.precision 'fp8' is unknown, expected", Stepper, None, {"precision": "fp8"}),
        (
            "tuning.loss.weighting 'all' is unknown, expected",
            ImageLoss,
            None,
            None,
            None,
            ImageOptions(weighting="all"),
        ),
        ("model 'toy' cannot run in precision 'fp16', expected one of fp32, bf16", Toy, "fp16"),
        ("model 'toy' got 2 images and 1 seeds, expected one", Toy().upscale, torch.zeros(2, 3, 8, 8), [1]),
    ):
        refused(words, function, *arguments)


def test_whole_numbers_are_no_pictures():
    words = r"sr: expected a float tensor \(N, 3, H, W\), got .* of torch.uint8; convert to float and divide"
    refused(words, rgb_batch, torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "sr")


def test_fine_tuning_without_the_gpus_it_needs(monkeypatch):
    from hlf.tuning import launch

    settings = {"precision": "fp16", "processes": 1, "step_images": 4, "batch_size": 1}
    task = Task(0.1, settings, "mini", None, {}, None, None, 0, "cpu", None, "")
    refused("tuning.precision is fp16, but no GPU is there or asked for", launch.fine_tune, task)
    monkeypatch.setattr(launch, "pick_device", lambda _: "cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    many = replace(task, settings={**settings, "processes": 2})
    refused("tuning.processes is 2, but 1 GPUs are there; one for each", launch.fine_tune, many)


def test_rows_and_marks_of_packages_that_are_wrong():
    table = pd.DataFrame({"metric": ["psnr"]})
    refused(r"no row 'ssim' in a table of the run, which has \['psnr'\]", _row, table, "metric", "ssim")
    ours, theirs = (Print(8, 8, name, name, marks) for name, marks in (("a", "zz"), ("b", "00")))
    refused("marks of a picture are no hexadecimal digits", compare, ours, theirs)


def test_a_detector_that_gives_something_else():
    odd = SimpleNamespace(path="d.pt", device="cpu", network=lambda _: [[torch.zeros(3, 3)]])
    words = r"detector d\.pt gave \(3, 3\), expected finite \(224, 224\)"
    refused(words, ArtifactDetector.__call__, odd, np.zeros((8, 8, 3), np.uint8))


def test_files_that_cannot_be_read_or_written(tmp_path):
    refused("gone.png cannot be opened: No such file or directory; check", measure._read, tmp_path / "gone.png")
    refused("checkpoint a.pth: 'k' holds nan, expected a number", _first, {"k": [float("nan")]}, "k", Path("a.pth"))
    refused(r"is a damaged PNG file \(.*\); copy it again", png._check_pixels, b"no zlib", 8, 8, "a.png")


def test_a_text_encoder_of_another_model(monkeypatch, tmp_path):
    found = {"missing_keys": [], "mismatched_keys": [], "unexpected_keys": ["vision.weight"]}
    model = SimpleNamespace(from_pretrained=lambda *_, **__: (torch.nn.Linear(1, 1), found))
    monkeypatch.setattr(base_model, "CLIPTextModel", model)
    monkeypatch.setattr(base_model, "CLIPTokenizer", model)
    files = BaseFiles(*(tmp_path / "base" / str(i) / "x" for i in range(9)))
    words = "has 1 unexpected keys, first 'vision.weight'; it belongs to another text encoder"
    refused(words, load_text_encoder, files, torch.float32, "cpu")


def test_a_structure_encoder_of_another_model(monkeypatch):
    config = {"unet": {"block_out_channels": [8, 8, 8]}, "structure": {}}
    parts = SimpleNamespace(config=config, main=Path("main.ckpt"), unet={}, structure={})
    monkeypatch.setattr(stablesr_networks, "_mini", lambda *_: parts)
    monkeypatch.setattr(stablesr_networks, "build_filled", lambda *_: SimpleNamespace(levels=2))
    words = r"structure encoder in main\.ckpt has 2 levels, the denoiser 3; they belong to different models"
    refused(words, stablesr_networks.load_networks, "mini", {}, "stablesr", "cpu", "fp32", False, False)


def test_folders_of_a_run_that_changed(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    words = r"config\.json does not describe a fine-tuned metric \('backbone'\); run `snakemake all` again"
    refused(words, write_metric_package, tmp_path, *[None] * 4)
    row = {"path": "a.png", "sha256": "x"}
    write_json(record_path(tmp_path / "a.png"), {"sha256": "y"})
    refused("the record of a.png is of another picture; remove it", _gt, SimpleNamespace(results=tmp_path), row)


def test_a_disk_that_does_not_let_us(tmp_path):
    refused("cannot read .*: Is a directory; fix the rights", look, tmp_path, "", 0)
    with (
        pytest.raises(HlfError, match=r"cannot write a\.part: Permission denied; fix the rights or the folder"),
        _told(SimpleNamespace(path=Path("a.part"))),
    ):
        raise PermissionError(13, "Permission denied")


def test_a_job_that_the_system_stops_tells_a_sentence(tmp_path, monkeypatch, capfd):
    def full(job):
        raise OSError(28, "No space left on device", "a.png")

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(hlf_job, "_job", lambda _: None)
    try:
        with pytest.raises(SystemExit) as caught:
            hlf_job.run(full, SimpleNamespace(log=[tmp_path / "x.log"], rule="degrade"))
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    words = "degrade: the system refuses 'a.png': No space left on device; check the path"
    said, log = capfd.readouterr().err, (tmp_path / "x.log").read_text()
    assert caught.value.code == 1 and words in said and "Traceback" not in said
    assert words in log and "Traceback" in log  # where it was, for those who look
