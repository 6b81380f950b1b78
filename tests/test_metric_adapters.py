"""The metric inside pyiqa, torchmetrics and BasicSR: same numbers, right order of arguments, gradients."""

import importlib
import tomllib
from pathlib import Path

import pytest
import torch

import hlf
from backbone_helpers import tiny_dino
from hlf.errors import HlfError
from hlf.metric.calibration import Calibration
from hlf.metric.fidelity import HighLevelFidelity
from hlf.metric.load import NAMES
from hlf.metric.model import Origin
from test_metric_load import fresh

ROOT = Path(__file__).resolve().parent.parent
pyiqa = pytest.importorskip("pyiqa", reason="pyiqa is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tuned and calibrated metric."""
    path = tmp_path_factory.mktemp("model")
    HighLevelFidelity(tiny_dino(), Calibration(c=0.2, k=2.0), origin=Origin(tuned=True)).save_pretrained(path)
    return path


def images(seed, n=3):
    return torch.rand(n, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def plugin():
    """The function that the project announces to pyiqa."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["pyiqa.archs"]["hlf"].partition(":")
    return getattr(importlib.import_module(module), name)


def test_pyiqa_gives_the_score_of_the_library(folder):
    plugin()()
    hlf.register_pyiqa()  # a second time
    metric = pyiqa.create_metric("hlf-dinov2", weights=str(folder), device="cpu")
    assert metric.lower_better and metric.metric_mode == "FR" and metric.score_range == "0, 1"
    assert set(NAMES) <= set(pyiqa.list_models("FR"))
    sr, gt = images(1), images(2)
    own = hlf.load_metric("dinov2", weights=folder, device="cpu")
    assert torch.allclose(metric(sr, gt), own(sr, gt)) and metric(sr, gt).shape == (3,)
    assert not metric(sr, gt).requires_grad and metric(sr, sr).max() <= 1e-6


def test_pyiqa_s_target_is_our_sr(folder, monkeypatch):
    """The distance is symmetric, so a probe that is not tells the two apart."""
    hlf.register_pyiqa()
    metric = pyiqa.create_metric("hlf-dinov2", weights=str(folder), device="cpu")
    monkeypatch.setattr(metric.net.metric.backbone, "distance", lambda sr, gt: sr.mean(1) - 0 * gt.mean(1))
    target, reference = images(1), images(2)
    with torch.no_grad():
        wanted = metric.net.metric.backbone(target).mean(1).clamp(min=0)
    assert torch.allclose(metric(target, reference), Calibration(c=0.2, k=2.0)(wanted))


def test_pyiqa_loss_has_a_gradient_for_the_image_alone(folder):
    hlf.register_pyiqa()
    loss = pyiqa.create_metric("hlf-dinov2", weights=str(folder), device="cpu", as_loss=True)
    sr, gt = images(1).requires_grad_(), images(2).requires_grad_()
    value = loss(sr, gt)
    value.backward()
    assert torch.isfinite(sr.grad).all() and sr.grad.abs().max() > 0 and gt.grad is None
    own = hlf.load_metric("dinov2", weights=folder, as_loss=True, device="cpu")
    assert torch.allclose(value, own(sr, gt))
    each = pyiqa.create_metric("hlf-dinov2", weights=str(folder), device="cpu", as_loss=True, loss_reduction="none")
    assert each(sr, gt).shape == (3,)


def test_pyiqa_reads_files_and_passes_options(folder, tmp_path):
    from hlf.images import from_tensor, write_png

    hlf.register_pyiqa()
    for name, seed in (("sr", 1), ("gt", 2)):
        write_png(tmp_path / f"{name}.png", from_tensor(images(seed)[0]))
    metric = pyiqa.create_metric("hlf-dinov2", weights=str(folder), device="cpu", calibrated=False)
    value = float(metric(str(tmp_path / "sr.png"), str(tmp_path / "gt.png")))
    own = hlf.load_metric("dinov2", weights=folder, calibrated=False, device="cpu")
    assert value == pytest.approx(own.score(sr=tmp_path / "sr.png", gt=tmp_path / "gt.png"), abs=1e-6)
    with pytest.raises(HlfError, match="are of backbone 'dinov2', expected 'pe-core'"):
        pyiqa.create_metric("hlf-pe", weights=str(folder), device="cpu")


def test_a_fresh_process_needs_one_call_or_the_entry_point(tmp_path):
    created = "import pyiqa; print(pyiqa.create_metric('hlf-dinov2', device='cpu').metric_name)"
    assert fresh(f"import hlf; hlf.register_pyiqa(); {created}").split()[-1] == "hlf-dinov2"
    # what an installation would announce, from this project's own pyproject
    information = tmp_path / "hlf_here-0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: hlf-here\nVersion: 0\n")
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pyiqa.archs"]
    lines = "\n".join(f"{name} = {target}" for name, target in points.items())
    (information / "entry_points.txt").write_text(f"[pyiqa.archs]\n{lines}\n")
    code = """
import pyiqa
from pyiqa.utils.registry import ARCH_REGISTRY
print("hlf-pe" in pyiqa.list_models(), "HLF" in ARCH_REGISTRY, "hlf-pe" in pyiqa.list_models())
"""
    # the first answer is the trap: the name is unknown until some architecture was looked up
    assert fresh(code, tmp_path).split()[-3:] == ["False", "True", "True"]


def test_a_missing_package_is_told(tmp_path):
    (tmp_path / "pyiqa.py").write_text("raise ModuleNotFoundError('gone', name='pyiqa')")
    (tmp_path / "torchmetrics.py").write_text("raise ModuleNotFoundError('gone', name='torchmetrics')")
    code = """
import hlf
for what in (lambda: hlf.register_pyiqa(), lambda: __import__("hlf.metric.torchmetrics_wrapper")):
    try:
        what()
    except hlf.HlfError as error:
        print(error)
"""
    assert fresh(code, tmp_path).splitlines() == [
        "register_pyiqa needs package pyiqa, which is not installed; pip install pyiqa",
        "hlf.metric.torchmetrics_wrapper needs package torchmetrics, which is not installed; pip install torchmetrics",
    ]


def collector(metric, reduction="mean", **options):
    pytest.importorskip("torchmetrics", reason="torchmetrics is not installed")
    from hlf.metric.torchmetrics_wrapper import HighLevelFidelityMetric

    return HighLevelFidelityMetric(metric, reduction, **options)


def test_torchmetrics_collects_every_pair_once(folder):
    own = hlf.load_metric("dinov2", weights=folder, device="cpu")
    mean, each = collector(own), collector(own, "none")
    assert mean.higher_is_better is False and mean.is_differentiable is True
    batches = [(images(1, 2), images(2, 2)), (images(3, 5), images(4, 5))]
    for sr, gt in batches:
        mean.update(sr, gt)
        each.update(sr, gt)
    wanted = torch.cat([own(sr, gt) for sr, gt in batches])
    assert torch.allclose(each.compute(), wanted) and mean.compute().item() == pytest.approx(wanted.mean().item())
    each.reset()
    mean.reset()
    assert torch.allclose(mean(*batches[0]), wanted[:2].mean().double())  # forward: value of one batch
    assert torch.allclose(each(*batches[1]), wanted[2:]) and torch.allclose(each.compute(), wanted[2:])


def test_torchmetrics_forward_is_differentiable_with_a_loss(folder):
    metric = collector(hlf.load_metric("dinov2", weights=folder, as_loss=True, device="cpu"))
    sr = images(1).requires_grad_()
    metric(sr, images(2)).backward()
    assert torch.isfinite(sr.grad).all() and sr.grad.abs().max() > 0


def test_torchmetrics_wrong_use_is_told(folder):
    own = hlf.load_metric("dinov2", weights=folder, device="cpu")
    with pytest.raises(HlfError, match="reduction 'max' is unknown, expected mean or none"):
        collector(own, "max")
    for reduction in ("mean", "none"):
        with pytest.raises(HlfError, match="compute was called before update"):
            collector(own, reduction).compute()
    with pytest.raises(HlfError, match=r"SR: expected values in \[0, 1\]"):
        collector(own).update(images(1) * 255, images(2))


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_torchmetrics_states_join_over_processes(folder, reduction):
    """Two processes, the second played by a list of its states in the order in which they are gathered."""
    own = hlf.load_metric("dinov2", weights=folder, device="cpu")
    sr, gt = images(1, 5), images(2, 5)
    states: list[torch.Tensor] = []

    def gather(state, group):
        return [state, states.pop(0)]

    here = collector(own, reduction, dist_sync_fn=gather, distributed_available_fn=lambda: True)
    there = collector(own, reduction)
    here.update(sr[:2], gt[:2])
    there.update(sr[2:], gt[2:])
    states += [torch.cat(there.values)] if reduction == "none" else [there.total, there.count]
    joined = here.compute()
    wanted = own(sr, gt) if reduction == "none" else own(sr, gt).double().mean()
    assert torch.allclose(joined, wanted, atol=1e-6) and not states


def test_basicsr_finds_metric_and_loss(folder):
    from hlf.metric.basicsr_plugin import register_basicsr
    from hlf.nets.basicsr_adapter import registry

    register_basicsr()
    register_basicsr()  # a second time
    sr, gt = images(1), images(2)
    own = hlf.load_metric("dinov2", weights=folder, device="cpu")
    arrays = [(i[0].permute(1, 2, 0).numpy() * 255).round().astype("uint8")[..., ::-1] for i in (sr, gt)]
    options = {"weights": str(folder), "device": "cpu"}
    value = registry("METRIC_REGISTRY").get("calculate_hlf")(img=arrays[0], img2=arrays[1], **options)
    assert value == pytest.approx(float(own(sr[:1], gt[:1])), abs=5e-3)
    loss = registry("LOSS_REGISTRY").get("HLFLoss")(loss_weight=0.5, **options)
    image = sr.clone().requires_grad_()
    found = loss(image, gt)
    found.backward()
    assert found.item() == pytest.approx(0.5 * own.distance(sr, gt).mean().item()) and image.grad.abs().max() > 0
