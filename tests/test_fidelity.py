"""The metric as a module: one number whatever form a picture comes in, a loss that reaches SR alone, clear refusals."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.checkpoint import checkpoint

from backbone_helpers import tiny_backbones, tiny_dino
from hlf.backbones.registry import BACKBONES, load_backbone
from hlf.errors import HlfError
from hlf.images import write_png
from hlf.metric.calibration import Calibration
from hlf.metric.fidelity import HighLevelFidelity

CALIBRATION = Calibration("logistic", c=0.2, k=2.0)


def batch(n=4, height=32, width=32, seed=0):
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def metric():
    return HighLevelFidelity(tiny_dino())


@pytest.fixture(scope="module")
def loss():
    return HighLevelFidelity(tiny_dino(), CALIBRATION, as_loss=True)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    return tiny_backbones(tmp_path_factory.mktemp("zoo"))


@pytest.fixture(scope="module", params=["dinov2", "pe-core", "vit"])
def either(request, zoo):
    """Metrics on backbones of two libraries, and on one whose distance is its own."""
    return HighLevelFidelity(load_backbone(request.param, "mini", zoo))


def counted(metric):
    """A list that grows with the number of pictures that the metric embeds, and the hook."""
    seen = []
    return seen, metric.backbone.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))


def test_equal_pictures_score_zero_and_others_do_not(either):
    sr, gt = batch(seed=1), batch(seed=2)
    assert either(sr, sr).max() <= 1e-6 and either(sr, sr).min() >= 0
    values = either(sr, gt)
    assert values.shape == (4,) and values.dtype == torch.float32 and (values > 1e-4).all() and (values <= 2).all()
    calibrated = HighLevelFidelity(either.backbone, CALIBRATION)
    assert torch.allclose(calibrated(sr, gt), CALIBRATION(values)) and calibrated(sr, sr).max() < 1e-6


def test_a_score_is_the_distance_of_the_backbone(metric):
    sr, gt = batch(seed=1), batch(seed=2)
    with torch.no_grad():
        wanted = metric.backbone.distance(metric.backbone(sr), metric.backbone(gt))
    assert torch.allclose(metric(sr, gt), wanted, atol=1e-7)


def test_one_batch_many_batches_and_any_order_agree(either):
    sr, gt = batch(9, seed=3), batch(9, seed=4)
    alone = np.array([either.score(sr=a, gt=b) for a, b in zip(sr, gt, strict=True)])
    for size in (1, 4, 16):
        assert np.abs(either.score(sr=sr, gt=gt, batch_size=size) - alone).max() <= 1e-5
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    assert np.abs(either.score(sr=sr[order], gt=gt[order]) - alone[order.numpy()]).max() <= 1e-5
    assert np.abs(either(sr, gt).numpy() - alone).max() <= 1e-5
    assert np.array_equal(either.score(sr=sr, gt=gt), either.score(sr=sr, gt=gt))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=12), st.integers(1, 5))
def test_every_grouping_gives_the_numbers_of_single_pairs(metric, pairs, size):
    # GT number and shape of each pair: repeated GTs, mixed shapes, every batch size
    shapes = [(32, 32), (24, 40), (40, 24)]
    gts = {key: batch(1, *shapes[key[1]], seed=sum(key))[0] for key in pairs}
    sr = [batch(1, *shapes[shape], seed=100 + i)[0] for i, (_, shape) in enumerate(pairs)]
    found = metric.score(sr=sr, gt=[gts[key] for key in pairs], batch_size=size)
    wanted = [metric.score(sr=s, gt=gts[key]) for s, key in zip(sr, pairs, strict=True)]
    assert np.abs(found - wanted).max() <= 1e-5


def test_path_pillow_and_tensor_of_one_file_agree(metric, tmp_path):
    rng = np.random.default_rng(1)
    arrays = {name: rng.integers(0, 256, (32, 40, 3), dtype=np.uint8) for name in ("sr", "gt")}
    for name, array in arrays.items():
        write_png(tmp_path / f"{name}.png", array)
    paths = {name: tmp_path / f"{name}.png" for name in arrays}
    tensors = {name: torch.from_numpy(a.transpose(2, 0, 1).copy()).float() / 255 for name, a in arrays.items()}
    pictures = {name: Image.open(path) for name, path in paths.items()}
    texts = {name: str(path) for name, path in paths.items()}
    values = [metric.score(**form) for form in (paths, texts, pictures, tensors)]
    assert isinstance(values[0], float) and np.ptp(values) <= 1e-6
    assert metric.score(sr=[paths["sr"]], gt=[tensors["gt"]]) == pytest.approx([values[0]], abs=1e-6)
    assert metric(tensors["sr"][None], tensors["gt"][None]).item() == pytest.approx(values[0], abs=1e-6)


def test_files_are_turned_greyed_and_composed_as_everywhere(metric, tmp_path):
    rng = np.random.default_rng(2)
    colours = rng.integers(0, 256, (32, 48, 4), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    turned = Image.fromarray(colours[..., :3])
    turned.save(tmp_path / "turned.png", exif=exif)
    upright = Image.fromarray(np.rot90(colours[..., :3], -1))
    assert metric.score(sr=tmp_path / "turned.png", gt=upright) <= 1e-6
    assert metric.score(sr=Image.open(tmp_path / "turned.png"), gt=upright) <= 1e-6
    white = Image.new("RGBA", (48, 32), (255, 255, 255, 255))
    composed = Image.alpha_composite(white, Image.fromarray(colours)).convert("RGB")
    assert metric.score(sr=Image.fromarray(colours), gt=composed) <= 1e-6
    grey = batch(1)[:, :1]
    assert metric(grey, grey.expand(-1, 3, -1, -1)).item() <= 1e-6 and metric.score(sr=grey[0], gt=grey) <= 1e-6


def test_each_distinct_gt_is_embedded_once(tmp_path):
    metric = HighLevelFidelity(tiny_dino())
    seen, _ = counted(metric)
    gt, sr = batch(2, seed=5), batch(8, seed=6)
    for i in range(2):
        write_png(tmp_path / f"{i}.png", (gt[i].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))
    metric.score(sr=sr, gt=gt.repeat_interleave(4, 0), batch_size=3)
    assert sum(seen) == 8 + 2
    seen.clear()
    metric.score(sr=sr, gt=[tmp_path / f"{i % 2}.png" for i in range(8)], batch_size=3)
    assert sum(seen) == 8 + 2


def test_a_gt_is_forgotten_after_its_last_pair(metric):
    from hlf.metric.batches import _References

    gts = list(batch(2)) * 2
    references = _References(gts, ["a", "b", "a", "b"])
    for number in range(4):
        references.get(number, (32, 32), resize=False)
        references.done(number)
        assert len(references.kept) == [1, 2, 1, 0][number]


def test_the_loss_has_a_gradient_for_sr_alone(loss):
    sr, gt = batch(seed=1).requires_grad_(), batch(seed=2).requires_grad_()
    value = loss(sr, gt)
    value.backward()
    assert value.shape == () and torch.isfinite(sr.grad).all() and (sr.grad.abs().amax((1, 2, 3)) > 0).all()
    assert gt.grad is None and all(p.grad is None for p in loss.parameters())
    # the loss is the raw distance, whatever the calibration
    assert value.item() == pytest.approx(HighLevelFidelity(loss.backbone)(sr.detach(), gt.detach()).mean().item())


def test_the_gradient_is_that_of_finite_differences():
    loss = HighLevelFidelity(tiny_dino().double(), as_loss=True, loss_reduction="none")
    sr, gt = (0.1 + 0.8 * batch(1, 12, 10, seed=s).double() for s in (1, 2))
    direction = torch.randn(sr.shape, generator=torch.Generator().manual_seed(3)).double()
    sr.requires_grad_()
    loss(sr, gt).sum().backward()
    # steep enough a way that the slope stands out of what float32 rounds
    direction = direction + 3 * sr.grad / sr.grad.square().mean().sqrt()
    step = 1e-3  # embeddings are float32, so a smaller step would show rounding
    with torch.no_grad():
        slope = (loss(sr + step * direction, gt) - loss(sr - step * direction, gt)) / (2 * step)
    assert slope.item() == pytest.approx((sr.grad * direction).sum().item(), rel=0.005)


def test_reductions(loss):
    sr, gt = batch(seed=1), batch(seed=2)
    each = HighLevelFidelity(loss.backbone, as_loss=True, loss_reduction="none")(sr, gt)
    assert each.shape == (4,)
    for reduction, wanted in (("mean", each.mean()), ("sum", each.sum())):
        other = HighLevelFidelity(loss.backbone, as_loss=True, loss_reduction=reduction)
        assert torch.allclose(other(sr, gt), wanted)


def test_the_loss_is_finite_at_equality_and_outside_the_range(loss):
    gt = batch(seed=1)
    for sr in (gt.clone(), gt * 3 - 1, torch.zeros_like(gt), torch.full_like(gt, 1e4)):
        sr.requires_grad_()
        value = loss(sr, gt)
        value.backward()
        assert torch.isfinite(value) and torch.isfinite(sr.grad).all()


def test_descent_lowers_the_loss(loss):
    sr, gt = batch(1, seed=1).requires_grad_(), batch(1, seed=2)
    optimizer = torch.optim.Adam([sr], lr=0.02)
    values = []
    for _ in range(20):
        value = loss(sr, gt)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.5 * values[0]


def test_autocast_and_checkpointing_change_the_gradient_little(loss):
    sr, gt = batch(seed=1), batch(seed=2)

    def gradient(call):
        image = sr.clone().requires_grad_()
        call(image).backward()
        return image.grad.flatten()

    plain = gradient(lambda image: loss(image, gt))
    for reentrant in (False, True):
        kept = gradient(lambda image, r=reentrant: checkpoint(loss, image, gt, use_reentrant=r))
        assert torch.allclose(kept, plain, atol=1e-7)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert loss(sr, gt).dtype == torch.float32
        rough = gradient(lambda image: loss(image, gt))
    assert torch.nn.functional.cosine_similarity(rough, plain, dim=0) > 0.95
    half = gradient(lambda image: loss(image.bfloat16(), gt.bfloat16()))
    assert torch.isfinite(half).all() and half.abs().max() > 0


def test_training_code_around_it_cannot_change_it(loss):
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), copy.deepcopy(loss))
    module.train()
    assert module[1].training and not any(m.training for m in module[1].backbone.modules())
    assert not any(p.requires_grad for p in module[1].parameters())


def test_scores_carry_no_gradient_and_follow_the_device(metric):
    sr = batch().requires_grad_()
    assert not metric(sr, batch(seed=1)).requires_grad
    assert metric.device == torch.device("cpu")
    moved = copy.deepcopy(metric).to("meta")
    assert moved.device.type == "meta"
    halved = copy.deepcopy(metric).bfloat16()
    assert torch.allclose(halved(sr, batch(seed=1)), metric(sr, batch(seed=1)), atol=0.03)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_and_cpu_agree(metric):
    sr, gt = batch(seed=1), batch(seed=2)
    moved = copy.deepcopy(metric).to("cuda")
    assert moved.device.type == "cuda" and np.abs(moved.score(sr=sr, gt=gt) - metric.score(sr=sr, gt=gt)).max() <= 1e-3


def test_sizes_must_agree_unless_asked(metric):
    sr, gt = batch(2, 32, 48), batch(2, 64, 96, seed=1)
    words = "SR is 48x32 pixels, GT is 96x64, expected the same size; resize_ref=True or --resize-ref resizes the GT"
    for call in (metric, HighLevelFidelity(metric.backbone, as_loss=True)):
        with pytest.raises(HlfError, match=words):
            call(sr, gt)
    with pytest.raises(HlfError, match="pair 0: " + words):
        metric.score(sr=sr, gt=gt)
    willing = HighLevelFidelity(metric.backbone, resize_ref=True)
    small = torch.nn.functional.interpolate(gt, (32, 48), mode="bicubic", antialias=True).clamp(0, 1)
    assert torch.allclose(willing(sr, gt), metric(sr, small), atol=1e-6)
    assert np.allclose(willing.score(sr=sr, gt=gt), metric.score(sr=sr, gt=small), atol=1e-6)


def test_one_gt_serves_sr_of_two_sizes(metric):
    willing, gt = HighLevelFidelity(metric.backbone, resize_ref=True), batch(1, 64, 64)[0]
    sr = [batch(1, 32, 32)[0], batch(1, 16, 16)[0], batch(1, 64, 64)[0]]
    found = willing.score(sr=sr, gt=[gt] * 3)
    assert np.allclose(found, [willing.score(sr=s, gt=gt) for s in sr], atol=1e-6)


@pytest.mark.parametrize(
    ("sr", "words"),
    [
        (batch()[:, :2], r"SR: expected 3 channels \(RGB\) or 1 \(grey\), got 2; compose the alpha channel"),
        (torch.rand(4, 4, 32, 32), r"SR: expected 3 channels \(RGB\) or 1 \(grey\), got 4; compose the alpha channel"),
        (batch()[0], r"SR: expected a float tensor \(N, 3, H, W\), got \(3, 32, 32\)"),
        ((batch() * 255).byte(), r"SR: expected a float tensor .* of torch.uint8; convert to float and divide"),
        (batch() * 255, r"SR: expected values in \[0, 1\], got .* divide 8-bit values by 255"),
        (torch.full((4, 3, 32, 32), 1 + 2e-6), r"SR: expected values in \[0, 1\], got 1 to 1"),
        (torch.full((4, 3, 32, 32), -2e-6), r"SR: expected values in \[0, 1\], got -2e-06 to -2e-06"),
        (
            torch.full((4, 3, 32, 32), float("nan")),
            r"SR: expected values in \[0, 1\], got nan in 12288 of 12288 places",
        ),
        (batch(3), "SR holds 3 images, GT 4, expected as many"),
    ],
)
def test_wrong_tensors_are_refused(metric, sr, words):
    with pytest.raises(HlfError, match=words):
        metric(sr, batch(seed=1))
    with pytest.raises(HlfError, match=words.replace("SR:", "GT:").replace("3 images, GT 4", "4 images, GT 3")):
        metric(batch(seed=1), sr)


@pytest.mark.parametrize(
    ("sr", "gt", "words"),
    [
        ([], [], "SR: expected at least one picture, got an empty list"),
        (3, "gt.png", "SR: expected a path, PIL image, tensor or a list of them, got int"),
        (np.zeros((4, 4, 3)), "gt.png", "SR: expected a path, PIL image, tensor or a list of them, got ndarray"),
        ([batch(1)[0], 3], [batch(1)[0]] * 2, "pair 1: SR: expected a path, PIL image or tensor, got int"),
        (list(batch(2)), list(batch(1)), "SR holds 2 pictures, GT 1, expected a GT for each"),
        (batch(1)[0], "nowhere.png", "image nowhere.png cannot be opened"),
        (batch(1)[0, 0], batch(1)[0], r"SR: expected a tensor \(3, H, W\), got \(32, 32\)"),
        (torch.rand(4, 8, 8), batch(1)[0], "SR: expected 3 channels"),
        (batch(1)[0] * 9, batch(1)[0], r"SR: expected values in \[0, 1\]"),
        (batch(1)[0], batch(1)[0] * float("nan"), r"GT: expected values in \[0, 1\], got nan in 3072"),
    ],
)
def test_wrong_pictures_are_refused(metric, sr, gt, words):
    with pytest.raises(HlfError, match=words):
        metric.score(sr=sr, gt=gt)


def test_wrong_options_are_refused(metric):
    with pytest.raises(HlfError, match="loss_reduction 'median' is unknown, expected one of mean, sum, none"):
        HighLevelFidelity(metric.backbone, loss_reduction="median")
    with pytest.raises(HlfError, match="calibrated=True was asked for, but this metric has no calibration"):
        HighLevelFidelity(metric.backbone, calibrated=True)
    for size in (0, 2.5):
        with pytest.raises(HlfError, match=f"batch_size: expected a whole number from 1, got {size}"):
            metric.score(sr=batch(), gt=batch(), batch_size=size)
    with pytest.raises(TypeError):
        metric.score(batch(), batch())


@pytest.mark.parametrize("name", [*BACKBONES])
def test_every_backbone_scores_and_serves_as_a_loss(name, zoo):
    """Random weights: what needs official ones (unrelated scenes score at least 0.9) cannot be asked of these."""
    metric = HighLevelFidelity(load_backbone(name, "mini", zoo))
    sr, gt = batch(3, 128, 128, seed=1), batch(3, 128, 128, seed=2)
    assert metric.score(sr=gt, gt=gt).max() <= 0.02 and (metric.score(sr=sr, gt=gt) > 0).all()
    assert np.abs(metric.score(sr=sr, gt=gt) - metric.score(sr=sr, gt=gt, batch_size=1)).max() <= 1e-5
    image = sr.requires_grad_()
    metric.distance(image, gt).sum().backward()
    assert torch.isfinite(image.grad).all() and image.grad.abs().max() > 0
