"""PASD at the size of the golden vectors, and a mini zoo with random networks for everything else."""

import functools
import json

import torch
from safetensors.torch import load_file, save_file

from hlf.files import write_json
from hlf.nets import pasd as nets
from hlf.zoo.load import load_strict
from seesr_helpers import SCHEDULER, TINY_VAE, write_text_encoder, write_unet
from vectors import key_list, vector_dir

FOLDER = vector_dir("pasd")
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())
CONFIG, CASES = MANIFEST["config"], MANIFEST["cases"]


def read(name):
    """Arrays of one vector file; half-precision ones, which all weights are, as float32."""
    arrays = load_file(FOLDER / f"{name}.safetensors")
    return {k: v.float() if v.dtype == torch.float16 else v for k, v in arrays.items()}


def tolerance(name):
    """What the manifest allows for a vector file."""
    return MANIFEST["files"][f"{name}.safetensors"]["tolerance"]


def close(name, ours, theirs, allowed):
    """Print the largest difference, then hold it against the manifest's tolerance."""
    assert ours.shape == theirs.shape, f"{name}: {tuple(ours.shape)} and {tuple(theirs.shape)}"
    print(f"{name}: largest difference {float((ours - theirs).abs().max()):.3g}")
    assert torch.allclose(ours, theirs, rtol=allowed["rtol"], atol=allowed["atol"]), name


def close_levels(name, ours, theirs, allowed):
    """8-bit pictures: at most so many levels apart, and different in at most a share of the values."""
    off = (ours.int() - theirs.int()).abs()
    print(f"{name}: {float((off > 0).float().mean()):.3%} of the levels differ, by at most {int(off.max())}")
    assert off.max() <= allowed["u8_max_abs_diff"]
    assert (off > 0).float().mean() <= allowed["u8_max_fraction_different"]


def keys(name):
    """Names to shapes of a full-size key list, its head checked."""
    content = key_list("pasd", name)
    assert len(content["keys"]) == content["tensors"]
    return {k: tuple(shape) for k, (shape, _) in content["keys"].items()}


def shapes(network):
    """Names to shapes of a network."""
    return {k: tuple(v.shape) for k, v in network.state_dict().items()}


@functools.cache
def unet(kind="full"):
    """UNet of the vectors, full or light."""
    name = {"full": "unet_pasd_weights", "light": "unet_light_weights"}[kind]
    state = read(name)
    network = nets.unet(CONFIG["unet"], state)
    load_strict(network, state, name)
    return network.eval().requires_grad_(False)


@functools.cache
def controlnet():
    """ControlNet of the vectors."""
    network = nets.controlnet(CONFIG["controlnet"])
    load_strict(network, read("controlnet_weights"), "controlnet_weights")
    return network.eval().requires_grad_(False)


# --- a zoo in the layout of the mini zoo, far smaller than the vectors ---

TINY_UNET = {
    "sample_size": 8, "in_channels": 4, "out_channels": 4, "block_out_channels": [8, 16], "layers_per_block": 1,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "cross_attention_dim": 16, "attention_head_dim": 2, "norm_num_groups": 4, "use_linear_projection": True,
}  # fmt: skip
TINY_CONTROL = {
    **{k: v for k, v in TINY_UNET.items() if k not in ("sample_size", "out_channels", "up_block_types")},
    "conditioning_embedding_out_channels": [4, 8, 8], "use_rrdb": False,
}  # fmt: skip
WORDS = ["<pad>", "<start>", "a", "red", "sign", "star", "on", "blurry", "texture", "noisy", "<end>"]
TINY_COCA = {
    "embed_dim": 8,
    "vision_cfg": {
        "image_size": 16, "layers": 1, "width": 8, "head_width": 4, "patch_size": 8, "attentional_pool": True,
        "attn_pooler_queries": 4, "attn_pooler_heads": 2, "output_tokens": True,
    },
    "text_cfg": {
        "context_length": 31, "vocab_size": len(WORDS), "width": 8, "heads": 2, "layers": 1, "embed_cls": True,
        "output_tokens": True,
    },
    "multimodal_cfg": {
        "context_length": 31, "vocab_size": len(WORDS), "width": 8, "heads": 2, "layers": 1, "attn_pooler_heads": 2,
    },
}  # fmt: skip


def tiny_pasd_zoo(root):
    """Mini zoo with random, seeded networks of PASD, its base model and its captioner."""
    from diffusers import AutoencoderKL
    from open_clip import CoCa

    with torch.random.fork_rng():
        torch.manual_seed(4)
        unet_ = nets.unet(TINY_UNET)
        parts = {
            "pasd/controlnet": (TINY_CONTROL, nets.controlnet(TINY_CONTROL)),
            "sd-base/vae": (TINY_VAE, AutoencoderKL(**TINY_VAE)),
        }
        if not (root / "sd-base/text_encoder").exists():  # SeeSR's tiny zoo has the same
            write_text_encoder(root / "sd-base")
        torch.manual_seed(0)
        captioner = CoCa(**TINY_COCA)
        torch.nn.init.normal_(captioner.text_decoder.text_projection)  # open_clip leaves it as the memory was
    for parameter in parts["pasd/controlnet"][1].parameters():  # its outputs begin at zero
        parameter.data += 0.05
    for parameter in captioner.parameters():  # far from the start, so that pictures get captions of their own
        parameter.data *= 3
    write_unet(root, "pasd", TINY_UNET, unet_.state_dict(), nets.ADDED)
    for name, (config, network) in parts.items():
        write_json(root / name / "config.json", config)
        save_file(network.state_dict(), root / name / "diffusion_pytorch_model.safetensors")
    write_json(root / "sd-base/scheduler/scheduler_config.json", SCHEDULER)
    write_json(root / "coca/config.json", TINY_COCA)
    save_file(captioner.state_dict(), root / "coca/model.safetensors")
    (root / "coca/words.txt").write_text("\n".join(WORDS))
    return root
