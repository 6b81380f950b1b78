"""SeeSR at full size with random weights: one 64x64 LR image, two steps, on a CPU. Seconds and peak memory.

Run: python benchmarks/seesr_full_size.py [folder]
It writes a zoo in the layout of the official one, 8.4 GiB, into a temporary folder (below `folder`), loads it through
the same door as real weights, and removes it. Proves names, shapes, sizes and memory, not quality. The tag lists are
made up, so their hashes are not compared. Measured on two busy CPU cores, torch 2.15: loading 24 s, image 187 s, peak
10.4 GiB.
"""

import json
import resource
import string
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow_scripts"))

# config.json files of SD-2-base and SeeSR as far as they set sizes
UNET: dict[str, Any] = {
    "sample_size": 64, "in_channels": 4, "out_channels": 4, "block_out_channels": [320, 640, 1280, 1280],
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3, "layers_per_block": 2, "cross_attention_dim": 1024,
    "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True, "use_image_cross_attention": True,
}  # fmt: skip
CONTROLNET = {k: v for k, v in UNET.items() if k not in ("sample_size", "out_channels", "up_block_types")}
VAE: dict[str, Any] = {
    "block_out_channels": [128, 256, 512, 512], "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4, "layers_per_block": 2, "latent_channels": 4, "scaling_factor": 0.18215,
}  # fmt: skip
TEXT = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 23,
    "vocab_size": 49408, "hidden_act": "gelu", "projection_dim": 512, "bos_token_id": 0, "eos_token_id": 2,
}  # fmt: skip
SCHEDULER = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False,
    "steps_offset": 1, "prediction_type": "epsilon",
}  # fmt: skip


def random_state(network: Any) -> dict[str, Any]:
    """State dict of a network on the meta device, filled with small random numbers; norms begin as the identity."""
    import torch

    def values(name: str, like: torch.Tensor) -> torch.Tensor:
        if not like.is_floating_point():
            return torch.zeros(like.shape, dtype=like.dtype)
        if like.ndim < 2:
            return torch.full(like.shape, float("norm" in name.lower() and name.endswith("weight")))
        return torch.empty(like.shape).normal_(std=(like[0].numel()) ** -0.5)

    return {name: values(name, like) for name, like in network.state_dict().items()}


def write(folder: Path, name: str, config: dict[str, Any], build: Any) -> None:
    """A folder of a network as diffusers publishes it."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    with torch.device("meta"):
        network = build()
    save_file(random_state(network), folder / name)


def write_zoo(root: Path) -> None:
    """All files of entry `seesr` of the official zoo and of the entries it needs."""
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from transformers import CLIPTextConfig, CLIPTextModel

    from hlf.nets import ram, seesr
    from hlf.nets.ram_files import lora_shapes

    base, weights = root / "stable-diffusion-2-base", "diffusion_pytorch_model.safetensors"
    write(root / "seesr/unet", weights, UNET, lambda: seesr.unet(UNET))
    write(root / "seesr/controlnet", weights, CONTROLNET, lambda: seesr.controlnet(CONTROLNET))
    write(base / "vae", weights, VAE, lambda: AutoencoderKL(**VAE))
    text = {"architectures": ["CLIPTextModel"], "model_type": "clip_text_model", **TEXT}
    write(base / "text_encoder", "model.safetensors", text, lambda: CLIPTextModel(CLIPTextConfig(**TEXT)))
    with torch.device("meta"):
        tagger = ram.build(ram.OFFICIAL)
    torch.save({"model": random_state(tagger)}, root / "ram_swin_large_14m.pth")
    torch.save({name: torch.zeros(shape) for name, shape in lora_shapes(tagger).items()}, root / "DAPE.pth")
    (root / "ram_tag_list.txt").write_text("\n".join(f"tag{i}" for i in range(4585)))
    (root / "ram_tag_list_threshold.txt").write_text("\n".join(["0.65"] * 4584 + ["0.0"]))
    (base / "scheduler").mkdir()
    (base / "scheduler/scheduler_config.json").write_text(json.dumps(SCHEDULER))
    (base / "tokenizer").mkdir()
    letters = sorted(string.ascii_lowercase + string.digits + string.punctuation)
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (base / "tokenizer/vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (base / "tokenizer/merges.txt").write_text("#version: 0.2\n")
    for name in ("tokenizer_config", "special_tokens_map"):
        (base / f"tokenizer/{name}.json").write_text(json.dumps({"pad_token": "!"}))


def main() -> None:
    """Write, load, run, measure."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        print("writing random weights", flush=True)
        write_zoo(Path(folder))
        measure(Path(folder))


def peak() -> float:
    """Largest memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(zoo: Path) -> None:
    """Load the zoo and run one image."""
    import torch

    from hlf.files import sha256
    from hlf.sr.diffusion import tagger
    from hlf.sr.registry import load_upscaler

    tagger.LIST_SHA256 = {name: sha256(zoo / name) for name in tagger.LIST_SHA256}
    size = sum(path.stat().st_size for path in zoo.rglob("*") if path.is_file()) / 2**30
    print(f"files {size:.2f} GiB, peak while writing {peak():.1f} GiB", flush=True)
    start = time.perf_counter()
    model = load_upscaler("seesr", "official", zoo, "cpu", "fp32", {"steps": 2})
    loaded = time.perf_counter()
    print(f"loaded in {loaded - start:.1f} s, peak {peak():.1f} GiB", flush=True)
    lr = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    sr = model.upscale(lr, [1])
    seconds = time.perf_counter() - loaded
    print(f"64x64 LR, 2 steps, {torch.get_num_threads()} threads: {seconds:.1f} s, peak {peak():.1f} GiB")
    print(
        f"result {tuple(sr.shape)}, finite {bool(torch.isfinite(sr).all())}, standard deviation {float(sr.std()):.3f}"
    )


if __name__ == "__main__":
    main()
