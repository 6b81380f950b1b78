"""An SR model at full size with random weights: 64x64 LR images at the official settings, on a CPU or a GPU.

Run: python benchmarks/full_size.py {bsrgan,swinir,stablesr,seesr,pasd} [FOLDER] [--device cuda] [--precision fp32 bf16]
     [--batch 8] [--lr 128]
It writes a zoo in the layout of the official one into a temporary folder (below FOLDER), loads it through the same door
as real weights, enlarges images at two numbers of steps, and removes it. From the two it tells seconds per image at the
official number of steps (README and defaults of the official programs, as in config.paper.yaml). Proves names, shapes,
formats, sizes and memory, not quality. The tag lists are made up, so their hashes are not compared. Models work at
their official size: 512x512, PASD 768x768.

Measured on two busy CPU cores, one thread, torch 2.15, one 64x64 image, two steps; seconds of the processor:
- seesr: files 8.4 GiB, image 132 s, peak 10.5 GiB.
- pasd, at its 768x768: files 8.6 GiB, image 341 s, peak 12.3 GiB.
- stablesr: files 5.7 GiB, image 108 s, peak 7.7 GiB.
On a GPU: hlf/costs/measured.yaml.
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


def main() -> None:
    """Write, load, run, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=["bsrgan", "swinir", "stablesr", "seesr", "pasd"])
    parser.add_argument("folder", nargs="?", help="where the zoo is written for the time of the run")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=["fp32", "bf16", "fp16"])
    parser.add_argument("--batch", type=int, default=1, help="images of a forward")
    parser.add_argument("--lr", type=int, default=64, help="side of the LR images in pixels")
    parser.add_argument("--steps", type=int, nargs=2, default=[2, 4], help="two numbers of steps")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        print("writing random weights", flush=True)
        # each in a process of its own, so that its memory is counted alone
        apart(write, args.model, Path(folder))
        for precision in args.precision:
            apart(measure, args, Path(folder), precision)


def apart(work: Any, *arguments: Any) -> None:
    """Call a function in a new process."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"{work.__name__} failed with exit code {process.exitcode}")


def write(model: str, folder: Path) -> None:
    """Write the zoo."""
    import full_size_zoo

    full_size_zoo.write(model, folder)


def peak() -> float:
    """Largest memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(args: argparse.Namespace, zoo: Path, precision: str) -> None:
    """Load a model from the zoo and run a batch at two numbers of steps."""
    begun = time.perf_counter()
    import torch

    from hlf.files import sha256
    from hlf.sr.diffusion import tagger
    from hlf.sr.options import resolve
    from hlf.sr.registry import load_upscaler, model_module

    if args.model == "seesr":
        tagger.LIST_SHA256 = {name: sha256(zoo / name) for name in tagger.LIST_SHA256}
    size = sum(path.stat().st_size for path in zoo.rglob("*") if path.is_file()) / 2**30
    options = resolve(args.model, model_module(args.model).OPTIONS, {})
    official = int(options.get("steps", 0))
    upscaler: Any = load_upscaler(args.model, "official", zoo, args.device, precision, options)
    lr = torch.rand(args.batch, 3, args.lr, args.lr, generator=torch.Generator().manual_seed(0))
    # the first batch pays for kernels and libraries
    upscaler.options = {**options, **({"steps": 1} if official else {})}
    upscaler.upscale(lr, list(range(args.batch)))
    print(f"{args.model} {precision}: files {size:.2f} GiB, ready in {time.perf_counter() - begun:.1f} s", flush=True)
    seconds = []
    for steps in args.steps if official else (0,):
        upscaler.options = {**options, **({"steps": steps} if official else {})}
        start = time.perf_counter()
        sr = upscaler.upscale(lr, list(range(args.batch)))
        seconds.append((time.perf_counter() - start) / args.batch)
    step = (seconds[1] - seconds[0]) / (args.steps[1] - args.steps[0]) if official else 0.0
    whole = seconds[0] + step * (official - args.steps[0]) if official else seconds[0]
    gpu = f", of the GPU {torch.cuda.max_memory_allocated() / 2**30:.1f}" if args.device == "cuda" else ""
    name = torch.cuda.get_device_name() if args.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(
        f"{args.model} {precision}: {whole:.3f} s an image at {official} steps ({step:.4f} each), batch {args.batch}, "
        f"{args.lr}x{args.lr} LR, peak {peak():.1f} GiB{gpu}; {name}; result {tuple(sr.shape)}, "
        f"finite {bool(torch.isfinite(sr).all())}, standard deviation {float(sr.std()):.3f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
