"""Mini StableSR: its two trainings on scenes, starting from the mini base (StableSR paper, sections 3.1, 3.2, 4.1).

First the structure encoder and the modulation learn to predict noise with the rest of the denoiser frozen and an empty
prompt; then the fusion layers learn to correct the frozen decoder, on latents sampled by the first training's result.
Ours: the modulation starts where it changes nothing, with the statistics that the frozen denoiser has, because a short
training would spend itself on finding them; and the fusion layers have no adversarial loss, as the mini VAE has none.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hlf.files import atomic, read_json
from hlf.nets import stablesr as nets
from hlf.nets import stablesr_keys as keys
from hlf.nets import stablesr_structure as structure
from hlf.nets import stablesr_vae as cfw
from hlf.nets import vgg
from hlf.seeds import generator
from hlf.sr.diffusion import sampling, vae
from hlf.sr.stablesr_networks import Networks
from hlf.sr.stablesr_upscaler import Predictor
from hlf.training.gan import degraded
from hlf.training.latents import Latents
from hlf.training.loop import Average, cosine_rate, descend, train
from hlf.training.perceptual import perceptual_network
from hlf.training.pool import Pool
from hlf.training.save import save_model
from hlf.training.steered import fill_from_base, fit, open_base, window
from hlf.tuning.noising import draw_noise, enlarged, noise_loss

WHAT = {
    "structure": "StableSR's structure encoder and modulation at small width; the denoiser is that of the mini base.",
    "cfw": "StableSR's fusion layers (CFW) at small width; the autoencoder is that of the mini base.",
}
CALIBRATION = 32  # scenes that the starting statistics are taken from


class _Scenes:
    """Pairs of scenes: latents of the GT, and the enlarged LR pictures with their latents."""

    def __init__(self, settings: dict[str, Any], pool: Pool, latents: Latents, autoencoder: Any):
        self.settings, self.pool, self.latents, self.vae = settings, pool, latents, autoencoder

    @torch.no_grad()
    def low(self, index: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Enlarged LR pictures (N, 3, H, W) in [0, 1] and samples of their latents (N, 4, h, w)."""
        images = enlarged(degraded(self.pool, index, rng, self.settings["levels"])[0])
        shape = (len(index), *self.latents.posterior.shape[2:])
        noise = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
        return images, vae.encode(self.vae, images, noise, 0)

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Latents of random scenes and of their LR pictures, both (count, 4, h, w)."""
        index = np.sort(rng.choice(len(self.pool.captions), count, replace=False))
        return self.latents.sample(index, rng), self.low(index, rng)[1]


def denoiser(base: Path, settings: dict[str, Any]) -> nets.StableSRUNet:
    """Denoiser of the mini base in folder `base`, whose modulation is new."""
    config = read_json(base / "config.json")
    network = nets.unet(config, settings["structure"]["out_channels"], settings["spade_hidden"])
    fill_from_base(network, base, nets.ADDED)
    return network


@torch.no_grad()
def calibrate(unet: nets.StableSRUNet, noisy: Tensor, times: Tensor, text: Tensor, features: list[Tensor]) -> None:
    """Give each modulation the mean statistics of what it normalises, and no influence of the features.

    After it the denoiser predicts about what its base does. During it the modulation is passed over.

    Args:
        unet: denoiser with trained stock parts.
        noisy: latents (N, 4, h, w) at timesteps `times`.
        times: (N,).
        text: (N, 77, D).
        features: of the structure encoder; their values do not matter.
    """

    def measure(module: Any, inputs: tuple[Tensor, Tensor], _: Tensor) -> Tensor:
        """Set the norm inside to what it sees, and the modulation to change nothing."""
        norm = module.param_free_norm
        groups = inputs[0].unflatten(1, (norm.num_groups, -1)).flatten(2)
        repeats = len(norm.weight) // norm.num_groups
        norm.weight.copy_(groups.std(2).mean(0).repeat_interleave(repeats))
        norm.bias.copy_(groups.mean((0, 2)).repeat_interleave(repeats))
        for layer in (module.mlp_gamma, module.mlp_beta):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        return inputs[0]

    hooks = [m.register_forward_hook(measure) for m in unet.modules() if isinstance(m, nets.Spade)]
    unet(noisy, times, text, features)
    for hook in hooks:
        hook.remove()


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train structure encoder and modulation, then the fusion layers; averaged weights are kept of both."""
    torch.manual_seed(seed)
    base = open_base(zoo_folder, pool, work)
    scenes, text = _Scenes(settings, pool, base.latents, base.vae), base.encode([""])
    unet, encoder = denoiser(base.unet, settings), structure.build(settings["structure"], "zoo.training")
    facts = _train_structure(settings, scenes, unet, encoder, base.scheduler, text, work / "structure", seed)
    tables = [(unet, keys.only(keys.unet_table(unet), ".spade.")), (encoder, keys.structure_table(encoder))]
    state = {k: v for network, table in tables for k, v in keys.to_ldm(network.state_dict(), table).items()}
    config = {name: settings[name] for name in ("structure", "spade_hidden")}
    save_model(folder / "structure", "StableSR structure encoder", WHAT["structure"], config, state, facts)

    fused = cfw.FusionVAE(**settings["fusion"], **read_json(base.files.vae_config)).eval()
    fused.load_state_dict(base.vae.state_dict(), strict=False)  # all but the fusion layers
    networks = Networks(unet, encoder, base.vae, fused, text)
    samples = _samples(settings, scenes, networks, base.scheduler, work / "samples.pt", seed)
    facts = _train_fusion(settings, scenes, fused, samples, perceptual_network(zoo_folder), work / "cfw", seed)
    state = keys.to_ldm(fused.state_dict(), keys.only(keys.vae_table(fused, ""), ".fusion_layer_"))
    facts |= {
        "seed": seed,
        "levels": settings["levels"],
        "batch": settings["cfw_batch"],
        "samples": settings["samples"],
    }
    save_model(folder / "cfw", "StableSR fusion layers", WHAT["cfw"], settings["fusion"], state, facts)


def _train_structure(
    settings: dict[str, Any], scenes: _Scenes, unet: Any, encoder: Any, scheduler: Any, text: Tensor, work: Path,
    seed: int,
) -> dict[str, Any]:  # fmt: skip
    """First training; both networks hold the averaged weights afterwards. Returns the facts of the loop."""
    total = scheduler.config["num_train_timesteps"]
    rng = generator(seed, "stablesr-calibration")
    latents, low = scenes.draw(min(CALIBRATION, len(scenes.pool.captions)), rng)
    noise, times = draw_noise(latents, total, rng)
    with torch.no_grad():
        features = encoder(low, times)
    calibrate(unet, scheduler.add_noise(latents, noise, times), times, text.expand(len(low), -1, -1), features)

    def loss(side: int | None, rng: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Noise loss of a batch, on whole latents or on windows of `side` cells."""
        latents, low = scenes.draw(settings["batch_size"], rng)
        if side:
            latents, low = window((latents, low), side, rng)
        noise, times = draw_noise(latents, total, rng)
        noisy = scheduler.add_noise(latents, noise, times)
        missed = noise_loss(unet(noisy, times, text.expand(len(noisy), -1, -1), encoder(low, times)), noise)
        return missed, {"loss": missed}

    both = nn.ModuleDict({"unet": unet, "encoder": encoder})
    trained = [*nets.trainable(unet), *encoder.parameters()]
    kept, facts = fit("stablesr", settings, both, trained, loss, work, seed)
    both.load_state_dict(kept.state_dict())
    both.eval().requires_grad_(False)
    return facts


def _samples(
    settings: dict[str, Any], scenes: _Scenes, networks: Networks, scheduler: Any, path: Path, seed: int
) -> dict[str, Tensor]:
    """Scenes, their enlarged LR pictures at 8-bit levels, and SR latents sampled for them; kept in `path`."""
    if path.is_file():
        kept: dict[str, Tensor] = torch.load(path)
        return kept
    rng, count = generator(seed, "stablesr-samples"), len(scenes.pool.captions)
    index = np.sort(rng.choice(count, min(settings["samples"], count), replace=False))
    times = sampling.respaced(settings["sample_steps"], scheduler.config["num_train_timesteps"])
    rows = []
    for start in range(0, len(index), 8):
        images, low = scenes.low(index[start : start + 8], rng)
        draws = sampling.seeded([int(one) for one in rng.integers(0, 2**31, len(low))])
        predict = Predictor(networks, low, max(low.shape), 0)
        with torch.no_grad():
            latents = sampling.sample(
                predict, scheduler, draws.normal(tuple(low.shape[1:]), "cpu"), len(times), draws, None, times
            )
        rows.append({"low": (images * 255).round().byte(), "latents": latents})
    made = {name: torch.cat([row[name] for row in rows]) for name in rows[0]} | {"index": torch.from_numpy(index)}
    with atomic(path) as tmp:
        torch.save(made, tmp)
    return made


def _crops(
    samples: dict[str, Tensor], pool: Pool, count: int, side: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Random squares: SR latents (count, 4, s, s), enlarged LR and GT pictures (count, 3, side, side) in [0, 1]."""
    factor = samples["low"].shape[-1] // samples["latents"].shape[-1]
    cells = side // factor
    parts = []
    for row in rng.integers(0, len(samples["index"]), count):
        top, left = rng.integers(0, samples["latents"].shape[-1] - cells + 1, 2)
        area = slice(top * factor, top * factor + side), slice(left * factor, left * factor + side)
        gt = torch.from_numpy(pool.images[int(samples["index"][row])][area].copy()).permute(2, 0, 1)
        low = samples["low"][row][:, area[0], area[1]]
        parts.append((samples["latents"][row][:, top : top + cells, left : left + cells], low / 255, gt / 255))
    latents, low, gt = (torch.stack(one) for one in zip(*parts, strict=True))
    return latents, low, gt


def _train_fusion(
    settings: dict[str, Any], scenes: _Scenes, fused: cfw.FusionVAE, samples: dict[str, Tensor], features: Any,
    work: Path, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Second training; the network holds the averaged weights afterwards. Returns the facts of the loop."""
    trained, average = cfw.trainable(fused), Average(fused, settings["ema"])
    optimizer = torch.optim.AdamW(trained, lr=settings["cfw_rate"], weight_decay=0.0)

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step of the fusion layers on crops: L1 and perceptual distance."""
        latents, low, gt = _crops(samples, scenes.pool, settings["cfw_batch"], settings["cfw_crop"], rng)
        with torch.no_grad():
            encoded = fused.features(low * 2 - 1)
        sr = fused.decode_fused(latents / fused.config["scaling_factor"], encoded, 1.0) / 2 + 0.5
        pixel, perceptual = F.l1_loss(sr, gt), vgg.perceptual_distance(features, sr, gt)
        rate = cosine_rate(settings["cfw_rate"], i, settings["cfw_steps"])
        descend(optimizer, pixel + settings["perceptual_weight"] * perceptual, trained, rate)
        average.follow(fused, i)
        return {"pixel": float(pixel.detach()), "perceptual": float(perceptual.detach())}

    parts = {"network": fused, "average": average, "optimizer": optimizer}
    facts = train("stablesr-cfw", parts, step, settings["cfw_steps"], work, seed)
    fused.load_state_dict(average.state_dict())
    return facts
