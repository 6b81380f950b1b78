"""A backbone at full size with random weights: files as published, loaded, fine-tuning steps of 8 pairs.

Run: python benchmarks/full_size_backbones.py {vit,clip,blip,dinov2,pe-core} [--pairs 8] [--accumulation 1]
     [--device cuda] [--pictures 32]
It writes a folder in the layout of the model hub into a temporary folder, loads it through the same door as real
weights, embeds 512x512 pictures and takes one step of fine-tuning (Adam, fp32), on a GPU five more that are timed, and
tells the largest memory. Proves names, formats, sizes and memory, not quality.
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
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--pictures", type=int, default=1, help="pictures that are embedded at once")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # in a process of its own, so that its memory is not counted
        writer = multiprocessing.get_context("spawn").Process(target=write, args=(args.backbone, Path(folder)))
        writer.start()
        writer.join()
        if writer.exitcode:
            sys.exit(f"writing the weights failed with exit code {writer.exitcode}")
        measure(args, Path(folder))


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


def measure(args: argparse.Namespace, zoo: Path) -> None:
    """Load, embed, take steps; a step is the one of hlf.metric.train."""
    import torch

    from hlf.backbones.registry import load_backbone

    def now() -> float:
        if args.device == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    begun = time.perf_counter()
    backbone = load_backbone(args.backbone, "official", zoo).to(args.device)
    ready = time.perf_counter() - begun
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        pictures = torch.rand(args.pictures, 3, 512, 512, generator=generator).to(args.device)
        embedding = backbone(pictures)
        started = now()
        backbone(pictures)
        seconds = (now() - started) / args.pictures
    shape = tuple(embedding.shape[1:])
    print(
        f"{args.backbone}: representation {shape}, ready in {ready:.1f} s, {1000 * seconds:.1f} ms a picture",
        flush=True,
    )
    optimizer = torch.optim.Adam(backbone.parameters(), lr=1e-5)
    parts, times = args.accumulation, []
    for _ in range(6 if args.device == "cuda" else 1):
        started = now()
        for _ in range(parts):
            sr, gt = (torch.rand(args.pairs // parts, 3, 512, 512, device=args.device) for _ in range(2))
            predicted = backbone.distance(*backbone(torch.cat([sr, gt])).chunk(2))
            ((predicted - 0.5).square().mean() / parts).backward()
        optimizer.step()
        times.append(now() - started)
    gpu = f", of the GPU {torch.cuda.max_memory_allocated() / 2**30:.1f}" if args.device == "cuda" else ""
    print(
        f"{args.backbone}: step of {args.pairs} pairs in {parts} parts, {torch.get_num_threads()} threads, "
        f"{min(times):.3f} s, peak {peak():.1f} GiB{gpu}"
    )


if __name__ == "__main__":
    main()
