"""Headers of checkpoints against what torch and safetensors load, and files that are none, or only in part."""

import pickle
import subprocess
import sys

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from safetensors.torch import load_file, save_file
from torch import nn

from hlf.zoo.assets import assets
from hlf.zoo.expected import Expected, expected, flat
from hlf.zoo.headers import Unreadable, read_headers
from hlf.zoo.shapes import Header
from stand_ins import write, write_file

TYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool, torch.int32)
SHAPES = st.lists(st.integers(0, 5), max_size=4)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12)
STATES = st.dictionaries(NAMES, st.tuples(SHAPES, st.sampled_from(TYPES)), min_size=1, max_size=6)


def tensors(state):
    return {name: torch.zeros(shape, dtype=dtype) for name, (shape, dtype) in state.items()}


def headers(state):
    return {name: Header(tuple(v.shape), str(v.dtype).removeprefix("torch.")) for name, v in state.items()}


def save(state, path, how):
    if how == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=how == "zip")
    return path


def loaded(path):
    return load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)


SUFFIX = {"safetensors": ".safetensors", "zip": ".pth", "legacy": ".bin"}


@pytest.mark.parametrize("how", list(SUFFIX))
@settings(max_examples=60, deadline=None)
@given(state=STATES)
def test_headers_are_what_is_loaded(tmp_path_factory, how, state):
    path = save(tensors(state), tmp_path_factory.mktemp("h") / f"w{SUFFIX[how]}", how)
    found = read_headers(path)
    assert found.tensors == headers(loaded(path)) and not found.program


@pytest.mark.parametrize("how", list(SUFFIX))
@settings(max_examples=40, deadline=None)
@given(state=STATES, cut=st.floats(0, 1, exclude_max=True))
def test_a_part_of_a_file_is_never_taken_for_the_whole(tmp_path_factory, how, state, cut):
    path = save(tensors({**state, "last": ([7], torch.float32)}), tmp_path_factory.mktemp("c") / f"w{SUFFIX[how]}", how)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * cut)])
    with pytest.raises(Unreadable):
        read_headers(path)


@pytest.mark.parametrize("how", ["zip", "legacy"])
def test_a_file_of_lightning_gives_its_tensors_and_nothing_of_its_training(tmp_path, how):
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    optimiser = torch.optim.Adam(module.parameters())
    module(torch.ones(1, 3, 8, 8)).sum().backward()
    optimiser.step()
    content = {
        "epoch": 3, "state_dict": module.state_dict(), "callbacks": {"a.Checkpoint": {"best": 0.1, "path": nn.ReLU()}},
        "optimizer_states": [optimiser.state_dict()], "parameter": nn.Parameter(torch.zeros(2)), "none": None,
        "view": torch.zeros(100)[10:13], "dtype": torch.float16, "device": torch.device("cpu"), "size": torch.Size([1]),
    }  # fmt: skip
    torch.save(content, tmp_path / "x.ckpt", _use_new_zipfile_serialization=how == "zip")
    found = read_headers(tmp_path / "x.ckpt").tensors
    assert found["state_dict"] == headers(module.state_dict())
    assert found["view"] == Header((3,), "float32") and found["parameter"] == Header((2,), "float32")
    assert not {"epoch", "callbacks", "none", "dtype", "device", "size"} & set(found)
    layout = Expected(headers(module.state_dict()), ("state_dict",))
    assert not layout.problem(found) and "lacks key '0.weight'" in Expected(layout.tensors, ("model",)).problem(found)


def test_an_archive_of_torchscript_gives_the_names_of_its_modules(tmp_path):
    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
            self.scale = nn.Parameter(torch.zeros(()))
            self.register_buffer("places", torch.zeros(4, dtype=torch.int64))
            self.sizes, self.name = [1, 2], "x"

        def forward(self, x):
            return self.body(x) * self.scale

    script = torch.jit.script(Whole())
    script.half().save(str(tmp_path / "w.pt"))
    found = read_headers(tmp_path / "w.pt")
    assert found.program and found.tensors == headers(torch.jit.load(str(tmp_path / "w.pt")).state_dict())


RAN = []


def run():
    RAN.append("ran")


class Trap:
    def __reduce__(self):
        return (run, ())


@pytest.mark.parametrize("how", ["zip", "legacy"])
def test_no_code_of_a_file_runs(tmp_path, how):
    state = {"weight": torch.zeros(2), "trap": Trap(), "eval": eval, "list": [Trap(), Trap()]}
    torch.save(state, tmp_path / "x.pth", _use_new_zipfile_serialization=how == "zip")
    assert read_headers(tmp_path / "x.pth").tensors == {"weight": Header((2,), "float32")} and not RAN
    torch.load(tmp_path / "x.pth", weights_only=False)
    assert RAN, "the trap works"
    RAN.clear()
    # a pickle that changes what it is given: attributes of classes and functions
    (tmp_path / "y.pth").write_bytes(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x04\x00\x00\x00evilK\x01s\x86b.")
    with pytest.raises(Unreadable):
        read_headers(tmp_path / "y.pth")
    assert read_headers(tmp_path / "x.pth").tensors == {"weight": Header((2,), "float32")}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.safetensors", b"", "does not begin as a safetensors file"),
        ("a.safetensors", b"\xff" * 64, "does not begin as a safetensors file"),
        (
            "a.safetensors",
            (100).to_bytes(8, "little") + b"{}",
            "ends within its header, after 10 bytes; it is truncated",
        ),
        ("a.safetensors", (2).to_bytes(8, "little") + b"[]", "has no header of safetensors"),
        ("a.safetensors", (2).to_bytes(8, "little") + b"{}x", "has 11 bytes, expected 10; something was appended"),
        ("a.pth", b"", "holds no tensors as torch saves them"),
        ("a.pth", b"<html>", "holds no tensors as torch saves them"),
        ("a.pth", pickle.dumps([1, 2]), "holds no tensors as torch saves them|is no checkpoint of torch"),
        ("a.pth", pickle.dumps(1) + pickle.dumps(2), "is no checkpoint of torch"),
        ("a.pth", b"PK\x03\x04" + b"\0" * 99, "lacks the directory at the end of its archive; it is truncated"),
    ],
)
def test_what_is_no_checkpoint_is_told(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unreadable, match=words) as caught:
        read_headers(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_zip_archive_of_something_else_is_told(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("a/readme.txt", "x")
    with pytest.raises(Unreadable, match=r"zip archive without the data.pkl of a checkpoint"):
        read_headers(tmp_path / "a.pth")


def test_a_damaged_archive_is_told_by_the_size_of_its_records(tmp_path):
    import zipfile

    torch.save({"a": torch.zeros(100)}, tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth") as old, zipfile.ZipFile(tmp_path / "b.pth", "w") as new:
        for record in old.infolist():
            data = old.read(record)
            new.writestr(record.filename, data[:-4] if record.filename.endswith("data/0") else data)
    with pytest.raises(Unreadable, match="has 396 bytes of a tensor of 400"):
        read_headers(tmp_path / "b.pth")


@pytest.mark.parametrize("name", ["bsrgan", "lpips", "dists", "clipiqa", "joint-detector", "dape", "afine", "koniqpp"])
def test_stand_ins_are_files_that_torch_itself_loads(tmp_path, name):
    write([name], tmp_path)
    for file in assets()[name].files:
        path = tmp_path / file.path
        found = read_headers(path)
        if file.format == "torchscript":
            assert found.program and found.tensors == headers(torch.jit.load(str(path)).state_dict())
            continue
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=file.keys not in ("alexnet", "vgg16"))
        inner = state.get("model", state)
        assert flat(found.tensors.get("model", found.tensors)) == headers(
            {f"{a}/{b}": v for a, part in inner.items() for b, v in part.items()} if name == "afine" else inner
        )
        assert not expected(file.keys)[0].problem(found.tensors)
        assert path.stat().st_blocks * 512 < 3 << 20 < path.stat().st_size + (5 << 20), "sparse"


PROBE = """
import re, sys, time
from pathlib import Path
from hlf.zoo.expected import expected
from hlf.zoo.headers import read_headers
started = time.process_time()  # of this process alone: others may keep the machine busy
assert not expected(sys.argv[2])[0].problem(read_headers(Path(sys.argv[1])).tensors)
seconds, status = time.process_time() - started, Path("/proc/self/status").read_text()
print(seconds, int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) // 1024, "torch" in sys.modules)
"""


@pytest.mark.parametrize(("name", "number"), [("stablesr", 0), ("seesr", 1)])
def test_five_gigabytes_are_looked_at_in_a_second_and_in_little_memory(tmp_path, name, number):
    file = assets()[name].files[number]
    path = write_file(file, tmp_path)
    assert path.stat().st_size > 4.5e9
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(path), file.keys], capture_output=True, text=True, timeout=60, check=True
    )
    seconds, megabytes, torch_was_loaded = done.stdout.split()
    print(f"{path.name}: {path.stat().st_size / 1e9:.2f} GB in {seconds} s, {megabytes} MB")
    assert float(seconds) < 3 and int(megabytes) < 150 and torch_was_loaded == "False"
