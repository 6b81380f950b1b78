"""A backbone at full size with random weights: files as published, loaded, one fine-tuning step of 8 pairs on a CPU.

Run: python benchmarks/full_size_backbones.py {vit,clip,blip,dinov2,pe-core} [--pairs 8] [--accumulation 1]
It writes a folder in the layout of the model hub into a temporary folder, loads it through the same door as real
weights, embeds one 512x512 picture and takes one step of fine-tuning (Adam, fp32), and tells the largest memory of the
process. Proves names, formats, sizes and memory, not quality.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

FOLDERS = {
    "vit": "vit-base-patch16-224",
    "clip": "clip-vit-base-patch32",
    "blip": "blip-itm-base-coco",
    "dinov2": "dinov2-base",
    "pe-core": "PE-Core-L-14-336",
}


def main() -> None:
    """Write, load, embed, step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backbone", choices=list(FOLDERS))
    parser.add_argument("--pairs", type=int, default=8, help="pairs of a step")
    parser.add_argument("--accumulation", type=int, default=1, help="parts that a step's pairs go through in")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # in a process of its own, so that its memory is not counted
        writer = multiprocessing.get_context("spawn").Process(target=write, args=(args.backbone, Path(folder)))
        writer.start()
        writer.join()
        if writer.exitcode:
            sys.exit(f"writing the weights failed with exit code {writer.exitcode}")
        measure(args.backbone, Path(folder), args.pairs, args.accumulation)


def published(name: str) -> Any:
    """Class and configuration of the published file, with its text half or classifier."""
    import transformers as t

    if name == "vit":
        return t.ViTForImageClassification(t.ViTConfig())
    if name == "clip":
        return t.CLIPModel(t.CLIPConfig())
    if name == "blip":
        return t.BlipForImageTextRetrieval(t.BlipConfig())
    sizes = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
    return t.Dinov2Model(t.Dinov2Config(**sizes, image_size=518, patch_size=14))


def write(name: str, zoo: Path) -> None:
    """The folder of one backbone."""
    folder = zoo / FOLDERS[name]
    if name != "pe-core":
        published(name).save_pretrained(folder)
        return
    import open_clip
    from safetensors.torch import save_file

    folder.mkdir()
    model = open_clip.create_model(FOLDERS[name], pretrained=None)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors")


def peak() -> float:
    """Largest memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(name: str, zoo: Path, pairs: int, accumulation: int) -> None:
    """Load, embed, take one step; the step is the one of hlf.metric.train."""
    import torch

    from hlf.backbones.registry import load_backbone

    backbone = load_backbone(name, "official", zoo)
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        embedding = backbone(torch.rand(1, 3, 512, 512, generator=generator))
    print(f"{name}: representation {tuple(embedding.shape[1:])}, loaded with a peak of {peak():.1f} GiB", flush=True)
    optimizer = torch.optim.Adam(backbone.parameters(), lr=1e-5)
    started = time.process_time()
    for _ in range(accumulation):
        sr, gt = (torch.rand(pairs // accumulation, 3, 512, 512, generator=generator) for _ in range(2))
        predicted = backbone.distance(*backbone(torch.cat([sr, gt])).chunk(2))
        ((predicted - 0.5).square().mean() / accumulation).backward()
    optimizer.step()
    seconds = time.process_time() - started
    print(
        f"{name}: step of {pairs} pairs in {accumulation} parts, {torch.get_num_threads()} threads, {seconds:.0f} s of "
        f"the processor, peak {peak():.1f} GiB"
    )


if __name__ == "__main__":
    main()
