"""Networks of PASD and its captioner against outputs and key lists of the official programs."""

import pytest
import torch

from hlf.errors import HlfError
from hlf.nets import pasd as nets
from hlf.nets.pasd_condition import ConditionEmbedding
from hlf.nets.stock import copy_encoder
from hlf.zoo.load import load_strict
from pasd_helpers import CONFIG, close, controlnet, keys, read, shapes, tolerance, unet

# widths of Stable Diffusion 1.5; what its config leaves to diffusers' defaults is left out here as well
SD15 = {"cross_attention_dim": 768, "attention_head_dim": 8}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


# --- full size, on the meta device ---


@pytest.mark.parametrize("name", ["unet_pasd", "unet_pasd_light", "controlnet", "controlnet_rrdb"])
def test_golden_pasd_full_size_keys(name):
    official = keys(name)
    build = nets.unet if name.startswith("unet") else nets.controlnet
    with torch.device("meta"):
        network = build(SD15, official)
    print(f"{name}: {len(official)} tensors, {sum(p.numel() for p in network.parameters()):,} values")
    assert shapes(network) == official


def test_golden_pasd_full_size_keys_of_base_model():
    """The VAE, and the text encoder in today's names: transformers translates the old ones when it loads."""
    from diffusers import AutoencoderKL
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        )  # fmt: skip
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
            )
        )
    assert shapes(vae) == keys("vae_sd15")
    official = {k.removeprefix("text_model."): v for k, v in keys("text_encoder_sd15").items()}
    assert {k.removeprefix("text_model."): v for k, v in shapes(text).items()} == official


def test_golden_pasd_full_size_trainable():
    with torch.device("meta"):
        parameters = nets.trainable(nets.unet(SD15), nets.controlnet(SD15))
    stock = sum(p.numel() for p in parameters) - 361_289_497
    # the whole ControlNet, and what the full UNet has beyond Stable Diffusion 1.5's 859,520,964 values
    assert stock == 1_107_755_524 - 859_520_964


# --- tiny, against recorded outputs ---


@pytest.mark.parametrize("case", ["cond", "cond_other"])
def test_golden_pasd_condition_embedding(case):
    io, allowed = read("modules"), tolerance("modules")
    if case == "cond":
        network = controlnet().controlnet_cond_embedding
    else:
        cfg = CONFIG["cond_embedding_other"]
        network = ConditionEmbedding(
            cfg["conditioning_embedding_channels"], tuple(cfg["block_out_channels"]), cfg["use_rrdb"], True
        )
        load_strict(network, read("cond_embedding_other_weights"), "cond_embedding_other_weights")
    with torch.no_grad():
        close("embedding", network(io[f"{case}.image"]), io[f"{case}.embedding"], allowed)
        for i, rgb in enumerate(network.restored(io[f"{case}.image"])):
            close(f"rgb.{i}", rgb, io[f"{case}.rgb.{i}"], allowed)
    assert i == 2


@pytest.mark.parametrize("scale", [1.0, 0.8])
@pytest.mark.parametrize("case", ["net0", "net1"])
def test_golden_pasd_forward(case, scale):
    io, allowed = read("modules"), tolerance("modules")
    inputs = [io[f"{case}.{name}"] for name in ("sample", "timestep", "ehs")]
    with torch.no_grad():
        down, middle = controlnet()(*inputs, io[f"{case}.image"], scale)
        for i, residual in enumerate(down):
            close(f"down.{i}", residual, io[f"{case}.cs{scale}.down.{i}"], allowed)
        close("mid", middle, io[f"{case}.cs{scale}.mid"], allowed)
        for kind, name in (("full", "unet_out"), ("light", "light_out")):
            close(name, unet(kind)(*inputs, (down, middle)), io[f"{case}.cs{scale}.{name}"], allowed)
        for i, rgb in enumerate(controlnet().controlnet_cond_embedding.restored(io[f"{case}.image"])):
            close(f"rgb.{i}", rgb, io[f"{case}.rgb.{i}"], allowed)
    assert len(down) == 12


# --- round trip, wrong files ---


def test_pixel_attention_and_residuals_are_both_felt():
    io = read("modules")
    inputs = [io[f"net1.{name}"] for name in ("sample", "timestep", "ehs")]
    with torch.no_grad():
        down, middle = controlnet()(*inputs, io["net1.image"])
        for kind in ("full", "light"):
            whole = unet(kind)(*inputs, (down, middle))
            for i in range(12):
                changed = [r * (i != j) for j, r in enumerate(down)]
                assert (unet(kind)(*inputs, (changed, middle)) - whole).abs().max() > 1e-4, (kind, i)
        with pytest.raises(HlfError, match=r"got 11 residuals of other shapes than its 12 skip connections"):
            unet()(*inputs, (down[1:], middle))


def test_variants_are_told_by_their_files():
    assert isinstance(unet(), nets.PasdUNet) and isinstance(unet("light"), nets.PasdLightUNet)
    without = {k: v for k, v in CONFIG["controlnet"].items() if k != "use_rrdb"}
    with_rrdb = nets.controlnet(without, ["controlnet_cond_embedding.preprocesser.0.rdb1.conv1.weight"])
    assert sum(".preprocesser." in k for k in with_rrdb.state_dict()) == 60
    assert not any(".preprocesser." in k for k in nets.controlnet(without).state_dict())
    bare = nets.controlnet({**CONFIG["controlnet"], "return_rgbs": False}).controlnet_cond_embedding
    assert bare.restored(torch.zeros(1, 3, 16, 16)) == [] and not any("to_rgbs" in k for k in bare.state_dict())


def test_plain_stable_diffusion_weights_are_refused():
    state = {k: v for k, v in read("unet_pasd_weights").items() if ".pixel_attentions." not in k}
    with pytest.raises(HlfError, match=r"lacks key 'up_blocks.0.pixel_attentions.0.norm.weight'.*312 of 998"):
        load_strict(nets.unet(CONFIG["unet"], state), state, "diffusion_pytorch_model.safetensors")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"use_image_cross_attention": True}, "sets use_image_cross_attention to True"),
        ({"class_embed_type": "timestep"}, "sets class_embed_type to 'timestep'"),
    ],
)
def test_configs_of_other_networks_are_refused(change, words):
    with pytest.raises(HlfError, match=rf"unet/config.json {words}, which (this|PASD's) network does not have"):
        nets.unet({**CONFIG["unet"], **change}, path="unet/config.json")
    nets.unet({**CONFIG["unet"], "dual_cross_attention": False, "_diffusers_version": "0.29.2"})


def test_controlnet_starts_as_the_encoder():
    fresh = nets.controlnet(CONFIG["controlnet"])
    copy_encoder(fresh, unet())
    name = "down_blocks.1.attentions.0.proj_in.weight"
    assert torch.equal(fresh.state_dict()[name], unet().state_dict()[name])


def test_gradients_reach_all_that_is_trained_and_nothing_else():
    io = read("modules")
    denoiser, control = nets.unet(CONFIG["unet"]), nets.controlnet(CONFIG["controlnet"])
    load_strict(control, read("controlnet_weights"), "controlnet_weights")
    parameters = nets.trainable(denoiser, control)
    inputs = [io[f"net0.{name}"] for name in ("sample", "timestep", "ehs")]
    restored = control.controlnet_cond_embedding.restored(io["net0.image"])
    noise = denoiser(*inputs, control(*inputs, io["net0.image"]))
    (noise.square().mean() + sum(rgb.square().mean() for rgb in restored)).backward()
    assert all(p.grad is not None for p in parameters)
    assert sum(p.grad is not None for p in denoiser.parameters()) == 312
