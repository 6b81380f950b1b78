"""JOINT: what it sees of a picture, what is missing without the detector, and a wrong file is named."""

import json

import numpy as np
import pytest
import torch

from hlf.errors import HlfError
from hlf.iqa import joint
from hlf.iqa.joint import OUTPUTS, ArtifactDetector, JointMetric, load_joint, shuffle_seed
from hlf.iqa.joint_images import MOSAIC, PATCH, shuffle_patches, structure_image
from hlf.nets import joint as net
from hlf.zoo.entries import ENTRIES
from iqa_helpers import JOINT, PICTURES, LeftHalf, networks, tiny_iqa, write_detector
from sr_helpers import picture

DETECTOR = ENTRIES["official", "joint-detector"].files[0]
EMPTY = np.zeros((MOSAIC, MOSAIC), bool)


@pytest.fixture(scope="module")
def metric(tmp_path_factory):
    return load_joint("mini", tiny_iqa(tmp_path_factory.mktemp("zoo")))


@pytest.fixture
def official(tmp_path, monkeypatch):
    """Folder with a file like the official one, but of the tiny network, which has the official input size."""
    monkeypatch.setattr(joint.net, "OFFICIAL", JOINT["network"])
    torch.save(networks()[1].state_dict(), tmp_path / "JOINT_2024.pth")
    return tmp_path


def test_all_outputs_of_a_picture(metric) -> None:
    values = metric(picture(40, 60), 3)
    assert set(values) == set(OUTPUTS) and metric.unavailable == {}
    assert values["naturalness"] == pytest.approx(0.145 * values["technical"] + 0.769 * values["rationality"])
    assert metric.mask == "empty" and metric.zoo == "mini" and len(metric.weights_sha256) == 64
    assert tuple(metric.structure(picture(40, 60)).shape) == (1, 3, 64, 64)


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_gives_numbers(metric, name) -> None:
    assert np.isfinite(list(metric(PICTURES[name], 1).values())).all()


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (picture(8, 8).astype(np.float32), "expected uint8 RGB"),
        (picture(8, 8)[:, :, 0], "expected uint8 RGB"),
        (picture(2, 201), r"JOINT got 201x2 pixels, expected sides within 100:1"),
    ],
)
def test_what_cannot_be_seen_is_refused(metric, image, words) -> None:
    with pytest.raises(HlfError, match=words):
        metric(image, 1)


def test_structure_of_flat_channels_is_black_and_of_grey_is_grey() -> None:
    assert not structure_image(PICTURES["black"]).any() and not structure_image(PICTURES["white"]).any()
    found = structure_image(PICTURES["no blue"])
    assert not found[:, :, 2].any() and found[:, :, 0].min() == 0 and found[:, :, 0].max() == 255
    grey = structure_image(PICTURES["grey"])
    assert (grey[:, :, 0] == grey[:, :, 1]).all() and (grey[:, :, 0] == grey[:, :, 2]).all()


def test_structure_keeps_edges_and_smooths_noise() -> None:
    rng = np.random.default_rng(1)
    step = np.where(np.arange(64)[None, :, None] < 32, 60.0, 190.0) + rng.normal(0, 2, (64, 64, 3))
    found = structure_image(step.clip(0, 255).astype(np.uint8)).astype(float)
    left, right = found[:, 4:28], found[:, 36:60]
    assert right.mean() - left.mean() > 5 * max(left.std(), right.std())


def cells(image):
    """Patches of a mosaic by place."""
    n = MOSAIC // PATCH
    return {(r, c): image[r * PATCH : (r + 1) * PATCH, c * PATCH : (c + 1) * PATCH] for r in range(n) for c in range(n)}


def numbered():
    """A picture each of whose patches has a colour of its own."""
    n = MOSAIC // PATCH
    numbers = np.arange(1, n * n + 1, dtype=np.uint8).reshape(n, n).repeat(PATCH, 0).repeat(PATCH, 1)
    return np.stack([numbers, numbers, numbers], -1)


def test_a_seed_gives_one_shuffle_and_another_seed_another() -> None:
    first, again, other = (shuffle_patches(numbered(), EMPTY, seed) for seed in (5, 5, 6))
    assert (first == again).all() and (first != other).any()
    seeds = {shuffle_seed(42, "a"), shuffle_seed(42, "b"), shuffle_seed(43, "a"), shuffle_seed(42, "a", "swinir")}
    assert len(seeds) == 4 and shuffle_seed(42, "a") in seeds
    # a full 64-bit seed is not cut
    one, two = (shuffle_patches(numbered(), EMPTY, seed) for seed in (7, 7 + 2**63))
    assert (one != two).any()


def test_patches_swap_with_neighbours_once_and_artifacts_stay() -> None:
    mask = np.zeros((MOSAIC, MOSAIC), np.uint8)
    mask[40, 70] = 1  # one pixel spoils the patch in row 1, column 2
    mask[:, 160:192] = 255  # column 5: whoever stands right of it has no neighbour but above and below
    before, after = cells(numbered()), cells(shuffle_patches(numbered(), mask, 9))
    number = {place: int(patch[0, 0, 0]) for place, patch in before.items()}
    found = {place: int(patch[0, 0, 0]) for place, patch in after.items()}
    place_of = {n: place for place, n in number.items()}
    moved = 0
    for place, n in found.items():
        origin = place_of[n]
        assert found[origin] == number[place]  # pairs change places
        assert max(abs(origin[0] - place[0]), abs(origin[1] - place[1])) <= 1
        moved += origin != place
    assert found[1, 2] == number[1, 2] and all(found[row, 5] == number[row, 5] for row in range(7))
    assert moved >= 30
    spoiled = shuffle_patches(numbered(), np.ones((MOSAIC, MOSAIC)), 9)
    assert (spoiled == numbered()).all()


def test_neighbours_and_order_change_nothing(metric) -> None:
    images = [picture(40, 60, phase) for phase in range(3)]
    fresh = JointMetric(metric.network, (110, 64), None, True, "mini", "w" * 64)
    alone = [fresh(image, 3) for image in images]
    assert [metric(image, 3) for image in reversed(images)][::-1] == alone
    assert len({one["technical"] for one in alone}) == 3
    other = metric(images[0], 4)
    assert other["rationality"] == alone[0]["rationality"] and other["technical"] != alone[0]["technical"]
    with torch.inference_mode():
        batch = metric.network(
            torch.cat([metric.shuffled(image, 3) for image in images]),
            torch.cat([metric.structure(image) for image in images]),
        )
    for name, values in zip(("technical", "rationality", "naturalness"), batch, strict=True):
        np.testing.assert_allclose(values.numpy(), [one[name] for one in alone], rtol=1e-5, atol=1e-5)


def test_without_the_detector_rationality_alone_is_measured(official) -> None:
    metric = load_joint("official", official)
    assert metric.mask == "none" and set(metric(picture(40, 60), 3)) == {"rationality"}
    assert set(metric.unavailable) == {"technical", "naturalness"}
    for reason in metric.unavailable.values():
        assert "joint-detector" in reason and DETECTOR in reason and "licence" in reason


def test_an_empty_mask_is_told_and_leaves_the_detector_unread(official) -> None:
    metric = load_joint("official", official, empty_mask=True)
    assert metric.mask == "empty" and metric.unavailable == {} and set(metric(picture(40, 60), 3)) == set(OUTPUTS)
    (official / DETECTOR).parent.mkdir()
    (official / DETECTOR).write_text("no detector")
    again = load_joint("official", official, empty_mask=True)
    assert again(picture(40, 60), 3) == metric(picture(40, 60), 3) and again.weights_sha256 == metric.weights_sha256


def test_the_detector_decides_which_patches_move(official) -> None:
    blind = load_joint("official", official, empty_mask=True)
    write_detector(official / DETECTOR)
    metric = load_joint("official", official)
    assert metric.mask == "detector" and metric.unavailable == {}
    assert metric.weights_sha256 != blind.weights_sha256
    image = picture(224, 224)
    assert metric.detector(image)[:, :112].all() and not metric.detector(image)[:, 112:].any()
    seen, free = metric(image, 3), blind(image, 3)
    assert seen["rationality"] == free["rationality"] and seen["technical"] != free["technical"]
    expected = shuffle_patches(image, metric.detector(image), 3)
    assert (expected[:, :128] == image[:, :128]).all() and (expected[:, 128:] != image[:, 128:]).any()


class Wrong(torch.nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how = how

    def forward(self, x):
        if self.how == "nan":
            return x[:, :1] / 0
        return x[:, :1, ::2, ::2] if self.how == "small" else x.flatten(1)


@pytest.mark.parametrize("how", ["nan", "small", "flat"])
def test_a_detector_that_gives_no_mask_is_named(tmp_path, how) -> None:
    detector = ArtifactDetector(write_detector(tmp_path / "end2end.pt", Wrong(how)))
    with pytest.raises(HlfError, match=r"detector .*end2end.pt gave \(.*\), expected finite \(224, 224\)"):
        detector(np.zeros((8, 8, 3), np.uint8))


def test_a_detector_that_cannot_take_the_input_is_named(tmp_path) -> None:
    detector = ArtifactDetector(write_detector(tmp_path / "end2end.pt"))
    detector.network = torch.nn.Conv2d(1, 1, 1)
    with pytest.raises(HlfError, match=r"end2end.pt fails on \(1, 3, 224, 224\) \(.*channels"):
        detector(picture(8, 8))


@pytest.mark.parametrize("content", ["page", "state dict", "truncated", "empty"])
def test_what_is_no_detector_is_named(official, content) -> None:
    path = write_detector(official / DETECTOR)
    whole = path.read_bytes()
    torch.save(LeftHalf().state_dict(), path)
    contents = {"page": b"<html>Sign in</html>" * 50, "truncated": whole[:-100], "empty": b""}
    path.write_bytes(contents.get(content, path.read_bytes()))
    with pytest.raises(HlfError, match=r"end2end.pt is no TorchScript file.*fetch it again"):
        load_joint("official", official)


def test_wrong_weights_are_named(official) -> None:
    path, state = official / "JOINT_2024.pth", networks()[1].state_dict()
    cases = [
        ({k: v for k, v in state.items() if k != "quality_T.1.bias"}, "lacks key 'quality_T.1.bias'"),
        (state | {"quality_R.1.bias": torch.tensor([float("nan")])}, "'quality_R.1.bias' holds NaN"),
        (state | {"vgg.weight": torch.zeros(2)}, "unexpected key 'vgg.weight'"),
        ({"model": state}, "'model' is no tensor"),
    ]
    for content, words in cases:
        torch.save(content, path)
        with pytest.raises(HlfError, match=f"JOINT_2024.pth.*{words}"):
            load_joint("official", official)
    path.write_bytes(b"<html>Sign in</html>" * 50)
    with pytest.raises(HlfError, match=r"JOINT_2024.pth cannot be read as tensors.*fetch it again"):
        load_joint("official", official)


def test_a_config_of_another_network_is_named(tmp_path) -> None:
    tiny_iqa(tmp_path)
    for config, words in [
        ({key: JOINT[key] for key in ("network", "crop")}, "config.json lacks short_side"),
        ({**JOINT, "network": {**JOINT["network"], "swin": {}}}, "config.json: the network cannot be built"),
        ({**JOINT, "network": {**JOINT["network"], "more": 1}}, "config.json: the network cannot be built"),
        ({**JOINT, "crop": "wide"}, "config.json: expected numbers short_side and crop"),
        ({**JOINT, "network": {**JOINT["network"], "classes": 13}}, r"expected as \(13, 128\)"),
    ]:
        (tmp_path / "joint" / "config.json").write_text(json.dumps(config))
        with pytest.raises(HlfError, match=words):
            load_joint("mini", tmp_path)


def test_an_output_that_is_no_number_is_never_a_value() -> None:
    network = networks()[1]
    network.quality_T[1].bias.data[0] = float("inf")
    with pytest.raises(HlfError, match="JOINT gave inf for technical"):
        JointMetric(network, (110, 64), None, True, "mini", "w" * 64)(picture(8, 8), 1)


def test_gradients_reach_every_weight_so_that_it_can_be_trained() -> None:
    network = net.build(JOINT)
    torch.stack(network(torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64))).square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
