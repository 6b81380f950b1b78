"""Weights of SeeSR: what loads, and what the sentence says when a file is missing, broken or of another model."""

import argparse
import functools

import pytest
import torch
from safetensors.torch import load_file, save_file

import diffusion_helpers
from diffusion_helpers import lr_batch
from hlf.errors import HlfError
from hlf.files import read_json, write_json
from hlf.nets.ram_files import read_tags
from hlf.sr.diffusion.tagger import load_tagger
from hlf.sr.registry import load_upscaler
from hlf.zoo.registry import weight_paths, with_needs
from seesr_helpers import tiny_seesr_zoo

load = functools.partial(diffusion_helpers.load, "seesr")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny_seesr_zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture
def own_zoo(tmp_path):
    """A zoo that a test may spoil."""
    return tiny_seesr_zoo(tmp_path / "zoo")


def test_older_file_names_and_pickles_load_the_same(own_zoo, zoo):
    for path in own_zoo.rglob("*.safetensors"):
        new = "pytorch_model.bin" if path.parent.name == "text_encoder" else "diffusion_pytorch_model.bin"
        if (
            path.parent.name in ("unet", "controlnet", "vae", "text_encoder")
            and path.parent != own_zoo / "sd-base/unet"
        ):
            torch.save(load_file(path), path.with_name(new))
            path.unlink()
    assert not list(own_zoo.glob("seesr/*/*.safetensors"))
    lr = lr_batch(1)
    assert torch.equal(load(own_zoo).upscale(lr, [5]), load(zoo).upscale(lr, [5]))


def test_old_attention_names_of_the_vae_are_understood(own_zoo, zoo):
    path = own_zoo / "sd-base/vae/diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = load_file(path)
    for new, word in old.items():
        state = {key.replace(f".{new}.", f".{word}."): value for key, value in state.items()}
    assert any(".proj_attn." in key for key in state)
    save_file(state, path)
    lr = lr_batch(1)
    assert torch.equal(load(own_zoo).upscale(lr, [5]), load(zoo).upscale(lr, [5]))


def test_tag_lists_must_fit_and_be_the_official_ones(own_zoo, tmp_path):
    thresholds = own_zoo / "ram/ram_tag_list_threshold.txt"
    thresholds.write_text("0.5\n0.5")
    with pytest.raises(HlfError, match=r"ram_tag_list.txt has 5 lines and .*threshold.txt 2"):
        load(own_zoo)
    thresholds.write_text("0.5\nhalf")
    with pytest.raises(HlfError, match="cannot be read: could not convert"):
        read_tags(own_zoo / "ram/ram_tag_list.txt", thresholds)
    official = tmp_path / "official"
    for name in with_needs("official", "seesr"):
        for path in weight_paths("official", official, name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("cat\ndog")
    with pytest.raises(HlfError, match=r"ram_tag_list.txt is not the official list"):
        load_upscaler("seesr", "official", official, "cpu", "fp32", {})


def test_padding_token_of_the_special_tokens_map_wins(own_zoo):
    """SD-2's two files disagree, and the texts it was trained on were padded with token 0, "!"."""
    path = own_zoo / "sd-base/tokenizer/tokenizer_config.json"
    write_json(path, {**read_json(path), "pad_token": "<|endoftext|>"})
    text = load(own_zoo).networks("fp32").text
    ids = text.tokenizer("cat", padding="max_length", max_length=77).input_ids
    assert len(ids) == 77 and ids[5:] == [0] * 72 and ids[4] == text.tokenizer.eos_token_id


def test_a_ram_file_with_other_objects_needs_an_explicit_yes(own_zoo, tmp_path):
    state = load_file(own_zoo / "ram/model.safetensors")
    lists = [own_zoo / "ram" / name for name in ("ram_tag_list.txt", "ram_tag_list_threshold.txt")]
    path = tmp_path / "ram_swin_large_14m.pth"
    torch.save({"model": state, "args": argparse.Namespace(lr=1)}, path)
    files = [own_zoo / "ram/config.json", path, *lists]
    with pytest.raises(
        HlfError, match=r"ram_swin_large_14m.pth cannot be read .*set sr\.seesr\.trust_ram_file to true"
    ):
        load_tagger("mini", files, [], "cpu", trusted=False)
    tagger = load_tagger("mini", files, [], "cpu", trusted=True)
    assert torch.equal(tagger.network.fc.weight, state["fc.weight"])
    # the usual content beside the model needs no such yes
    torch.save({"model": state, "optimizer": {"step": torch.ones(3)}, "epoch": 3}, path)
    load_tagger("mini", files, [], "cpu", trusted=False)
