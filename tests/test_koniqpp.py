"""KonIQ++: any picture gives five numbers, alone or among others, and a wrong file is named."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hlf.errors import HlfError
from hlf.iqa import koniqpp
from hlf.iqa.koniqpp import OUTPUTS, KonIQppMetric, load_koniqpp
from hlf.nets import koniqpp as net
from iqa_helpers import KONIQPP, PICTURES, networks, tiny_iqa
from sr_helpers import picture


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    return tiny_iqa(tmp_path_factory.mktemp("zoo"))


@pytest.fixture(scope="module")
def metric(zoo):
    return load_koniqpp("mini", zoo)


def test_all_outputs_come_from_one_forward_and_quality_from_k_and_b(metric) -> None:
    calls = []
    hook = metric.network.register_forward_hook(lambda _m, x, out: calls.append((x[0].shape, out[0].tolist())))
    values = metric(picture(40, 60))
    hook.remove()
    ((shape, raw),) = calls
    assert tuple(shape) == (1, 3, *KONIQPP["size"]) and tuple(values) == OUTPUTS
    assert values["quality"] == raw[0] * KONIQPP["k"] + KONIQPP["b"]
    assert [values[name] for name in OUTPUTS[1:]] == raw[1:]
    assert metric.zoo == "mini" and len(metric.weights_sha256) == 64


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_gives_numbers(metric, name) -> None:
    assert np.isfinite(list(metric(PICTURES[name]).values())).all()


@pytest.mark.parametrize(
    "image",
    [
        picture(8, 8).astype(np.float32) / 255,
        picture(8, 8)[:, :, 0],
        picture(8, 8)[:, :, :2],
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(metric, image) -> None:
    with pytest.raises(HlfError, match=r"KonIQ\+\+ got .* expected uint8 RGB \(H, W, 3\)"):
        metric(image)


def test_neighbours_and_order_change_nothing(metric) -> None:
    images = [picture(40, 60, phase) for phase in range(3)]
    alone = [load_metric(metric)(image) for image in images]
    assert [metric(image) for image in reversed(images)][::-1] == alone
    assert len({one["quality"] for one in alone}) == 3
    with torch.inference_mode():
        batch = metric.network(torch.cat([metric.preprocess(image) for image in images]))
    single = [[one[name] for name in OUTPUTS[1:]] for one in alone]
    np.testing.assert_allclose(batch[:, 1:].numpy(), single, rtol=1e-5, atol=1e-5)


def load_metric(metric):
    """The same metric without anything it may remember."""
    return KonIQppMetric(metric.network, metric.size, metric.k, metric.b, metric.zoo, metric.weights_sha256)


def test_the_factor_of_height_over_width_and_both_soft_poolings_count() -> None:
    x = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(1)) * 3
    weights = x.exp().sum(1)[0]
    mean = [float((x[0, c] * weights).sum() / weights.sum()) * 4 / 6 for c in range(3)]
    assert net.global_soft_pool(x)[0].tolist() == pytest.approx(mean, rel=1e-5)
    corner = weights[:2, :2]
    expected = float((x[0, 1, :2, :2] * corner).sum() / corner.sum())
    assert float(net.local_soft_pool(x)[0, 1, 0, 0]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("size", [(64, 95), (33, 64)])
def test_sides_that_do_not_halve_five_times_are_refused(metric, size) -> None:
    with pytest.raises(HlfError, match=rf"KonIQ\+\+ got {size[1]}x{size[0]} pixels, expected multiples of 32"):
        metric.network(torch.zeros(1, 3, *size))


def test_an_output_that_is_no_number_is_never_a_value() -> None:
    network = networks()[0]
    network.sub_dist.fc_q.bias.data[1] = float("nan")
    with pytest.raises(HlfError, match=r"KonIQ\+\+ gave nan for blur"):
        KonIQppMetric(network, (64, 96), 1.0, 0.0, "mini", "w" * 64)(picture(8, 8))


def test_gradients_reach_every_weight_so_that_it_can_be_trained() -> None:
    network = net.build(KONIQPP)
    network(torch.rand(2, 3, 64, 96)).square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


def test_a_config_of_another_network_is_named(zoo, tmp_path) -> None:
    folder = tmp_path / "koniqpp"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes((zoo / "koniqpp" / "model.safetensors").read_bytes())
    for config, words in [
        ({key: KONIQPP[key] for key in ("network", "size", "k")}, "config.json lacks b"),
        ({**KONIQPP, "network": {**KONIQPP["network"], "planes": "many"}}, r"config.json: the network cannot be built"),
        ({**KONIQPP, "network": {"stem": 8}}, r"config.json: the network cannot be built"),
        ({**KONIQPP, "size": 64}, r"config.json: expected size \[height, width\]"),
        ({**KONIQPP, "network": {**KONIQPP["network"], "stem": 4}}, r"'features.0.weight' expected as \(4, 3, 7, 7\)"),
    ]:
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(HlfError, match=words):
            load_koniqpp("mini", tmp_path)


@pytest.fixture
def official(tmp_path, monkeypatch):
    """Writes a file like the official one, but of the tiny network, and loads it."""
    monkeypatch.setattr(koniqpp.net, "OFFICIAL", KONIQPP["network"])
    state = networks()[0].state_dict()

    def load(content=None, **changes):
        file = {"model": state, "optimizer": {}, "k": [12.5, 1, 1], "b": [50.0, 0, 0]} | changes
        torch.save({k: v for k, v in file.items() if v is not None}, tmp_path / "koniqpp.pth")
        if content is not None:
            (tmp_path / "koniqpp.pth").write_bytes(content)
        return load_koniqpp("official", tmp_path)

    return load


def test_the_official_file_brings_its_scale(official, zoo) -> None:
    metric = official()
    assert (metric.size, metric.k, metric.b) == ((480, 640), 12.5, 50.0)
    metric.size = (64, 96)
    assert metric(picture(30, 30)) == load_koniqpp("mini", zoo)(picture(30, 30))


@pytest.mark.parametrize("key", ["k", "b"])
@pytest.mark.parametrize("value", [None, [], 3.0, "x", ["x"], [float("nan")]])
def test_a_file_without_its_scale_is_refused(official, key, value) -> None:
    with pytest.raises(HlfError, match=rf"koniqpp.pth.* '{key}'"):
        official(**{key: value})


def test_other_official_files_are_named(official) -> None:
    state = networks()[0].state_dict()
    with pytest.raises(HlfError, match=r"koniqpp.pth lacks key 'sub_q.fc_q.bias'"):
        official(model={k: v for k, v in state.items() if k != "sub_q.fc_q.bias"})
    spoiled = state | {"sub_q.fc_q.bias": torch.tensor([float("nan")])}
    with pytest.raises(HlfError, match=r"'sub_q.fc_q.bias' holds NaN"):
        official(model=spoiled)
    with pytest.raises(HlfError, match=r"koniqpp.pth cannot be read as tensors .*fetch it again"):
        official(b"<!DOCTYPE html><html>Sign in</html>" * 20)
    with pytest.raises(HlfError, match=r"koniqpp.pth is not a state dict"):
        official(model=None)


class Leftover:
    """Object of a training program."""


def test_a_file_with_foreign_objects_opens_only_on_request(official, tmp_path) -> None:
    with pytest.raises(HlfError, match=r"koniqpp.pth cannot be read .*set iqa\.trust_koniqpp_file to true"):
        official(amp=Leftover())
    assert load_koniqpp("official", tmp_path, trusted=True).k == 12.5


def test_half_precision_weights_are_taken(zoo, tmp_path) -> None:
    (tmp_path / "koniqpp").mkdir()
    (tmp_path / "koniqpp" / "config.json").write_text(json.dumps(KONIQPP))
    state = load_file(zoo / "koniqpp" / "model.safetensors")
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    save_file(half, tmp_path / "koniqpp" / "model.safetensors")
    ours, theirs = (load_koniqpp("mini", folder)(picture(40, 60)) for folder in (tmp_path, zoo))
    assert list(ours.values()) == pytest.approx(list(theirs.values()), rel=0.05, abs=0.05)
