"""Stand-ins for the assets of the paper's scale: official formats, full names and shapes, zeros, few bytes on the disk.

Checkpoints are sparse files, images hard links to one tiny picture. Their hashes are not those of the manifest, so a
copy of the project that is to take them for the real ones needs `forget_hashes`.
"""

import hashlib
import io
import json
import os
import re
import struct
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.serialization import skip_data

from hlf import config as hlf_config
from hlf.needs import by_table
from hlf.zoo.assets import File, assets
from hlf.zoo.expected import expected
from hlf.zoo.headers import _SAFETENSORS
from hlf.zoo.shapes import Header

CODES = {dtype: code for code, dtype in _SAFETENSORS.items()}
LEGACY = ("alexnet", "vgg16")  # published before torch 1.6
LINKS = 50_000  # of one file; file systems allow some 65,000
TAGS = 4585
# what a loader reads beside the tensors
BESIDE = {"koniqpp.pth": {"k": [1.0, 1.0, 1.0], "b": [0.0, 0.0, 0.0]}}
OUTER = {"003_": "params_ema", "stablesr": "state_dict", "vqgan": "state_dict", "ram_": "model", "koniqpp": "model"}

CLIP_TEXT = {
    "vocab_size": 49408, "max_position_embeddings": 77, "model_type": "clip_text_model", "hidden_act": "quick_gelu",
    "intermediate_size": 3072, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1, "layer_norm_eps": 1e-05,
}  # fmt: skip
VAE = {
    "in_channels": 3, "out_channels": 3, "layers_per_block": 2, "norm_num_groups": 32, "act_fn": "silu",
    "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4, "sample_size": 512,
}  # fmt: skip
NETWORK = {
    "in_channels": 4, "block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2, "norm_num_groups": 32,
    "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"], "attention_head_dim": 8, "act_fn": "silu",
}  # fmt: skip
UNET = {**NETWORK, "out_channels": 4, "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3]}
CONTROL = {**NETWORK, "conditioning_embedding_out_channels": [16, 32, 96, 256], "conditioning_channels": 3}
SEESR = {"attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True, "use_image_cross_attention": True}
SCHEDULER = {
    "_class_name": "PNDMScheduler", "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012,
    "beta_schedule": "scaled_linear", "prediction_type": "epsilon", "clip_sample": False, "steps_offset": 1,
}  # fmt: skip
# what stands in the .json files beside what the manifest asks for, by the end of their paths
CONFIGS = {
    "scheduler_config.json": SCHEDULER,
    "diffusion-2-base/text_encoder/config.json": {**CLIP_TEXT, "intermediate_size": 4096, "hidden_act": "gelu"},
    "text_encoder/config.json": CLIP_TEXT,
    "vae/config.json": VAE,
    "seesr/unet/config.json": {**UNET, **SEESR},
    "seesr/controlnet/config.json": {**CONTROL, **SEESR},
    "unet/config.json": UNET,
    "controlnet/config.json": {**CONTROL, "use_rrdb": False},
    "dinov2-giant/config.json": {
        "model_type": "dinov2",
        "image_size": 518,
        "num_attention_heads": 24,
        "use_swiglu_ffn": True,
    },
    "dinov2-large/config.json": {"model_type": "dinov2", "image_size": 518, "num_attention_heads": 16},
    "dinov2-small/config.json": {"model_type": "dinov2", "image_size": 518, "num_attention_heads": 6},
    "dinov2-base/config.json": {"model_type": "dinov2", "image_size": 518, "num_attention_heads": 12},
    "vit-base-patch16-224/config.json": {"model_type": "vit", "num_attention_heads": 12},
    "clip-vit-base-patch32/config.json": {"model_type": "clip", "vision_config": {"patch_size": 32}, "text_config": {}},
    "blip-itm-base-coco/config.json": {"model_type": "blip", "vision_config": {"image_size": 384}, "text_config": {}},
    "vocab.json": {"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2, "a": 3},
    "tokenizer_config.json": {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77},
    "special_tokens_map.json": {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>"},
}
TEXTS = {
    "ram_tag_list.txt": "\n".join(f"tag {i}" for i in range(TAGS)),
    "ram_tag_list_threshold.txt": "\n".join(["0.65"] * TAGS),
    "merges.txt": "#version: 0.2\n",
    "votes.csv": "participant,pair_id,answer\n",
}


def write(names, zoo, data="."):
    """Write stand-ins of assets, by name, into the folder of the official zoo and below that of the data."""
    for name in names:
        asset = assets()[name]
        for file in asset.files:
            write_file(file, Path(data if asset.kind == "data" else zoo))


def furnish(project, overlays=("config.paper.yaml",)):
    """Write all that a copy of the project needs for a configuration, at the places that it names; returns the names.

    The copy's manifest becomes one of stand-ins, so that its commands take them for the real files.
    """
    config = hlf_config.load(project, [project / name for name in overlays])
    names = list(by_table(config))
    write(names, project / config["zoo"]["official"], project)
    forget_hashes(project / "workflow_scripts/hlf/zoo/assets.yaml")
    return names


def write_file(file: File, base: Path, path: str = ""):
    """Write one file of an asset below `base`, or as an older `path` of it; returns where it is."""
    place = base / (path or file.path)
    place.parent.mkdir(parents=True, exist_ok=True)
    if file.images:
        return write_images(base / file.unpack, file.images)
    if file.format == "json":
        known = next(values for end, values in CONFIGS.items() if file.path.endswith(end))
        place.write_text(json.dumps({**known, **file.holds}), encoding="utf8")
    elif file.format in ("text", "csv"):
        place.write_text(next(text for end, text in TEXTS.items() if file.path.endswith(end)), encoding="utf8")
    elif place.suffix == ".safetensors":
        write_safetensors(place, expected(file.keys)[0].tensors)
    elif file.format == "torchscript":
        write_program(place, expected(file.keys)[0].tensors if file.keys else {})
    else:
        layout = expected(file.keys)[-1 if file.format == "safetensors" and "meta" in file.keys else 0]
        state = nested(layout.tensors)
        outer = next((key for start, key in OUTER.items() if place.name.startswith(start)), "")
        state = {outer: state} if outer else state
        write_torch(place, {**state, **BESIDE.get(place.name, {})}, legacy=file.keys in LEGACY)
    return place


def nested(tensors):
    """Headers of `outer/inner` names in dicts again."""
    found = {}
    for name, header in tensors.items():
        *outer, inner = name.split("/")
        place = found
        for key in outer:
            place = place.setdefault(key, {})
        place[inner] = header
    return found


def write_safetensors(path, tensors):
    """A safetensors file of zeros, sparse."""
    header, end = {}, 0
    for name, one in tensors.items():
        header[name] = {"dtype": CODES[one.dtype], "shape": one.shape, "data_offsets": [end, end + one.size]}
        end += one.size
    text = json.dumps(header).encode()
    with path.open("wb") as handle:
        handle.write(struct.pack("<Q", len(text)) + text)
        handle.truncate(8 + len(text) + end)


def made(value, make=torch.zeros):
    """Tensors in place of headers."""
    if isinstance(value, Header):
        return make(value.shape, dtype=getattr(torch, value.dtype))
    return {key: made(one, make) for key, one in value.items()} if isinstance(value, dict) else value


def write_torch(path, state, legacy=False):
    """A file of torch.save, sparse: the zip archive of today, or what torch wrote before 1.6."""
    if legacy:
        with HoleFile(path) as handle:
            torch.save(made(state), handle, _use_new_zipfile_serialization=False)
    else:
        # memory of empty tensors is never touched, so those of gigabytes cost nothing
        with skip_data():
            torch.save(made(state, torch.empty), path)


class Tree(nn.Module):
    """Tensors at dotted names."""

    def __init__(self, tensors):
        super().__init__()
        below = {}
        for name, header in tensors.items():
            first, dot, rest = name.partition(".")
            if dot:
                below.setdefault(first, {})[rest] = header
            else:
                self.register_buffer(first, made(header).half() if header.floating else made(header))
        for name, part in below.items():
            self.add_module(name, Tree(part))


class Detector(nn.Module):
    """What JOINT's detector of artifacts gives: a mask, here of none."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return [x.new_zeros(1, 224, 224)]


def write_program(path, tensors):
    """A TorchScript archive, sparse."""
    module = torch.jit.script(Tree(tensors) if tensors else Detector())
    with HoleFile(path) as handle:
        handle.write(module.save_to_buffer())


class HoleFile(io.RawIOBase):
    """A file that leaves holes where zeros are written."""

    BLOCK = 1 << 16

    def __init__(self, path):
        super().__init__()
        self.handle = Path(path).open("wb")  # noqa: SIM115
        self.zero = bytes(self.BLOCK)

    def writable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self.handle.tell()

    def seek(self, offset, whence=0):
        return self.handle.seek(offset, whence)

    def write(self, data):
        view = memoryview(data).cast("B")
        for start in range(0, len(view), self.BLOCK):
            block = view[start : start + self.BLOCK]
            if block == self.zero[: len(block)]:
                self.handle.seek(len(block), 1)
            else:
                self.handle.write(block)
        return len(view)

    def close(self):
        if not self.closed:
            self.handle.truncate()
            self.handle.close()
        super().close()


def write_images(folder, count):
    """A folder of tiny JPEG files with names like those of the data sets."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = io.BytesIO()
    Image.fromarray(np.full((6, 8, 3), 128, np.uint8)).save(picture, "JPEG")
    for i in range(count):
        path = folder / f"{i + 1:012d}.jpg"
        if i % LINKS == 0:
            first = path
            path.write_bytes(picture.getvalue())
        else:
            os.link(first, path)
    return folder


def forget_hashes(manifest):
    """Make a copy of assets.yaml a manifest of stand-ins: without hashes, but for those of our texts."""
    text = Path(manifest).read_text(encoding="utf8")
    for name, content in TEXTS.items():
        ours = hashlib.sha256(content.encode()).hexdigest()
        text = re.sub(rf"(path: {re.escape(name)}\n *)sha256: [0-9a-f]+", rf"\1sha256: <{ours}>", text)
    text = re.sub(r"\n *sha256: [0-9a-f]+(?=\n)", "", text)
    Path(manifest).write_text(re.sub("sha256: <([0-9a-f]+)>", r"sha256: \1", text), encoding="utf8")
