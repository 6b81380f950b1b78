"""Learned measures of the official zoo: found in its folder only, checked, and equal to what pyiqa gives."""

import socket

import numpy as np
import pytest
import torch

from hlf.errors import HlfError
from hlf.iqa.features import Remembered
from hlf.iqa.picture import Picture
from hlf.iqa.registry import Source, load_measure
from official_iqa import write_clip, write_dists, write_lpips

WRITERS = {"lpips": write_lpips, "dists": write_dists, "clipiqa": write_clip}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("official")
    for write in WRITERS.values():
        write(folder)
    return folder


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a measure reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def pictures(count=3):
    rng = np.random.default_rng(5)
    return [Picture(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8), str(i)) for i in range(count)]


@pytest.mark.parametrize("name", list(WRITERS))
def test_values_do_not_depend_on_order_and_are_pyiqas_own(zoo, name):
    measure = load_measure(name, Source("official", zoo))
    gt, first, second = pictures()
    before = [measure(sr, gt)[name] for sr in (first, second, first)]
    assert before[0] == before[2] != before[1]
    other = [measure(first, second)[name], measure(first, gt)[name]]
    assert other[1] == before[0]
    fresh = load_measure(name, Source("official", zoo))
    assert fresh(second, gt)[name] == before[1]
    if name != "clipiqa":
        assert other[0] != before[0] and measure(gt, gt)[name] == pytest.approx(0, abs=1e-6)
        # pyiqa's metric without our memory of the GT
        plain = fresh.distance
        part = plain.net.net if name == "lpips" else plain.net
        attribute = "forward" if name == "lpips" else "forward_once"
        setattr(part, attribute, getattr(part, attribute).function)
        assert float(plain(first.tensor, gt.tensor)) == before[0]


def test_features_of_the_gt_are_computed_once(zoo):
    measure = load_measure("lpips", Source("official", zoo))
    calls = []
    memory = measure.distance.net.net.forward
    inner = memory.function
    memory.function = lambda x: calls.append(1) or inner(x)
    gt, first, second = pictures()
    for sr in (first, second, first):
        measure(sr, gt)
    assert len(calls) == 4, "one GT and three SR pictures, of which the first was forgotten"


def test_memory_keeps_the_last_two():
    calls = []
    memory = Remembered(lambda x: calls.append(float(x.sum())) or x * 2)
    a, b, c = (torch.full((1, 1), float(v)) for v in (1, 2, 3))
    for x in (a, b, a, c, a, b):
        assert torch.equal(memory(x.clone()), x * 2)
    assert calls == [1, 2, 3, 2]


@pytest.mark.parametrize(
    ("name", "file", "content", "words"),
    [
        ("lpips", "LPIPS_v0.1_alex-df73285e.pth", {"lin0.model.1.weight": torch.zeros(1, 8, 1, 1)}, "expected as"),
        ("lpips", "LPIPS_v0.1_alex-df73285e.pth", {"weights": torch.zeros(2)}, "lacks key 'lin0.model.1.weight'"),
        ("lpips", "alexnet-owt-7be5be79.pth", {"features.0.weight": torch.zeros(2)}, "do not make a lpips"),
        ("dists", "DISTS_weights-f5e65c96.pth", {"alpha": torch.zeros(1, 1475, 1, 1)}, "lacks key 'beta'"),
        ("clipiqa", "RN50.pt", {"visual.proj": torch.zeros(2)}, "TorchScript archive"),
    ],
)
def test_wrong_files_are_one_sentence(tmp_path, name, file, content, words):
    WRITERS[name](tmp_path)
    torch.save(content, tmp_path / file)
    with pytest.raises(HlfError, match=words) as caught:
        load_measure(name, Source("official", tmp_path))(*pictures(2))
    assert file in str(caught.value)


@pytest.mark.parametrize("name", list(WRITERS))
def test_missing_files_are_named(tmp_path, name):
    with pytest.raises(HlfError, match=r"does not exist; source: .*licence"):
        load_measure(name, Source("official", tmp_path))
