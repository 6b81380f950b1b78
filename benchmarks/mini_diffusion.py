"""What the mini diffusion models draw: python benchmarks/mini_diffusion.py [ZOO] (about 5 minutes on one core).

Writes docs/images/mini_base.png (16 pictures of the text-to-image base, each after the prompt beside it in
docs/mini_diffusion.md) and docs/images/mini_seesr_worst.png (the four held-out scenes whose content SeeSR changed most,
with the tags it was given). ZOO is resources/zoo/mini unless given.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "workflow_scripts"), str(ROOT / "benchmarks")]

from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel  # noqa: E402
from mini_zoo import SEED, SIZE, SR, belief  # noqa: E402

from hlf.degradation import degrade  # noqa: E402
from hlf.device import one_thread  # noqa: E402
from hlf.files import read_json, write_text  # noqa: E402
from hlf.images import from_tensor, to_float, to_tensor, to_uint8, write_png  # noqa: E402
from hlf.scenes.scene import Scene, scene_for  # noqa: E402
from hlf.seeds import generator, seed_for  # noqa: E402
from hlf.sr.diffusion import sampling, vae  # noqa: E402
from hlf.sr.diffusion.base_model import BaseFiles, load_scheduler, load_text_encoder, load_vae  # noqa: E402
from hlf.sr.registry import load_upscaler  # noqa: E402
from hlf.study.simulated.content import load_reader  # noqa: E402
from hlf.zoo.load import load_strict, read_state  # noqa: E402
from hlf.zoo.registry import find_weights  # noqa: E402

PROMPTS, STEPS, GUIDANCE, LEVEL, TRIED = 16, 40, 3.0, 1.0, 64
NEGATIVE = "blur, lowres, smooth"


@torch.inference_mode()
def draw(zoo: Path, prompts: list[str]) -> list[np.ndarray]:
    """One picture a prompt from the text-to-image base, uint8 (128, 128, 3)."""
    files, folder = BaseFiles(*find_weights("mini", zoo, "sd-base")), zoo / "sd-base/unet"
    unet: Any = UNet2DConditionModel(**read_json(folder / "config.json"))
    weights = folder / "diffusion_pytorch_model.safetensors"
    load_strict(unet, read_state(weights), weights)
    scheduler, decoder = load_scheduler(files), load_vae(files, torch.float32, "cpu")
    encode = load_text_encoder(files, torch.float32, "cpu")
    text = torch.cat([encode([NEGATIVE] * len(prompts)), encode([f"{p}, clean, high-resolution" for p in prompts])])
    draws = sampling.seeded([seed_for(SEED, "mini-base", p) % 2**63 for p in prompts])

    def predict(latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        return sampling.guide(unet(torch.cat([latents] * 2), timestep, text).sample, GUIDANCE)

    side = unet.config["sample_size"]
    start = draws.normal((unet.config["in_channels"], side, side), "cpu")
    latents = sampling.sample(predict, scheduler, start, STEPS, draws)
    return [from_tensor(picture.clamp(0, 1)) for picture in vae.decode(decoder, latents, 0)]


def worst(zoo: Path) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Rows LR, SeeSR, GT of the scenes whose SeeSR picture loses most content, and what they show and were tagged."""
    model, reader = load_upscaler("seesr", "mini", zoo, "cpu", "fp32", SR["seesr"]), load_reader(zoo)
    found: list[tuple[float, np.ndarray, str, str]] = []
    for number in range(TRIED):
        scene: Scene = scene_for(SEED, "held-out", number, SIZE, (0.35, 0.75))
        things = [o for o in scene.objects if o.kind != "code"]
        if not things:
            continue
        lr = to_uint8(degrade(to_float(scene.image), generator(SEED, "mini-worst", number), LEVEL)[0])
        tensor = to_tensor(lr)[None]
        sr = model.upscale(tensor, [seed_for(SEED, "mini-worst", number) % 2**63])[0]
        kept = np.mean([belief(reader, sr, thing) for thing in things])
        row = np.concatenate([np.kron(lr, np.ones((4, 4, 1), np.uint8)), from_tensor(sr), scene.image], axis=1)
        found.append((float(kept), row, scene.caption, model.texts(tensor)[0][1]))
    chosen = sorted(found, key=lambda entry: entry[0])[:4]
    return np.concatenate([row for _, row, _, _ in chosen]), [(caption, tags) for _, _, caption, tags in chosen]


def main() -> None:
    """Draw, measure and write."""
    one_thread()
    zoo = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "resources/zoo/mini"
    prompts = [scene_for(SEED, "held-out", number, SIZE).caption for number in range(PROMPTS)]
    pictures = draw(zoo, prompts)
    rows = [np.concatenate(pictures[k : k + 4], axis=1) for k in range(0, PROMPTS, 4)]
    write_png(ROOT / "docs/images/mini_base.png", np.concatenate(rows))
    sheet, texts = worst(zoo)
    write_png(ROOT / "docs/images/mini_seesr_worst.png", sheet)
    names = "\n".join(f"| {i // 4 + 1}, {i % 4 + 1} | {text} |" for i, text in enumerate(prompts))
    said = "\n".join(f"| {i + 1} | {caption} | {tags} |" for i, (caption, tags) in enumerate(texts))
    template = (ROOT / "benchmarks/mini_diffusion.md.in").read_text(encoding="utf8")
    text = template.format(prompts=names, worst=said, steps=STEPS, guidance=GUIDANCE, level=LEVEL, tried=TRIED)
    write_text(ROOT / "docs/mini_diffusion.md", text)
    print(text)


if __name__ == "__main__":
    main()
