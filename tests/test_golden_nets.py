"""BSRGAN and SwinIR against outputs of the official code, full-size key lists, and spandrel as a second opinion."""

import functools
import json
import zlib

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from hlf.errors import HlfError
from hlf.images import from_tensor, to_tensor
from hlf.nets.basicsr_adapter import rrdbnet, swinir
from hlf.sr import bsrgan
from hlf.sr import swinir as swinir_model
from hlf.sr.registry import load_upscaler
from hlf.zoo.entries import ENTRIES
from sr_helpers import write_model
from vectors import key_list, vector_dir

FOLDER = vector_dir("bsrgan")
NETS = json.loads((FOLDER / "manifest.json").read_text())["nets"]
FILES = {"rrdbnet_x4": "bsrgan", "swinir_m_real_x4": "swinir", "swinir_l_real_x4": "swinir-l"}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def close(name, ours, theirs):
    """Tolerance of the manifest: 1e-4 of the larger of 1 and the peak (other CPU types round differently)."""
    worst = float((ours - theirs).abs().max())
    print(f"{name}: largest difference {worst:.3g}")
    assert ours.shape == theirs.shape
    assert worst <= 1e-4 * max(1.0, float(theirs.abs().max()))


def close_uint8(name, ours, theirs):
    """Tolerance of the manifest: one grey level on at most 0.5 % of the values."""
    off = np.abs(ours.astype(int) - theirs.astype(int))
    print(f"{name}: {(off > 0).mean():.3%} of the values differ, by at most {off.max()}")
    assert off.max() <= 1 and (off > 0).mean() <= 0.005


def tiny(name):
    """Configuration, state dict with official names, and the recorded arrays of one tiny network."""
    arrays = load_file(FOLDER / f"{name}.safetensors")
    state = {k[2:]: v for k, v in arrays.items() if k.startswith("w/")}
    return NETS[name]["cfg"], state, {k: v for k, v in arrays.items() if not k.startswith("w/")}


def rrdb_cfg(cfg):
    return {
        "num_in_ch": cfg["in_nc"], "num_out_ch": cfg["out_nc"], "scale": cfg["sf"], "num_feat": cfg["nf"],
        "num_block": cfg["nb"], "num_grow_ch": cfg["gc"],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["rrdb_tiny_x4", "rrdb_tiny_gc32_x4"])
def test_golden_bsrgan_tiny(name, tmp_path):
    cfg, state, io = tiny(name)
    write_model(tmp_path / "bsrgan", rrdb_cfg(cfg), state)
    model = load_upscaler("bsrgan", "mini", tmp_path, "cpu", "fp32", {})
    seen = {}
    for part, layer in (("conv_first", model.network.conv_first), ("rrdb0", model.network.body[0])):
        layer.register_forward_hook(lambda _m, _i, out, part=part: seen.update({part: out.clone()}))
    close(name, model.forward(io["x"]), io["y"])
    for part, value in seen.items():
        close(f"{name}/{part}", value, io[part])
    close(f"{name} clamped", model.upscale(io["x"], [0]), io["y"].clamp(0, 1))
    sr = model.upscale(to_tensor(io["lr_u8"].numpy())[None], [0])[0]
    close_uint8(name, from_tensor(sr), io["sr_u8"].numpy())


def test_golden_bsrgan_x2_file_is_refused(tmp_path):
    """basicsr unshuffles pixels at scale 2, the official x2 network does not: such a file must not load by accident."""
    cfg, state, _ = tiny("rrdb_tiny_x2")
    write_model(tmp_path / "bsrgan", rrdb_cfg(cfg), state)
    with pytest.raises(HlfError, match=r"conv_first.weight.*\(8, 12, 3, 3\).*received \(8, 3, 3, 3\)"):
        load_upscaler("bsrgan", "mini", tmp_path, "cpu", "fp32", {})


@pytest.mark.parametrize("name", ["rrdb_tiny_x4", "rrdb_tiny_gc32_x4"])
def test_golden_bsrgan_names_round_trip(name):
    cfg, state, _ = tiny(name)
    renamed = bsrgan.from_official(state)
    assert set(renamed) == set(rrdbnet(**rrdb_cfg(cfg)).state_dict())
    back = bsrgan.to_official(renamed)
    assert list(back) == list(state) and all(back[k] is state[k] for k in state)


@pytest.mark.parametrize("name", ["swinir_tiny_m", "swinir_tiny_l"])
def test_golden_swinir_tiny(name, tmp_path):
    cfg, state, io = tiny(name)
    write_model(tmp_path / "swinir", cfg, state)
    model = load_upscaler("swinir", "mini", tmp_path, "cpu", "fp32", {})
    for case in ("mult", "odd", "sq16"):
        close(f"{name}/{case}", model.forward(io[f"{case}/x"]), io[f"{case}/script"])
    sr = model.upscale(to_tensor(io["lr_u8"].numpy())[None], [0])[0]
    close_uint8(name, from_tensor(sr), io["sr_u8"].numpy())
    # the padding of the script is no detail: the bare network gives another picture
    assert (model.network(io["mult/x"]) - io["mult/script"]).abs().max() > 0.1


@pytest.mark.parametrize("name", ["swinir_tiny_m", "swinir_tiny_l", "swinir_tiny_classical"])
def test_golden_swinir_network(name):
    cfg, state, io = tiny(name)
    network = swinir(**cfg).eval()
    network.load_state_dict(state)
    with torch.no_grad():
        close(name, network(io["mult/x"]), io["mult/forward"])


@functools.lru_cache(maxsize=1)
def build(name):
    """Full-size network in float32 with random weights, and its state dict under the names of the official file."""
    if name == "rrdbnet_x4":
        network = rrdbnet(**bsrgan.OFFICIAL)
        return network, bsrgan.to_official(network.state_dict())
    network = swinir(**swinir_model.OFFICIAL["M" if "_m_" in name else "L"])
    return network, network.state_dict()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("rrdbnet_x4", id="golden_bsrgan"),
        pytest.param("swinir_m_real_x4", id="golden_swinir_m"),
        pytest.param("swinir_l_real_x4", id="golden_swinir_l"),
    ],
)
def test_golden_full_size_keys(name):
    manifest = key_list("bsrgan", name)
    # SwinIR reads numbers out of tensors while it is built, which the meta device cannot
    with torch.device("meta" if name == "rrdbnet_x4" else "cpu"):
        network, state = build.__wrapped__(name)
    ours = {key: [list(value.shape), str(value.dtype).removeprefix("torch.")] for key, value in state.items()}
    assert ours == manifest["tensors"]
    assert list(ours) == list(manifest["tensors"])
    assert sum(p.numel() for p in network.parameters()) == manifest["n_parameters"]


def recipe(name, state):
    """Fill a full-size state dict as the manifest's full_size_weight_recipe says."""
    seed, gain, total = NETS[name]["seed"], NETS[name]["gain"], 0.0
    filled = dict(state)
    for key, value in state.items():
        if key.endswith(("relative_position_index", "attn_mask")):
            continue
        shape = tuple(value.shape)
        draw = np.random.RandomState((zlib.crc32(key.encode()) ^ seed) % 2**32).standard_normal(shape)
        r = draw.astype(np.float32)
        if key.endswith("relative_position_bias_table"):
            r = np.float32(0.5) * r
        elif r.ndim >= 2:
            r = r * np.float32(gain / np.sqrt(np.prod(shape[1:])))
        elif ".norm" in key or key.startswith("norm."):
            r = (1 if key.endswith("weight") else 0) + np.float32(0.1) * r
        else:
            r = np.float32(0.05) * r
        total += float(np.abs(r.astype(np.float64)).sum())
        filled[key] = torch.from_numpy(r.astype(np.float32))
    assert total == pytest.approx(NETS[name]["sum_weights"], rel=1e-6), "the recipe was not followed"
    return filled


def official_model(name, folder):
    """Upscaler loaded from a file saved exactly as the published one, and that file."""
    _, state = build(name)
    state = recipe(name, state)
    path = folder / ENTRIES["official", FILES[name]].files[0]
    torch.save(state if name == "rrdbnet_x4" else {"params_ema": state}, path)
    options = {} if name == "rrdbnet_x4" else {"variant": "L" if "_l_" in name else "M"}
    return load_upscaler(FILES[name].removesuffix("-l"), "official", folder, "cpu", "fp32", options), path


def second_opinion(path, x):
    """Output of spandrel's own network for the same file; (N, 3, 4h, 4w), not clamped."""
    spandrel = pytest.importorskip("spandrel", reason="spandrel judges the loading; pip install spandrel")
    network = spandrel.ModelLoader("cpu").load_from_file(path).model.eval()
    with torch.no_grad():
        return network(x)


def test_golden_bsrgan_full_size_official_file_and_spandrel(tmp_path):
    model, path = official_model("rrdbnet_x4", tmp_path)
    io = {k: torch.from_numpy(v) for k, v in np.load(FOLDER / "full_io.npz").items()}
    ours = model.forward(io["x"])
    close("BSRGAN full size", ours, io["rrdbnet_x4/y"])
    close("BSRGAN against spandrel", ours, second_opinion(path, io["x"]))
    assert model.descriptor.zoo == "official" and len(model.descriptor.weights_sha256) == 64


@pytest.mark.parametrize("name", ["swinir_m_real_x4", "swinir_l_real_x4"])
def test_golden_swinir_full_size_official_file_and_spandrel(name, tmp_path):
    model, path = official_model(name, tmp_path)
    io = {k: torch.from_numpy(v) for k, v in np.load(FOLDER / "full_io.npz").items()}
    script = model.forward(io["x_odd"])
    close(f"{name} official script", script, io[f"{name}/script_odd"])
    padded = swinir_model.pad(io["x_odd"], 8)
    close(f"{name} against spandrel", script, second_opinion(path, padded)[..., :52, :72])
    # `y` is the network alone, which pads by reflection to a multiple of 8: 16x20 -> 16x24
    if "_m_" in name:  # L takes seconds, and M has said it
        bare = model.network(torch.nn.functional.pad(io["x"], (0, 4, 0, 0), "reflect"))[..., :80]
        close(f"{name} network", bare, io[f"{name}/y"])
