"""Weights of PASD: what the sentence says when a file is missing, broken or of another model."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from hlf.errors import HlfError
from hlf.files import read_json, write_json
from hlf.nets import pasd as nets
from hlf.zoo.registry import find_all_weights, with_needs
from pasd_helpers import load, tiny_pasd_zoo


@pytest.fixture
def own_zoo(tmp_path):
    """A zoo that a test may spoil."""
    return tiny_pasd_zoo(tmp_path / "zoo")


def test_every_needed_entry_is_named_before_anything_is_read(own_zoo):
    assert with_needs("mini", "pasd") == ["pasd", "sd-base", "coca"]
    for name, paths in find_all_weights("mini", own_zoo, "pasd").items():
        for path in paths:
            away = path.rename(path.with_name("away"))
            with pytest.raises(HlfError, match=f"lacks the weights of '{name}': {path} does not exist; source:"):
                load(own_zoo)
            away.rename(path)


@pytest.mark.parametrize("file", ["pasd/unet", "pasd/controlnet", "coca"])
@pytest.mark.parametrize("how", ["truncated", "missing", "unexpected", "shape"])
def test_spoilt_weights_are_one_sentence_with_file_and_key(own_zoo, file, how):
    (path,) = (own_zoo / file).glob("*.safetensors")
    state = load_file(path)
    key = next(name for name in sorted(state) if state[name].ndim > 1)
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        changed = {
            "missing": {k: v for k, v in state.items() if k != key},
            "unexpected": {**state, "stranger.weight": torch.zeros(3)},
            "shape": {**state, key: torch.zeros(7, 3)},
        }
        save_file(changed[how], path)
    with pytest.raises(HlfError) as caught:
        load(own_zoo)
    sentence = str(caught.value)
    print(sentence)
    assert "\n" not in sentence and str(path) in sentence
    if how != "truncated":
        assert ("stranger.weight" if how == "unexpected" else key) in sentence


def test_words_of_another_captioner_are_refused(own_zoo):
    (own_zoo / "coca/words.txt").write_text("a\nb")
    with pytest.raises(HlfError, match=r"words.txt holds 2 tokens, expected 11 for .*model.safetensors"):
        load(own_zoo)


def test_networks_of_another_size_are_refused(own_zoo):
    config = own_zoo / "pasd/controlnet/config.json"
    smaller = {**read_json(config), "conditioning_embedding_out_channels": [4, 8]}
    write_json(config, smaller)
    save_file(nets.controlnet(smaller).state_dict(), config.with_name("diffusion_pytorch_model.safetensors"))
    with pytest.raises(HlfError, match=r"reads images 2 times as large as the latent, the VAE in .*makes them 4 times"):
        load(own_zoo)
