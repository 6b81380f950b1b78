"""SeeSR at the size of the golden vectors: networks, inputs and what the manifest says of them."""

import functools
import json

import torch
from safetensors.torch import load_file

from hlf.nets import ram as ram_net
from hlf.nets import seesr as nets
from hlf.nets.ram_files import load_ram
from hlf.zoo.load import load_strict
from vectors import vector_dir

FOLDER = vector_dir("seesr")
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())
CASES, CONFIG = MANIFEST["cases"], MANIFEST["config"]


def read(name):
    """Arrays of one vector file."""
    return load_file(FOLDER / f"{name}.safetensors")


def close(name, ours, theirs, atol, rtol=0.0):
    """Print the largest difference, then hold it against the manifest's tolerance."""
    assert ours.shape == theirs.shape, f"{name}: {tuple(ours.shape)} and {tuple(theirs.shape)}"
    print(f"{name}: largest difference {float((ours - theirs).abs().max()):.3g}")
    assert torch.allclose(ours, theirs, rtol=rtol, atol=atol), name


def image(array):
    """uint8 (3, H, W) or (N, 3, H, W) to float (N, 3, H, W) in [0, 1]."""
    return (array.float() / 255).reshape(-1, *array.shape[-3:])


@functools.cache
def unet():
    network = nets.unet(CONFIG["unet"])
    load_strict(network, read("unet"), "unet")
    return network.eval()


@functools.cache
def controlnet():
    own = {"conditioning_channels": 3, **{k: v for k, v in CONFIG["controlnet"].items() if k != "rest"}}
    left_out = ("sample_size", "out_channels", "up_block_types")
    network = nets.controlnet({**{k: v for k, v in CONFIG["unet"].items() if k not in left_out}, **own})
    load_strict(network, read("controlnet"), "controlnet")
    return network.eval()


def vae():
    from diffusers import AutoencoderKL

    network = AutoencoderKL(**CONFIG["vae"])
    load_strict(network, read("vae"), "vae")
    return network.eval().requires_grad_(False)


def ram():
    """Tagger without adapter; a new one each time, since merging changes it."""
    network = ram_net.build(ram_config())
    load_ram(network, read("ram_base"), "ram_base")
    return network.eval().requires_grad_(False)


def ram_config():
    cfg = CONFIG["ram"]
    head = cfg["head"]
    return {
        "image_size": cfg["image_size"], "patch_size": cfg["patch"], "window_size": cfg["window"],
        "embed_dim": cfg["embed_dim"], "depths": cfg["depths"], "num_heads": cfg["num_heads"],
        "mlp_ratio": cfg["mlp_ratio"], "tags": cfg["num_tags"], "embed_width": cfg["proj_dim"],
        "head_layers": head["layers"], "head_width": head["hidden"], "head_heads": head["heads"],
        "head_intermediate": head["intermediate"], "head_eps": head["layer_norm_eps"],
    }  # fmt: skip
