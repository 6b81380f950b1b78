"""Weights of StableSR: what loads, and what the sentence says when a file is missing, broken or of another model."""

import argparse
import functools

import pytest
import torch
from safetensors.torch import save_file

import diffusion_helpers
from diffusion_helpers import lr_batch
from hlf.errors import HlfError
from hlf.files import read_json, write_json
from hlf.sr import stablesr_networks
from hlf.sr.registry import load_upscaler
from stablesr_helpers import golden_configs, prefixed, tiny_stablesr_zoo, write_official

load = functools.partial(diffusion_helpers.load, "stablesr")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny_stablesr_zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture
def own_zoo(tmp_path):
    """A zoo that a test may spoil."""
    return tiny_stablesr_zoo(tmp_path / "zoo")


def test_networks_of_different_models_are_refused(own_zoo):
    path = own_zoo / "stablesr/structure/config.json"
    config = read_json(path)
    write_json(path, {**config, "spade_hidden": 4})
    with pytest.raises(HlfError, match=r"key 'model.diffusion_model.*spade.*expected as .*received"):
        load(own_zoo)
    write_json(path, {"structure": config["structure"]})
    with pytest.raises(HlfError, match=r"structure/config.json lacks spade_hidden"):
        load(own_zoo)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stablesr_networks, "OFFICIAL", golden_configs())
        yield write_official(tmp_path_factory.mktemp("official"))


def published_states():
    main = {k: v for name in ("unet", "structcond", "first_stage", "text") for k, v in prefixed(name).items()}
    return main, dict(prefixed("vqgan_cfw"))


def load_official(folder, precision="fp32", **options):
    small = {"process_size": 128, "latent_overlap": 8, "steps": 1}
    return load_upscaler("stablesr", "official", folder, "cpu", precision, {**small, **options})


@pytest.mark.parametrize("key", [
    "model.diffusion_model.input_blocks.1.0.spade.mlp_gamma.weight",
    "structcond_stage_model.fea_tran.0.in_layers.2.weight",
    "first_stage_model.decoder.mid.attn_1.q.weight",
    "cond_stage_model.model.transformer.resblocks.1.attn.in_proj_weight",
    "decoder.fusion_layer_1.encode_enc_2.0.rdb1.conv1.weight",
])  # fmt: skip
@pytest.mark.parametrize("how", ["missing", "shape", "unexpected"])
def test_published_files_are_read_strictly(published, tmp_path, key, how):
    main, fusion = published_states()
    state = main if key in main else fusion
    if how == "missing":
        del state[key]
    elif how == "shape":
        state[key] = torch.zeros(7, 3)
    else:
        key += ".extra"
        state[key] = torch.zeros(1)
    write_official(tmp_path, (main, fusion))
    with pytest.raises(HlfError, match=rf"\.ckpt.*key '{key}'"):
        load_official(tmp_path)


def test_a_truncated_published_file_is_named(published, tmp_path):
    write_official(tmp_path)
    path = tmp_path / "vqgan_cfw_00011.ckpt"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(HlfError, match=r"vqgan_cfw_00011.ckpt cannot be read as tensors"):
        load_official(tmp_path)


def test_published_files_with_other_objects_need_an_explicit_yes(published, tmp_path):
    main, fusion = published_states()
    write_official(tmp_path, (main, fusion))
    torch.save({"state_dict": main, "callbacks": argparse.Namespace(best=1)}, tmp_path / "stablesr_000117.ckpt")
    with pytest.raises(HlfError, match=r"stablesr_000117.ckpt cannot be read .*set sr\.stablesr\.trust_files to true"):
        load_official(tmp_path)
    load_official(tmp_path, trust_files=True)


def test_half_precision_files_and_safetensors_are_taken(published, tmp_path):
    """The tensors of the vectors are exact in half precision, so the picture is the same."""
    main, fusion = published_states()
    for name, state in (("stablesr_000117", main), ("vqgan_cfw_00011", fusion)):
        save_file({k: v.half().contiguous() for k, v in state.items()}, tmp_path / f"{name}.safetensors")
    lr = lr_batch(1, 32, 32)
    assert torch.equal(load_official(tmp_path).upscale(lr, [1]), load_official(published).upscale(lr, [1]))


def test_both_autoencoders_are_one_only_when_they_encode_alike(published, tmp_path, zoo):
    apart = load_official(published).networks("fp32")
    assert apart.first_stage is not apart.vae
    main, fusion = published_states()
    main.update({f"first_stage_model.{k}": v for k, v in fusion.items() if ".fusion_layer_" not in k})
    alike = load_official(write_official(tmp_path, (main, fusion))).networks("fp32")
    assert alike.first_stage is alike.vae
    mini = load(zoo).networks("fp32")
    assert mini.first_stage is mini.vae


def test_variants_ask_for_their_files(published):
    for variant, file in (("turbo", "stablesr_turbo.ckpt"), ("768v", "stablesr_768v_000139.ckpt")):
        with pytest.raises(HlfError, match=rf"lacks the weights of 'stablesr-{variant}': .*{file}"):
            load_official(published, variant=variant)
    (published / "stablesr_768v_000139.ckpt").symlink_to(published / "stablesr_000117.ckpt")
    kinds = [load_official(published, variant=one).scheduler.config["prediction_type"] for one in ("512", "768v")]
    assert kinds == ["epsilon", "v_prediction"]
