"""Backbones: the weights of the right file, the preprocessing of the right library, gradients down to the pixels."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision.transforms import InterpolationMode, v2

from backbone_helpers import BLIP, CLIP, DINO, PE, VIT, tiny_backbones, tiny_dino
from hlf.backbones.base import Description, Preprocess, hlf_distance
from hlf.backbones.clip import from_openai
from hlf.backbones.dinov2 import IMAGENET
from hlf.backbones.pe_core import HALF, PeCoreBackbone
from hlf.backbones.registry import BACKBONES, build_backbone, load_backbone
from hlf.errors import HlfError
from hlf.images import to_tensor
from hlf.zoo.entries import ENTRIES
from hlf.zoo.registry import weights_sha256


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    return tiny_backbones(tmp_path_factory.mktemp("zoo"))


def smooth(height, width, seed=0):
    """uint8 picture of a few waves and a hard edge, mid-range so that bicubic overshoot is not cut."""
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(seed)
    waves = [np.sin(x * rng.uniform(0.05, 0.4) + y * rng.uniform(0.05, 0.4)) for _ in range(3)]
    picture = 127 + 50 * np.stack(waves, -1)
    picture[:, width // 2 :] += 20
    return picture.astype(np.uint8)


@pytest.mark.parametrize("name", list(BACKBONES))
def test_weights_of_the_file_are_in_the_tower(zoo, name):
    backbone = load_backbone(name, "mini", zoo)
    assert not backbone.training and backbone.description.name == name and backbone.description.zoo == "mini"
    state = load_file(zoo / name / "model.safetensors")
    state = from_openai(state) if name == "clip" else state
    own = backbone.tower.state_dict()
    prefix = "visual." if name == "pe-core" else ""
    assert {prefix + k for k in own} == {k for k in state if k.startswith(prefix)}
    assert all(torch.equal(v, state[prefix + k]) for k, v in own.items())
    files = [zoo / file for file in ENTRIES["mini", name].files]
    assert backbone.description.weights_sha256 == weights_sha256(files)


@pytest.mark.parametrize("name", list(BACKBONES))
def test_embedding_is_of_one_size_for_any_picture_and_reaches_every_pixel(zoo, name):
    backbone = load_backbone(name, "mini", zoo)
    size = {
        "vit": (16, VIT["hidden_size"]), "clip": (CLIP["embed_dim"],), "blip": (BLIP["image_text_hidden_size"],),
        "dinov2": (DINO["hidden_size"],), "pe-core": (PE["embed_dim"],),
    }[name]  # fmt: skip
    # odd sizes and aspects are squashed to the tower's input
    for height, width in ((40, 56), (200, 128)):
        with torch.no_grad():
            embedding = backbone(to_tensor(smooth(height, width))[None])
        assert embedding.shape == (1, *size) and embedding.dtype == torch.float32
        assert torch.isfinite(embedding).all() and embedding.std() > 0
    images = torch.stack([to_tensor(smooth(64, 64, s)) for s in (1, 2)]).requires_grad_()
    backbone.distance(*backbone(images).chunk(2)).sum().backward()
    assert torch.isfinite(images.grad).all() and (images.grad.abs().amax(1) > 0).float().mean() > 0.95


@pytest.mark.parametrize("name", list(BACKBONES))
def test_patch_tokens_stand_row_by_row_and_follow_their_place(zoo, name):
    backbone = load_backbone(name, "mini", zoo)
    side = backbone.description.preprocess.size
    gt = to_tensor(smooth(side, side))[None]
    changed = gt.clone()
    changed[..., : side // 4, -side // 4 :] = 1 - changed[..., : side // 4, -side // 4 :]
    with torch.no_grad():
        tokens = backbone.tokens(torch.cat([gt, changed]))
    grid = round(tokens.shape[1] ** 0.5)
    assert tokens.shape[:2] == (2, grid * grid) and tokens.dtype == torch.float32
    moved = (tokens[0] - tokens[1]).norm(dim=-1).reshape(grid, grid)
    assert moved[: grid // 4, -(grid // 4) :].mean() > 2 * moved.mean()


def test_dinov2_embedding_is_the_normalised_class_token():
    backbone = tiny_dino()
    image = to_tensor(smooth(32, 32))[None]
    with torch.no_grad():
        hidden = backbone.tower(pixel_values=backbone.description.preprocess(image)).last_hidden_state
        assert torch.equal(backbone(image), hidden[:, 0])


def test_pe_core_embedding_is_encode_image_of_open_clip(zoo):
    from open_clip.model import CustomTextCLIP

    import hlf.nets.pe_mini  # noqa: F401

    text = {"context_length": 8, "vocab_size": 20, "width": 16, "heads": 2, "layers": 1}
    model = CustomTextCLIP(PE["embed_dim"], PE["vision_cfg"], text).eval()
    backbone = load_backbone("pe-core", "mini", zoo)
    model.visual.load_state_dict(backbone.tower.state_dict())
    image = to_tensor(smooth(128, 128))[None]
    with torch.no_grad():
        expected = model.encode_image((image - 0.5) / 0.5)
        assert torch.allclose(backbone(image), expected, atol=1e-5)


def damage(folder, how):
    path = folder / "dinov2" / "model.safetensors"
    state = load_file(path)
    if how == "lacks key 'embeddings.cls_token'":
        del state["embeddings.cls_token"]
    elif how == "unexpected key 'classifier.weight'":
        state["classifier.weight"] = torch.zeros(2)
    else:
        state["layernorm.weight"] = torch.zeros(7)
    save_file(state, path)


@pytest.mark.parametrize(
    "how",
    [
        "lacks key 'embeddings.cls_token'",
        "unexpected key 'classifier.weight'",
        r"'layernorm.weight' expected as \(16,\)",
    ],
)
def test_weights_of_another_model_are_refused(tmp_path, how):
    damage(tiny_backbones(tmp_path), how)
    with pytest.raises(HlfError, match="model.safetensors.*" + how):
        load_backbone("dinov2", "mini", tmp_path)


def test_wrong_names_modes_and_configurations_are_told(zoo, tmp_path):
    with pytest.raises(HlfError, match="backbone 'dino' is unknown, expected one of vit, clip, blip, dinov2, pe-core"):
        load_backbone("dino", "mini", zoo)
    with pytest.raises(HlfError, match=r"metric.resize_mode 'crop' is unknown, expected library or squash"):
        load_backbone("dinov2", "mini", zoo, "crop")
    with pytest.raises(HlfError, match="zoo 'official' lacks the weights of 'pe-core'"):
        load_backbone("pe-core", "official", zoo)
    folder = tiny_backbones(tmp_path)
    (folder / "dinov2" / "config.json").write_text("{}")
    with pytest.raises(HlfError, match=r"config.json lacks image_size"):
        load_backbone("dinov2", "mini", folder)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(512, 512), (300, 420), (451, 260)])
@pytest.mark.parametrize("geometry", ["crop", "squash"])
def test_preprocessing_equals_torchvisions(mode, size, geometry):
    how = InterpolationMode(mode)
    resize = v2.Resize(256, how, antialias=True) if geometry == "crop" else v2.Resize((224, 224), how, antialias=True)
    steps = [resize, v2.CenterCrop(224), v2.Normalize(*IMAGENET)]
    image = to_tensor(smooth(*size))[None]
    got = Preprocess(224, 256 if geometry == "crop" else None, mode, *IMAGENET)(image)
    assert got.shape == (1, 3, 224, 224)
    assert (got - v2.Compose(steps)(image)).abs().max() < 1e-2


def test_bicubic_of_hard_edges_stays_in_range_as_with_8_bit_files():
    array = np.zeros((300, 300, 3), dtype=np.uint8)
    array[:, 150:] = 255
    got = Preprocess(224, None, "bicubic", (0.0,) * 3, (1.0,) * 3)(to_tensor(array)[None])
    assert got.min() == 0 and got.max() == 1
    expected = to_tensor(np.asarray(Image.fromarray(array).resize((224, 224), Image.Resampling.BICUBIC)))
    assert (got[0] - expected).abs().max() < 1e-2


def test_right_size_is_left_alone():
    image = torch.rand(2, 3, 24, 24)
    got = Preprocess(24, None, "bicubic", *HALF)(image)
    assert torch.equal(got, (image - 0.5) / 0.5)


@given(st.integers(0, 2**31), st.floats(0.01, 100))
def test_distance_is_one_minus_cosine(seed, factor):
    a, b = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(seed))
    got = hlf_distance(a, b)
    cosine = (a.double() * b.double()).sum(-1) / a.double().norm(dim=-1) / b.double().norm(dim=-1)
    assert got.dtype == torch.float32 and torch.allclose(got.double(), 1 - cosine, atol=1e-5)
    assert torch.allclose(hlf_distance(a * factor, b), got, atol=1e-5) and torch.allclose(hlf_distance(b, a), got)
    assert hlf_distance(a, a).abs().max() < 1e-6 and torch.allclose(hlf_distance(a, -a), torch.tensor(2.0))


def test_distance_of_equal_embeddings_has_a_finite_gradient():
    a = torch.randn(2, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    hlf_distance(a, a.detach().clone()).sum().backward()
    assert torch.isfinite(a.grad).all() and a.grad.abs().max() < 1e-5
    half = torch.ones(1, 4, dtype=torch.bfloat16)
    assert hlf_distance(half, half).dtype == torch.float32


def test_a_description_is_enough_to_build_a_backbone_again(zoo):
    for name in BACKBONES:
        description = load_backbone(name, "mini", zoo).description
        back = Description.from_dict(json.loads(json.dumps(description.to_dict())))
        assert back == description
        assert back.squashed().preprocess.short_side is None and back.squashed().name == name
    assert isinstance(build_backbone(description), PeCoreBackbone)
