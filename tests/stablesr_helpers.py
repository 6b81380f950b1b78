"""StableSR at the size of the golden vectors, and far smaller: networks, files in the published format, a zoo."""

import functools
import hashlib
import json
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from hlf.files import write_json
from hlf.nets import stablesr as nets
from hlf.nets import stablesr_keys as keys
from hlf.nets import stablesr_structure as structure
from hlf.nets import stablesr_vae as cfw
from hlf.sr.diffusion import sampling
from seesr_helpers import SCHEDULER, TINY_UNET, TINY_VAE, write_text_encoder
from vectors import key_list, vector_dir

FOLDER = vector_dir("stablesr")
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())
CASES = {case["name"]: case for case in MANIFEST["cases"]}


def read(file):
    """Arrays of one vector file."""
    return load_file(FOLDER / file)


def keys_of(name):
    """Names to shapes of a full-size key list."""
    listed = key_list("stablesr", name)["keys"]
    return {key: tuple(shape) for key, (shape, _) in listed.items()}


def close(name, ours, theirs, atol, rtol=0.0):
    """Print the largest difference, then hold it against the manifest's tolerance."""
    assert ours.shape == theirs.shape, f"{name}: {tuple(ours.shape)} and {tuple(theirs.shape)}"
    print(f"{name}: largest difference {float((ours - theirs).abs().max()):.3g}")
    assert torch.allclose(ours.to(theirs.dtype), theirs, rtol=rtol, atol=atol), name


# --- weights and networks of the vectors ---


def noise(seed, shape):
    """Noise by the manifest's recipe."""
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape).astype(np.float32))


@functools.cache
def weights(name):
    """Tensors of a group, without prefix, by the manifest's recipe or from its file; the digest is checked."""
    facts = MANIFEST["weights"][name]
    if "file" in facts:
        state = {k.removeprefix(facts["prefix"]): v.float() for k, v in read(facts["file"]).items()}
    else:
        shapes, state = json.loads((FOLDER / facts["shapes"]).read_text())[name], {}
        random = np.random.RandomState(facts["seed"])
        for key in sorted(shapes):
            shape = shapes[key]
            z = random.standard_normal(shape) if shape else np.asarray(random.standard_normal())
            if key.endswith("bias"):
                z = 0.1 * z
            elif len(shape) == 1:
                z = 1 + 0.1 * z
            elif len(shape) > 1:
                z = z / np.sqrt(np.prod(shape[1:]))
            state[key] = torch.from_numpy(z.astype(np.float16).astype(np.float32))
    digest = hashlib.sha256()
    for key in sorted(state):
        digest.update(key.encode() + state[key].numpy().tobytes())
    assert digest.hexdigest() == facts["sha256_f32"] and len(state) == facts["n_keys"]
    return state


def prefixed(name):
    """Tensors of a group as its published file has them."""
    return {MANIFEST["weights"][name]["prefix"] + key: value for key, value in weights(name).items()}


def unet_config(ldm: dict[str, Any], sample_size: int) -> dict[str, Any]:
    """Stock arguments of a denoiser that LDM's arguments describe."""
    widths = [ldm["model_channels"] * times for times in ldm["channel_mult"]]
    attended = [2**level in ldm["attention_resolutions"] for level in range(len(widths))]
    return {
        "sample_size": sample_size, "in_channels": 4, "out_channels": 4, "block_out_channels": widths,
        "layers_per_block": ldm["num_res_blocks"], "cross_attention_dim": ldm["context_dim"],
        "attention_head_dim": [width // ldm["num_head_channels"] for width in widths], "use_linear_projection": True,
        "down_block_types": ["CrossAttnDownBlock2D" if one else "DownBlock2D" for one in attended],
        "up_block_types": ["CrossAttnUpBlock2D" if one else "UpBlock2D" for one in reversed(attended)],
    }  # fmt: skip


def structure_config(ldm: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a structure encoder that LDM's arguments describe."""
    levels = [i for i in range(len(ldm["channel_mult"])) if 2**i in ldm["attention_resolutions"]]
    return {
        "channels": ldm["model_channels"], "out_channels": ldm["out_channels"], "channel_mult": ldm["channel_mult"],
        "res_blocks": ldm["num_res_blocks"], "attention_levels": levels, "heads": ldm["num_heads"], "groups": 32,
    }  # fmt: skip


def golden_configs() -> dict[str, Any]:
    """All arguments of the networks of the vectors, as `stablesr_networks.OFFICIAL` has them at full size."""
    config = MANIFEST["config"]
    ldm, text = config["vae_ddconfig"], config["text"]
    widths = [ldm["ch"] * times for times in ldm["ch_mult"]]
    return {
        "unet": unet_config(config["unet"], 16),
        "spade_hidden": 128,
        "structure": structure_config(config["structcond"]),
        "vae": {
            "block_out_channels": widths, "layers_per_block": ldm["num_res_blocks"], "latent_channels": 4,
            "norm_num_groups": 32, "down_block_types": ["DownEncoderBlock2D"] * 4,
            "up_block_types": ["UpDecoderBlock2D"] * 4, "scaling_factor": config["scale_factor"],
        },
        "fusion": cfw.OFFICIAL,
        "text": {
            "hidden_size": text["width"], "intermediate_size": 4 * text["width"], "hidden_act": "gelu",
            "num_hidden_layers": text["layers"] - 1, "num_attention_heads": text["heads"],
            "vocab_size": text["vocab_size"],
        },
    }  # fmt: skip


def filled(network, state, table):
    """Network with a file's tensors, none missing and none left over."""
    own = keys.select(state, network, table, "vectors")
    assert set(table) == set(state)
    network.load_state_dict(own, strict=True)
    return network.eval().requires_grad_(False)


def unet(config, state):
    network = nets.unet(config["unet"], config["structure"]["out_channels"], config["spade_hidden"])
    return filled(network, state, keys.unet_table(network))


def structure_encoder(config, state):
    network = structure.build(config["structure"])
    return filled(network, state, keys.structure_table(network))


def recorded(monkeypatch, steps, **first):
    """Recorded noise instead of a generator's: of the steps in their order, and of the start."""
    noises = iter(steps)
    monkeypatch.setattr("diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *_, **__: next(noises))
    for name, value in first.items():
        monkeypatch.setattr(sampling.Draws, name, lambda *_, value=value: value)


# --- folders of both zoos ---


def write_official(folder, states=None):
    """Published files at the size of the vectors, with everything that real ones hold besides the networks."""
    folder.mkdir(parents=True, exist_ok=True)
    main, fusion = states or (
        {k: v for name in ("unet", "structcond", "first_stage", "text") for k, v in prefixed(name).items()},
        prefixed("vqgan_cfw"),
    )
    schedule = {name: torch.zeros(1000) for name in ("betas", "alphas_cumprod", "posterior_mean_coef1")}
    torch.save({"state_dict": {**main, **schedule}, "epoch": 1}, folder / "stablesr_000117.ckpt")
    fusion = {**fusion, "loss.logvar": torch.zeros(())}
    torch.save({"state_dict": fusion, "global_step": 5}, folder / "vqgan_cfw_00011.ckpt")
    return folder


TINY_PLAIN_UNET = {
    **{k: v for k, v in TINY_UNET.items() if k != "use_image_cross_attention"}, "sample_size": 16,
}  # fmt: skip
TINY_STRUCTURE = {
    "channels": 8, "out_channels": 8, "channel_mult": [1, 2], "res_blocks": 1, "attention_levels": [1], "heads": 2,
    "groups": 4,
}  # fmt: skip
TINY_FUSION = {"growth": 4, "blocks": 1}


def tiny_stablesr_zoo(root):
    """Mini zoo with random, seeded networks of StableSR and the base model; what `root` holds already is kept."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    with torch.random.fork_rng():
        torch.manual_seed(5)
        base, vae = UNet2DConditionModel(**TINY_PLAIN_UNET), AutoencoderKL(**TINY_VAE)
        unet_, encoder = nets.unet(TINY_PLAIN_UNET, 8, 8), structure.build(TINY_STRUCTURE)
        fused = cfw.FusionVAE(**TINY_FUSION, **TINY_VAE)
        if not (root / "sd-base/tokenizer").exists():
            write_text_encoder(root / "sd-base")
    if not (root / "sd-base/vae").exists():
        write_json(root / "sd-base/vae/config.json", TINY_VAE)
        save_file(vae.state_dict(), root / "sd-base/vae/diffusion_pytorch_model.safetensors")
    write_json(root / "sd-base/scheduler/scheduler_config.json", SCHEDULER)
    write_json(root / "sd-base/unet/config.json", TINY_PLAIN_UNET)
    denoiser = root / "sd-base/unet/diffusion_pytorch_model.safetensors"
    if not denoiser.exists():
        save_file(base.state_dict(), denoiser)
    first = keys.to_ldm(unet_.state_dict(), keys.only(keys.unet_table(unet_), ".spade."))
    first |= keys.to_ldm(encoder.state_dict(), keys.structure_table(encoder))
    second = keys.to_ldm(fused.state_dict(), keys.only(keys.vae_table(fused, ""), ".fusion_layer_"))
    for part, config, state in [
        ("structure", {"structure": TINY_STRUCTURE, "spade_hidden": 8}, first),
        ("cfw", TINY_FUSION, second),
    ]:
        write_json(root / "stablesr" / part / "config.json", config)
        save_file({k: v.contiguous() for k, v in state.items()}, root / "stablesr" / part / "model.safetensors")
    return root
