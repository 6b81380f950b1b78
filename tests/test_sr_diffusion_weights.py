"""Weights of every diffusion model: what the sentence says when a file is missing, broken or of another model."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from diffusion_helpers import ZOOS, load
from hlf.errors import HlfError
from hlf.files import read_json, write_json
from hlf.nets import pasd, seesr
from hlf.sr import pasd_networks, seesr_networks
from hlf.sr.diffusion.base_model import BaseFiles
from hlf.zoo.registry import find_all_weights, with_needs

NEEDS = {
    "seesr": ["seesr", "sd-base", "sd-unet", "ram", "dape"],
    "pasd": ["pasd", "sd-base", "sd-unet", "coca"],
    "stablesr": ["stablesr", "sd-base", "sd-unet"],
}
FOLDERS = {
    "seesr": ["seesr/unet", "seesr/controlnet", "sd-base/unet", "sd-base/vae", "sd-base/text_encoder", "ram", "dape"],
    "pasd": ["pasd/unet", "pasd/controlnet", "sd-base/unet", "coca"],
    "stablesr": ["stablesr/structure", "stablesr/cfw", "sd-base/unet", "sd-base/vae"],
}
HOWS = ("truncated", "missing", "unexpected", "shape", "nan")


@pytest.mark.parametrize("name", list(ZOOS))
def test_every_needed_entry_is_named_before_anything_is_read(tmp_path, name):
    zoo = ZOOS[name](tmp_path / "zoo")
    assert with_needs("mini", name) == NEEDS[name]
    for entry, paths in find_all_weights("mini", zoo, name).items():
        for path in paths:
            away = path.rename(path.with_name("away"))
            with pytest.raises(HlfError, match=f"lacks the weights of '{entry}': {path} does not exist; source:"):
                load(name, zoo)
            away.rename(path)


@pytest.mark.parametrize(
    ("name", "folder", "how"), [(name, folder, how) for name in ZOOS for folder in FOLDERS[name] for how in HOWS]
)
def test_spoilt_weights_are_one_sentence_with_file_and_key(tmp_path, name, folder, how):
    zoo = ZOOS[name](tmp_path / "zoo")
    (path,) = (zoo / folder).glob("*.safetensors")
    state = load_file(path)
    key = next(one for one in sorted(state) if state[one].ndim > 1)
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        changed = {
            "missing": {k: v for k, v in state.items() if k != key},
            "unexpected": {**state, "stranger.weight": torch.zeros(3)},
            "shape": {**state, key: torch.zeros(7, 3)},
            "nan": {**state, key: state[key] * torch.nan},
        }
        save_file(changed[how], path)
    with pytest.raises(HlfError) as caught:
        load(name, zoo)
    sentence = str(caught.value)
    print(sentence)
    # transformers reads the folder of the base, and names tensors without their outermost module
    whole = folder == "sd-base/text_encoder"
    assert "\n" not in sentence and str(zoo / "sd-base" if whole else path) in sentence
    if how != "truncated":
        wanted = "stranger.weight" if how == "unexpected" else key
        assert (wanted.split(".", 1)[-1] if whole and how != "unexpected" else f"'{wanted}'") in sentence


@pytest.mark.parametrize(("name", "nets"), [("seesr", seesr), ("pasd", pasd)])
def test_networks_of_another_size_are_refused(tmp_path, name, nets):
    zoo = ZOOS[name](tmp_path / "zoo")
    config = zoo / name / "controlnet/config.json"
    smaller = {**read_json(config), "conditioning_embedding_out_channels": [4, 8]}
    write_json(config, smaller)
    with pytest.raises(HlfError, match="controlnet_cond_embedding"):
        load(name, zoo)
    save_file(nets.controlnet(smaller).state_dict(), config.with_name("diffusion_pytorch_model.safetensors"))
    with pytest.raises(HlfError, match=r"reads images 2 times as large as the latent, the VAE in .*makes them 4 times"):
        load(name, zoo)


def unet_of(name, files):
    """Names to values of the denoiser that these files, by zoo entry, hold."""
    base = BaseFiles(*files["sd-base"])
    networks = {
        "seesr": lambda: seesr_networks.load_networks(files, "cpu", "fp32", False),
        "pasd": lambda: pasd_networks.load_networks(files, base, "cpu", "fp32", False),
    }[name]()
    return networks.unet.state_dict()


@pytest.mark.parametrize("name", ["seesr", "pasd"])
def test_the_base_completes_a_mini_denoiser_and_never_a_whole_one(tmp_path, name):
    files = find_all_weights("mini", ZOOS[name](tmp_path), name)
    path, base = files[name][1], files["sd-unet"][1]
    own, rest = load_file(path), load_file(base)
    mini = unet_of(name, files)
    assert own and rest and own.keys().isdisjoint(rest) and mini.keys() == own.keys() | rest.keys()
    assert all(torch.equal(mini[key], value) for key, value in {**own, **rest}.items())
    whole = {entry: paths for entry, paths in files.items() if entry != "sd-unet"}  # what official files are read with
    with pytest.raises(HlfError, match=f"checkpoint {path} lacks key '"):
        unet_of(name, whole)
    save_file({**own, **rest}, path)
    read = unet_of(name, whole)
    assert read.keys() == mini.keys() and all(torch.equal(read[key], value) for key, value in mini.items())
    with pytest.raises(
        HlfError, match=rf"{path} has key '.*\({len(rest)} such keys.* belongs to the base in {base}; exp"
    ):
        unet_of(name, files)
