"""What the manifest says of the tensors in each file, against what its loader takes."""

from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import torch

from hlf.errors import HlfError
from hlf.nets.pe_keys import from_meta
from hlf.zoo.assets import assets
from hlf.zoo.expected import expected
from hlf.zoo.load import check_state
from hlf.zoo.registry import find_weights
from hlf.zoo.shapes import Header
from stand_ins import write


def on_meta(tensors):
    return {name: torch.empty(h.shape, dtype=getattr(torch, h.dtype), device="meta") for name, h in tensors.items()}


@pytest.fixture
def no_values(monkeypatch):
    """Tensors on the meta device have no values that could be NaN."""
    monkeypatch.setattr(torch, "isnan", lambda _: torch.zeros(1))


def whole(header_shapes):
    return {name: tuple(value.shape) for name, value in header_shapes.items()}


@pytest.mark.parametrize("name", ["dinov2-s", "dinov2-g", "vit", "clip", "blip"])
def test_layouts_of_towers_are_what_transformers_reads(tmp_path, name):
    import transformers

    write([name], tmp_path)
    classes = {"dinov2": "Dinov2Model", "vit": "ViTModel", "clip": "CLIPVisionModelWithProjection"}
    model = getattr(transformers, classes.get(name.partition("-")[0], "BlipForImageTextRetrieval"))
    options = {"add_pooling_layer": False} if name == "vit" else {}
    folder = tmp_path / Path(assets()[name].files[0].path).parent
    network, found = model.from_pretrained(
        folder, local_files_only=True, output_loading_info=True, device_map={"": "meta"}, **options
    )
    assert not found["missing_keys"] and not found["unexpected_keys"] and not found["mismatched_keys"]
    assert sum(v.numel() for v in network.state_dict().values()) == sum(
        torch.Size(h.shape).numel() for h in expected(assets()[name].files[1].keys)[0].tensors.values()
    )


@pytest.mark.parametrize("name", ["sd-base", "sd15"])
def test_layouts_of_text_encoders_and_vaes_are_what_the_base_model_reads(tmp_path, name):
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from transformers import CLIPTextModel

    from hlf.sr.diffusion import base_model

    write([name], tmp_path)
    files = base_model.BaseFiles(*find_weights("official", tmp_path, name))
    _, found = CLIPTextModel.from_pretrained(
        files.text_config.parent, local_files_only=True, output_loading_info=True, device_map={"": "meta"}
    )
    assert not any(found[f"{word}_keys"] for word in ("missing", "mismatched", "unexpected"))
    with torch.device("meta"):
        vae = AutoencoderKL(**base_model.arguments(AutoencoderKL.__init__, files.vae_config))
    layout = expected("vae")[0]
    assert whole(vae.state_dict()) == whole(layout.tensors)
    assert dict(layout.renamed) == base_model._OLD_ATTENTION


@pytest.mark.parametrize("name", ["pe-core", "pe-core-t", "pe-core-s", "pe-core-b", "pe-core-g"])
def test_layouts_of_pe_core_are_what_open_clip_builds(name):
    import open_clip

    from hlf.backbones.pe_core import PeCoreBackbone

    (file,) = assets()[name].files
    with torch.device("meta"):
        tower = PeCoreBackbone.build_tower(open_clip.get_model_config(Path(file.path).parent.name)).state_dict()
    theirs, metas = (on_meta(layout.tensors) for layout in expected(file.keys))
    assert whole({key.removeprefix("visual."): value for key, value in theirs.items()}) == whole(tower)
    assert whole(from_meta(metas)) == whole(tower)


@pytest.mark.parametrize(("name", "network"), [("alexnet", "alexnet"), ("vgg16", "vgg16")])
def test_layouts_of_classifiers_are_those_of_torchvision(name, network):
    import torchvision

    with torch.device("meta"):
        state = getattr(torchvision.models, network)(weights=None).state_dict()
    assert whole(expected(name)[0].tensors) == whole(state)


def test_layout_of_clip_rn50_is_that_of_openai():
    from pyiqa.archs.clip_model import CLIP

    with torch.device("meta"):
        state = CLIP(1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12).state_dict()
    layout = expected("clip-rn50")[0]
    assert whole(layout.tensors) == whole(state)
    old = {k: h for k, h in layout.tensors.items() if not k.endswith("num_batches_tracked")}
    assert not layout.problem({**old, "context_length": Header((), "int64")})
    assert "lacks key 'visual.conv1.weight'" in layout.problem(
        {k: h for k, h in old.items() if k != "visual.conv1.weight"}
    )


def test_layouts_of_learned_weights_are_those_of_pyiqa():
    from pyiqa.archs.dists_arch import DISTS
    from pyiqa.archs.lpips_arch import NetLinLayer

    for i, channels in enumerate((64, 192, 384, 256, 256)):
        weight = NetLinLayer(channels, use_dropout=True).state_dict()["model.1.weight"]
        assert expected("lpips")[0].tensors[f"lin{i}.model.1.weight"].shape == tuple(weight.shape)
    assert DISTS and expected("dists")[0].tensors["alpha"].shape == (1, 3 + 64 + 128 + 256 + 512 + 512, 1, 1)


def refuses(function, *arguments):
    try:
        function(*arguments)
    except HlfError:
        return True
    return False


def variants(layout):
    """A file as published, and in ways that loaders bear and do not bear."""
    state = dict(layout.tensors)
    first = next(key for key in state if not any(fnmatchcase(key, pattern) for pattern in layout.may_lack))
    yield state
    yield {**state, "stranger.weight": Header((3,), "float32")}
    yield {key: value for key, value in state.items() if key != first}
    yield {**state, first: Header((*state[first].shape, 2), "float32")}
    yield {**state, first: Header(state[first].shape, "int64")}
    yield {**state, first: Header(state[first].shape, "float16")}
    for pattern in (*layout.may_lack, *layout.may_hold):
        if pattern in layout.may_lack:
            yield {key: value for key, value in state.items() if not fnmatchcase(key, pattern)}
        if pattern in layout.may_hold:
            yield {**state, pattern.replace("*", "more"): Header((5,), "float32")}


def test_what_ram_and_dape_may_lack_and_hold_is_what_their_loaders_bear(no_values):
    from hlf.nets import ram as ram_net
    from hlf.nets.ram_files import merge_dape, used_part

    with torch.device("meta"):
        ram = ram_net.build(ram_net.OFFICIAL, "ram").eval().requires_grad_(False)
    told = []
    for layout, read in (
        (expected("ram")[0], lambda state: check_state(ram.state_dict(), used_part(state), "ram")),
        (expected("dape")[0], lambda state: merge_dape(ram, state, "dape")),
    ):
        for state in variants(layout):
            told.append(bool(layout.problem(state)))
            assert refuses(read, on_meta(state)) == told[-1], layout.problem(state)
    # refused and borne files were both among the variants
    assert any(told) and told.count(False) >= 6


def test_what_stablesr_may_lack_and_hold_is_what_its_loader_bears(no_values, monkeypatch):
    from hlf.nets import stablesr_keys as keys
    from hlf.sr import stablesr_networks as networks

    main, fusion = Path("main.ckpt"), Path("cfw.ckpt")
    good = {main: dict(expected("stablesr")[0].tensors), fusion: dict(expected("stablesr-cfw")[0].tensors)}
    given = {}
    monkeypatch.setattr(networks, "_read", lambda path, _: on_meta({**good, **given}[path]))

    empty = networks.empty(networks.OFFICIAL, main)
    with torch.device("meta"):
        encoder = networks._text_model(networks.OFFICIAL["text"])
    # built once, and no text is encoded
    monkeypatch.setattr(networks, "empty", lambda *_: empty)
    monkeypatch.setattr(networks, "_text_model", lambda _: encoder)
    monkeypatch.setattr(
        networks, "null_text", lambda state, _, path: keys.select(state, encoder, keys.text_table(encoder), path)
    )
    told = []
    for path, name in ((main, "stablesr"), (fusion, "stablesr-cfw")):
        for state in variants(expected(name)[0]):
            given = {path: state}
            told.append(bool(expected(name)[0].problem({"state_dict": state})))
            assert refuses(networks._official, [main, fusion], False) == told[-1], (name, given)
    # refused and borne files were both among the variants
    assert any(told) and told.count(False) >= 6
