"""Checkpoints: what loads, and what the sentence says when a file is missing, broken or of another model."""

import hashlib
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hlf.errors import HlfError
from hlf.nets import basicsr_adapter
from hlf.sr.bsrgan import from_official
from hlf.sr.registry import load_upscaler
from hlf.zoo.entries import ENTRIES
from hlf.zoo.load import load_strict, read_config, read_state, unwrap
from hlf.zoo.registry import find_weights, weights_sha256
from sr_helpers import tiny_zoo


def net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_every_wrapper_and_format_gives_the_same_weights(tmp_path):
    state = net().state_dict()
    save_file(state, tmp_path / "a.safetensors")
    for name, content in [
        ("b.pth", state),
        ("c.pt", {"params_ema": state, "params": {}}),
        ("d.bin", {"params": state}),
    ]:
        torch.save(content, tmp_path / name)
    for name in ("a.safetensors", "b.pth", "c.pt", "d.bin"):
        read = read_state(tmp_path / name)
        other = net()
        load_strict(other, read, name)
        assert read.keys() == state.keys() and all(torch.equal(read[k], state[k]) for k in state)
        assert all(torch.equal(other.state_dict()[k], state[k]) for k in state)
    assert unwrap({"mine": state, "params": {}}, ("mine",)).keys() == state.keys()


def test_half_precision_files_are_widened(tmp_path):
    state = {k: v.half() if v.is_floating_point() else v for k, v in net().state_dict().items()}
    save_file(state, tmp_path / "half.safetensors")
    other = net()
    load_strict(other, read_state(tmp_path / "half.safetensors"), "half")
    assert other[0].weight.dtype == torch.float32 and torch.equal(other[0].weight, state["0.weight"].float())


class Trap:
    def __reduce__(self):
        return (eval, ("1/0",))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("content", ["empty", "text", "truncated", "code", "list", "scalars", "nothing"])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, suffix, content):
    path = tmp_path / f"weights{suffix}"
    if content == "truncated":
        save_file(net().state_dict(), path) if suffix == ".safetensors" else torch.save(net().state_dict(), path)
        path.write_bytes(path.read_bytes()[:-200])
    elif content in ("list", "scalars", "nothing"):
        torch.save({"list": [1, 2], "scalars": {"epoch": 3}, "nothing": {}}[content], path)
    else:
        path.write_bytes({"empty": b"", "text": b"<html>Not Found</html>" * 9, "code": pickle.dumps(Trap())}[content])
    with pytest.raises(HlfError, match=r"weights\.") as caught:
        read_state(path)
    assert "\n" not in str(caught.value)


def test_missing_file_and_unknown_suffix(tmp_path):
    with pytest.raises(HlfError, match=r"gone.pth does not exist"):
        read_state(tmp_path / "gone.pth")
    (tmp_path / "x.onnx").write_bytes(b"1")
    with pytest.raises(HlfError, match=r"expected a name ending in .safetensors"):
        read_state(tmp_path / "x.onnx")


def change(state, how):
    state = dict(state)
    if how == "missing":
        del state["1.weight"]
    elif how == "unexpected":
        state["2.extra"] = torch.zeros(5)
    elif how == "shape":
        state["0.bias"] = torch.zeros(7)
    elif how == "type":
        state["0.bias"] = torch.zeros(4, dtype=torch.int64)
    else:
        state["0.weight"] = torch.full((4, 3, 3, 3), float("nan"))
    return state


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("missing", r"lacks key '1.weight', expected with shape \(4,\) \(1 of 7 missing\)"),
        ("unexpected", r"unexpected key '2.extra' of shape \(5,\)"),
        ("shape", r"'0.bias' expected as \(4,\) torch.float32, received \(7,\)"),
        ("type", r"'0.bias' expected as \(4,\) torch.float32, received \(4,\) torch.int64"),
        ("nan", r"'0.weight' holds NaN"),
    ],
)
def test_strict_loading_names_the_key_and_changes_nothing(how, words):
    module = net()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    with pytest.raises(HlfError, match=words):
        load_strict(module, change(net().state_dict(), how), "w.pth")
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())


def test_foreign_key_names_are_told_in_the_words_of_the_official_file(tmp_path):
    zoo = tiny_zoo(tmp_path)
    weights = zoo / "bsrgan" / "model.safetensors"
    save_file(from_official(read_state(weights)), weights)
    with pytest.raises(HlfError, match=r"lacks key 'RRDB_trunk.0.RDB1.conv1.weight'"):
        load_upscaler("bsrgan", "mini", zoo, "cpu", "fp32", {})


@pytest.mark.parametrize("text", ["{", "[1]", "{}", '{"window_size": 8, "embed_dims": 8}'])
def test_broken_config_of_a_mini_model_is_named(tmp_path, text):
    zoo = tiny_zoo(tmp_path)
    (zoo / "swinir" / "config.json").write_text(text)
    with pytest.raises(HlfError, match=r"config.json"):
        load_upscaler("swinir", "mini", zoo, "cpu", "fp32", {})
    (zoo / "swinir" / "config.json").write_text('{"window_size": 8}')
    assert read_config(zoo / "swinir" / "config.json", ("window_size",)) == {"window_size": 8}


@pytest.mark.parametrize(("zoo", "name"), list(ENTRIES))
def test_missing_weights_name_file_source_licence_and_folder(tmp_path, zoo, name):
    with pytest.raises(HlfError) as caught:
        find_weights(zoo, tmp_path, name)
    entry = ENTRIES[zoo, name]
    first = tmp_path / entry.files[0]
    for words in (str(first), entry.source, entry.licence, f"put {first.name} into {first.parent}"):
        assert words in str(caught.value)
    for file in entry.files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("x")
    assert find_weights(zoo, tmp_path, name) == [tmp_path / file for file in entry.files]


def test_the_other_zoo_is_never_used(tmp_path):
    with pytest.raises(HlfError, match=r"zoo 'official' lacks the weights of 'bsrgan'.*BSRGAN.pth"):
        load_upscaler("bsrgan", "official", tiny_zoo(tmp_path), "cpu", "fp32", {})
    with pytest.raises(HlfError, match="zoo 'mini' has no model 'swinir-l'"):
        load_upscaler("swinir", "mini", tmp_path, "cpu", "fp32", {"variant": "L"})
    with pytest.raises(HlfError, match="zoo 'maxi' is unknown"):
        find_weights("maxi", tmp_path, "bsrgan")


def test_digest_of_one_and_of_several_files(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    one = weights_sha256([tmp_path / "a"])
    both = weights_sha256([tmp_path / "a", tmp_path / "b"])
    assert one == hashlib.sha256(b"1").hexdigest()
    assert both == weights_sha256([tmp_path / "b", tmp_path / "a"]) != one
    (tmp_path / "b").write_bytes(b"3")
    assert weights_sha256([tmp_path / "a", tmp_path / "b"]) != both


def test_without_basicsr_the_install_command_is_told(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "basicsr.archs.rrdbnet_arch", None)
    with pytest.raises(HlfError, match=r"pip install --no-deps --no-build-isolation basicsr==1.4.2"):
        basicsr_adapter.rrdbnet(num_in_ch=3, num_out_ch=3)
    with pytest.raises(HlfError, match="cannot be built"):
        basicsr_adapter.swinir(upscale=3, upsampler="nearest+conv")


def test_discriminator_gives_one_logit_per_pixel():
    network = basicsr_adapter.unet_discriminator(num_in_ch=3, num_feat=4)
    assert network(torch.zeros(2, 3, 16, 24)).shape == (2, 1, 16, 24)
