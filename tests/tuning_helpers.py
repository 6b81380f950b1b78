"""A fine-tuning of the mini SeeSR in seconds: what all tests of it start from."""

import functools
import tempfile
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from hlf.metric.load import load_metric
from hlf.tuning.launch import fine_tune
from hlf.tuning.pictures import choose
from hlf.tuning.task import Folders, task_of
from workflow_helpers import ROOT

ZOO = ROOT / "resources/zoo/mini"
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
# three epochs of two steps
SMALL = {
    "images": 4, "crop": 96, "epochs": 3, "step_images": 2, "batch_size": 2, "checkpoint_every": 1,
    "sample_every": 99, "samples": 1,
}  # fmt: skip


@functools.cache
def metric():
    """Folder of a metric on the mini DINOv2."""
    folder = Path(tempfile.mkdtemp()) / "dinov2"
    load_metric("dinov2", zoo_folder=ZOO, device="cpu").save_pretrained(folder)
    return folder


def group(**settings):
    """The configuration's group `tuning`, small."""
    loss = {**CONFIG["tuning"]["loss"], **settings.pop("loss", {})}
    return {**CONFIG["tuning"], **SMALL, **settings, "loss": loss}


def small_task(root, alpha=0.1, **settings):
    """A fine-tuning that works and writes in `root`."""
    tuning = group(**settings)
    rest = {
        "seed": 3, "zoo": "mini", "images.objects": [0.35, 0.7], "degradation.levels": [0.3],
        "sr.seesr": {"steps": 2, "process_size": 96},
    }  # fmt: skip
    chosen = pd.DataFrame(choose(tuning, 3, []), columns=["image_id", "file"])
    folders = Folders(*(root / name for name in ("work", "events", "samples", "model", "logs")))
    return task_of(alpha, rest, tuning, ZOO, metric(), chosen, "cpu", folders, "A test.")


def weights(root):
    """Tensors of the model that a fine-tuning in `root` wrote."""
    from safetensors.torch import load_file

    parts = {
        part: load_file(root / "model" / part / "diffusion_pytorch_model.safetensors")
        for part in ("unet", "controlnet")
    }
    return {f"{part}.{name}": value for part, state in parts.items() for name, value in state.items()}


def same(first, second):
    """Whether two models are equal to the bit."""
    return set(first) == set(second) and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Folder of a fine-tuning in one process that ended by itself, six steps."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("unbroken")
    fine_tune(small_task(root))
    return root
