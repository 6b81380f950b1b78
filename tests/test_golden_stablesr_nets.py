"""Networks of StableSR against outputs and key lists of the official program."""

import json

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from transformers import CLIPTextConfig, CLIPTextModel

from hlf.errors import HlfError
from hlf.nets import stablesr as nets
from hlf.nets import stablesr_keys as keys
from hlf.nets import stablesr_structure as structure
from hlf.nets import stablesr_vae as cfw
from hlf.sr import stablesr_networks as networks
from hlf.sr.diffusion import vae as vae_tools
from stablesr_helpers import (
    CASES,
    FOLDER,
    MANIFEST,
    close,
    filled,
    golden_configs,
    keys_of,
    prefixed,
    read,
    structure_config,
    structure_encoder,
    unet,
    unet_config,
)
from vectors import key_list

CONFIG = golden_configs()
MAP = json.loads((FOLDER / "keymap_to_diffusers.json").read_text())


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


# --- full size, on the meta device ---


def full_size():
    """Networks of the published model and their tables."""
    own = networks.OFFICIAL
    with torch.device("meta"):
        unet_ = nets.unet(own["unet"], own["structure"]["out_channels"], own["spade_hidden"])
        encoder = structure.build(own["structure"])
        vae = AutoencoderKL(**own["vae"])
        fusion = cfw.FusionVAE(**own["fusion"], **own["vae"])
        text = CLIPTextModel(CLIPTextConfig(**own["text"]))
    return {
        "unet": (unet_, keys.unet_table(unet_)),
        "structure": (encoder, keys.structure_table(encoder)),
        "first_stage_vae": (vae, keys.vae_table(vae, keys.VAE)),
        "vqgan_cfw": (fusion, keys.vae_table(fusion, "")),
        "text": (text, keys.text_table(text)),
    }


def test_golden_stablesr_full_size_keys():
    """Both directions: our tensors under LDM's names are exactly the official ones, and those fill all of ours."""
    ours, tables = {}, full_size()
    for network, table in tables.values():
        state = network.state_dict()
        ldm = keys.to_ldm(state, table)
        ours.update({name: tuple(value.shape) for name, value in ldm.items()})
        back = {name: value.shape for name, value in keys.from_ldm(ldm, table).items()}
        assert back == {name: value.shape for name, value in state.items()}
    for file, parts in (("stablesr_ckpt", ("unet", "structure", "first_stage_vae", "text")), ("vqgan_cfw_ckpt", ())):
        names = set().union(*(tables[part][1] for part in parts or ("vqgan_cfw",)))
        official = keys_of(file)
        state = {name: torch.empty(shape, device="meta") for name, shape in official.items()}
        assert not keys.strangers(state, names, networks.OFFICIAL["text"]["num_hidden_layers"])
        assert {name: ours[name] for name in names} == {name: official[name] for name in names}
        print(f"{file}: {len(names)} of {len(official)} tensors used")
    # what may be left over is the noise schedule, the last text layer and the losses, and nothing else
    assert len(keys_of("stablesr_ckpt")) - 12 - 12 - 2 == sum(len(tables[p][1]) for p in tables if p != "vqgan_cfw")
    assert len(keys_of("vqgan_cfw_ckpt")) - 56 == len(tables["vqgan_cfw"][1])
    stranger = {"model.diffusion_model.spade.weight": torch.zeros(1), "loss.x": torch.zeros(1)}
    assert list(keys.strangers(stranger, (), 23)) == ["model.diffusion_model.spade.weight"]


@pytest.mark.parametrize("part", ["unet", "first_stage_vae", "vqgan_cfw", "text"])
def test_golden_stablesr_keymap(part):
    table = full_size()[part][1]
    theirs = {}
    for ldm, own in MAP[part].items():
        if own is not None:
            theirs[ldm] = tuple(own) if isinstance(own, list) else (own,)
    print(f"{part}: {len(theirs)} names")
    ours = {ldm: tuple(name.removeprefix("text_model.") for name in own) for ldm, own in table.items()}
    assert ours == theirs
    if part == "first_stage_vae":
        squeezed = sorted(own for ldm, (own,) in table.items() if keys._is_convolution(ldm))
        assert squeezed == sorted(MAP["vae_squeeze_last_two_dims"])


def test_golden_stablesr_full_size_counts():
    tables, groups = full_size(), key_list("stablesr", "stablesr_ckpt")["groups"]
    for part, prefix in (("unet", keys.UNET), ("structure", keys.STRUCTURE), ("first_stage_vae", keys.VAE)):
        network, table = tables[part]
        assert len(table) == groups[prefix]["keys"]
        assert sum(p.numel() for p in network.parameters()) == groups[prefix]["params"]
    spade = nets.trainable(tables["unet"][0])
    assert (len(spade), sum(p.numel() for p in spade)) == (groups["spade only"]["keys"], groups["spade only"]["params"])
    fusion = cfw.trainable(tables["vqgan_cfw"][0])
    assert (len(fusion), sum(p.numel() for p in fusion)) == (156, 44393728)


# --- forwards ---


def check_unet(case, config, names):
    io, tolerance = read(case["file"]), {name: case[name] for name in ("atol", "rtol")}
    encoder, denoiser = structure_encoder(config, prefixed(names[1])), unet(config, prefixed(names[0]))
    features = encoder(io["struct_latent"], io["t"])
    for feature in features:
        name = f"struct_w{feature.shape[-1]}"
        close(name, feature, io[name], **tolerance)
    close("eps", denoiser(io["x"], io["t"], io["context"], features), io["eps"], **tolerance)
    return io, tolerance, encoder, denoiser


def test_golden_stablesr_structcond_and_unet():
    io, tolerance, encoder, denoiser = check_unet(CASES["structcond_and_unet"], CONFIG, ("unet", "structcond"))
    features = encoder(io["struct_latent"][:1], io["t"][1:])
    single = denoiser(io["x"][:1], io["t"][1:], io["context"][:1], features)
    close("eps_single", single, io["eps_single"], **tolerance)


def test_golden_stablesr_topology_sd21():
    case = CASES["topology_sd21"]
    config = {
        "unet": unet_config(case["config"]["unet"], 16), "structure": structure_config(case["config"]["structcond"]),
        "spade_hidden": 128,
    }  # fmt: skip
    check_unet(case, config, ("topo_unet", "topo_structcond"))


def test_golden_stablesr_vae_cfw():
    case = CASES["vae_cfw"]
    io, tolerance = read(case["file"]), {name: case[name] for name in ("atol", "rtol")}
    with torch.inference_mode():
        vae = cfw.FusionVAE(**CONFIG["fusion"], **CONFIG["vae"])
        filled(vae, prefixed("vqgan_cfw"), keys.vae_table(vae, ""))
        mean, logvar = vae.quant_conv(vae.encoder(io["image"])).chunk(2, 1)
        close("mean", mean, io["mean"], **tolerance)
        close("logvar", logvar, io["logvar"], **tolerance)
        sample = vae_tools.encode(vae, io["image"] / 2 + 0.5, io["posterior_noise"], 0)
        close("latent_scaled_sample", sample, io["latent_scaled_sample"], **tolerance)
        features = vae.features(io["image"])
        for number, level in enumerate(cfw.LEVELS):
            close(f"enc_fea{number}", features[level], io[f"enc_fea{number}"], **tolerance)
        for weight in (0.0, 0.5, 1.0):
            decoded = vae.decode_fused(io["z"], features, weight)
            close(f"decoded_w{weight}", decoded, io[f"decoded_w{weight}"], **tolerance)
        first = AutoencoderKL(**CONFIG["vae"])
        filled(first, prefixed("first_stage"), keys.vae_table(first, keys.VAE))
        posterior = first.encode(io["image"]).latent_dist
        close("first_stage_mean", posterior.mean, io["first_stage_mean"], **tolerance)
        close("first_stage_decoded", first.decode(io["z"]).sample, io["first_stage_decoded"], **tolerance)


def test_golden_stablesr_text_encoder():
    case = CASES["text_encoder"]
    io, tolerance = read(case["file"]), {name: case[name] for name in ("atol", "rtol")}
    state = prefixed("text")
    assert io["tokens_null"][0].tolist() == networks.NULL_TOKENS
    close("context_null", networks.null_text(state, CONFIG["text"], "main"), io["context_null"], **tolerance)
    for name in ("null", "prompt"):
        ours = networks.null_text(state, CONFIG["text"], "main", io[f"tokens_{name}"][0].tolist())
        close(f"context_{name}", ours, io[f"context_{name}"], **tolerance)


# --- refusals, and what a change does ---


def test_sides_and_features_that_do_not_fit_are_refused():
    io = read(CASES["structcond_and_unet"]["file"])
    encoder, denoiser = structure_encoder(CONFIG, prefixed("structcond")), unet(CONFIG, prefixed("unet"))
    features = encoder(io["struct_latent"], io["t"])
    for sample, given, words in [
        (io["x"][..., :20], features, "16x20 cannot be halved 3 times; use multiples of 8"),
        (io["x"][..., :16], features, r"structure features are \[\(2, 16, 24\).*expected \[\(2, 16, 16\)"),
        (io["x"], features[:3], "structure features are"),
        (io["x"][:1], features, "structure features are"),
    ]:
        with pytest.raises(HlfError, match=words):
            denoiser(sample, io["t"][: len(sample)], io["context"][: len(sample)], given)


def test_networks_start_and_train_as_stablesr_says():
    """Only modulation, structure encoder and fusion layers get gradients."""
    io = read(CASES["structcond_and_unet"]["file"])
    encoder, denoiser = structure.build(CONFIG["structure"]), unet(CONFIG, prefixed("unet"))
    trained = nets.trainable(denoiser)
    denoiser(io["x"], io["t"], io["context"], encoder(io["struct_latent"], io["t"])).square().mean().backward()
    assert all(p.grad is not None for p in [*trained, *encoder.parameters()])
    assert sum(p.grad is not None for p in denoiser.parameters()) == len(trained) == 8 * 14


@pytest.mark.parametrize(
    ("change", "words"),
    [({"width": 3}, "unexpected keyword argument 'width'"), ({"groups": 7}, "must be divisible by num_groups")],
)
def test_a_wrong_structure_config_is_one_sentence(change, words):
    with pytest.raises(HlfError, match=rf"config.json cannot be built into StableSR's structure encoder \(.*{words}"):
        structure.build({**CONFIG["structure"], **change})


def test_configs_of_other_denoisers_are_refused():
    with pytest.raises(HlfError, match="sets use_image_cross_attention to True"):
        nets.unet({**CONFIG["unet"], "use_image_cross_attention": True}, 32, 128)


def test_golden_stablesr_manifest_names_all_weights():
    used = {name for case in MANIFEST["cases"] for name in case.get("weights", [])}
    assert used == set(MANIFEST["weights"])
