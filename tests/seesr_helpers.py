"""SeeSR at the size of the golden vectors: networks, inputs and what the manifest says of them."""

import functools
import json
import string

import torch
from safetensors.torch import load_file, save_file

from hlf.files import write_json
from hlf.nets import ram as ram_net
from hlf.nets import seesr as nets
from hlf.nets.ram_files import load_ram, lora_shapes
from hlf.nets.stock import split
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


def controlnet_config():
    own = {"conditioning_channels": 3, **{k: v for k, v in CONFIG["controlnet"].items() if k != "rest"}}
    left_out = ("sample_size", "out_channels", "up_block_types")
    return {**{k: v for k, v in CONFIG["unet"].items() if k not in left_out}, **own}


@functools.cache
def controlnet():
    network = nets.controlnet(controlnet_config())
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


# --- a zoo in the layout of the mini zoo, far smaller than the vectors: factor 4, one step of work in milliseconds ---

TINY_UNET = {
    "sample_size": 8, "in_channels": 4, "out_channels": 4, "block_out_channels": [8, 16], "layers_per_block": 1,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "cross_attention_dim": 16, "attention_head_dim": [1, 2], "norm_num_groups": 4, "use_linear_projection": True,
    "use_image_cross_attention": True,
}  # fmt: skip
TINY_CONTROL = {
    **{k: v for k, v in TINY_UNET.items() if k not in ("sample_size", "out_channels", "up_block_types")},
    "conditioning_embedding_out_channels": [4, 8, 8],
}  # fmt: skip
TINY_VAE = {
    "block_out_channels": [8, 8, 8], "down_block_types": ["DownEncoderBlock2D"] * 3, "norm_num_groups": 4,
    "up_block_types": ["UpDecoderBlock2D"] * 3, "layers_per_block": 1, "latent_channels": 4, "scaling_factor": 0.2,
}  # fmt: skip
TINY_RAM = {
    "image_size": 32, "patch_size": 4, "window_size": 4, "embed_dim": 8, "depths": [2, 1], "num_heads": [1, 2],
    "tags": 5, "head_layers": 1, "head_width": 16, "head_heads": 2, "head_intermediate": 16,
}  # fmt: skip
SCHEDULER = {
    "_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000, "clip_sample": False, "steps_offset": 1, "prediction_type": "epsilon",
    "skip_prk_steps": True, "set_alpha_to_one": False,
}  # fmt: skip


def tiny_seesr_zoo(root):
    """Mini zoo with random, seeded networks of SeeSR, its base model, RAM and DAPE."""
    from diffusers import AutoencoderKL

    with torch.random.fork_rng():
        torch.manual_seed(3)
        unet_ = nets.unet(TINY_UNET)
        parts = {
            "seesr/controlnet": (TINY_CONTROL, nets.controlnet(TINY_CONTROL)),
            "sd-base/vae": (TINY_VAE, AutoencoderKL(**TINY_VAE)),
        }
        tagger = ram_net.build(TINY_RAM)
        lora = {k: 0.1 * torch.randn(shape) for k, shape in lora_shapes(tagger).items()}
        write_text_encoder(root / "sd-base")
    control = parts["seesr/controlnet"][1]
    for parameter in control.parameters():  # its outputs begin at zero, which would hide the condition
        parameter.data += 0.05
    write_unet(root, "seesr", TINY_UNET, unet_.state_dict(), nets.ADDED)
    for name, (config, network) in parts.items():
        write_json(root / name / "config.json", config)
        save_file(network.state_dict(), root / name / "diffusion_pytorch_model.safetensors")
    write_json(root / "sd-base/scheduler/scheduler_config.json", SCHEDULER)
    write_json(root / "ram/config.json", TINY_RAM)
    save_file(tagger.state_dict(), root / "ram/model.safetensors")
    (root / "ram/ram_tag_list.txt").write_text("cat\nred sign\ntree\nword\nstar")
    (root / "ram/ram_tag_list_threshold.txt").write_text("0.4\n0.5\n0.45\n0.55\n1.0")
    (root / "dape").mkdir()
    save_file(lora, root / "dape/model.safetensors")
    return root


def write_unet(root, name, config, state, added):
    """Denoiser of a mini model: what it added in its own folder, the rest in the base's in place of what is there."""
    plain = {key: value for key, value in config.items() if key != "use_image_cross_attention"}
    for folder, values, part in zip((name, "sd-base"), (config, plain), split(state, added), strict=True):
        write_json(root / folder / "unet/config.json", values)
        save_file(part, root / folder / "unet/diffusion_pytorch_model.safetensors")


def write_text_encoder(base):
    """CLIP text model and a tokenizer of single letters."""
    from transformers import CLIPTextConfig, CLIPTextModel

    letters = sorted(string.ascii_lowercase + string.digits + string.punctuation)
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (base / "tokenizer").mkdir(parents=True)
    write_json(base / "tokenizer/vocab.json", {token: i for i, token in enumerate(tokens)})
    (base / "tokenizer/merges.txt").write_text("#version: 0.2\n")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "!"}
    write_json(
        base / "tokenizer/tokenizer_config.json", {**special, "model_max_length": 77, "unk_token": "<|endoftext|>"}
    )
    write_json(base / "tokenizer/special_tokens_map.json", special)
    config = CLIPTextConfig(
        vocab_size=len(tokens), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=77, bos_token_id=len(tokens) - 2, eos_token_id=len(tokens) - 1, pad_token_id=0,
    )  # fmt: skip
    CLIPTextModel(config).save_pretrained(base / "text_encoder")
