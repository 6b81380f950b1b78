"""SeeSR: a plain program against ours, on the same zoo, images and seeds.

Run: python benchmarks/seesr_speed.py --zoo mini --images 8            (CPU)
     python benchmarks/seesr_speed.py --zoo official --device cuda --batch-size 8 --precision bf16

Plain: one image after the other in float32, as diffusers' pipelines do it (plain_sr.py). Ours: batches, in the asked
precision, compiled if asked for. Prints images/s of both, their ratio, peak memory, and the PSNR between the results:
how far the faster way changes the picture.
"""

import argparse
import resource
import time
from pathlib import Path
from typing import Any

import frame  # finds the library


def arguments() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--zoo", choices=["mini", "official"], default="mini")
    add("--zoo-folder", type=Path, help="default: resources/zoo/<zoo>")
    add("--device", choices=["cpu", "cuda"], default="cpu")
    add("--precision", choices=["fp32", "bf16", "fp16"], default="fp32", help="of our way")
    add("--batch-size", type=int, default=4, help="of our way")
    add("--images", type=int, default=8)
    add("--side", type=int, default=32, help="LR side in pixels (paper scale: 128)")
    add("--steps", type=int, default=10, help="sampling steps of both ways")
    add("--process-size", type=int, help="default: what the UNet was trained at")
    add("--compile", action="store_true", help="compile the networks of our way")
    add("--threads", type=int, default=1)
    return parser.parse_args()


def scenes(count: int, side: int) -> Any:
    """LR pictures (count, 3, side, side) in [0, 1]: scenes with known content, made smaller."""
    import torch
    from torch.nn import functional as F

    from hlf.images import to_tensor
    from hlf.scenes.scene import scene_for

    large = torch.stack([to_tensor(scene_for(42, "benchmark", i, 4 * side).image) for i in range(count)])
    return F.interpolate(large, (side, side), mode="bilinear", antialias=True).clamp(0, 1)


def load(args: argparse.Namespace, precision: str, compiled: bool) -> Any:
    """The model."""
    from hlf.sr.registry import load_upscaler

    options = {"steps": args.steps, "process_size": args.process_size, "compile": compiled}
    folder = args.zoo_folder or frame.ROOT / "resources/zoo" / args.zoo
    return load_upscaler("seesr", args.zoo, folder, args.device, precision, options)


def timed(upscale: Any, lr: Any, batch: int, on_gpu: bool) -> tuple[float, float, Any]:
    """Seconds per image, peak memory in GiB, and the pictures; `upscale` takes a batch and its seeds."""
    import torch

    upscale(lr[:batch], list(range(min(batch, len(lr)))))  # warm up; what a model remembers stays out of the clock
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    parts = [upscale(lr[i : i + batch], list(range(i, min(i + batch, len(lr))))) for i in range(0, len(lr), batch)]
    seconds = (time.perf_counter() - start) / len(lr)  # results come to the CPU, so a GPU has finished
    used = (
        torch.cuda.max_memory_allocated() / 2**30
        if on_gpu
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    )
    return seconds, used, torch.cat(parts)


def main() -> None:
    """Our way, then the plain one, in one process; on a CPU the peak is that of the process so far."""
    args = arguments()
    import plain_sr
    import torch

    torch.set_num_threads(args.threads)
    lr, on_gpu = scenes(args.images, args.side), args.device == "cuda"
    model = load(args, args.precision, args.compile)
    ours, memory, sr = timed(model.upscale, lr, args.batch_size, on_gpu)
    print(
        f"ours ({args.precision}, batches of {args.batch_size}): {1 / ours:.3f} images/s, peak {memory:.2f} GiB",
        flush=True,
    )
    one = plain_sr.diffusion("seesr", load(args, "fp32", False))
    plain, memory, reference = timed(lambda batch, seeds: one(batch[0], seeds[0])[None], lr, 1, on_gpu)
    print(f"plain program (fp32, one by one): {1 / plain:.3f} images/s, peak {memory:.2f} GiB")
    error = (sr - reference).square().flatten(1).mean(1)
    psnr = -10 * torch.log10(error.clamp_min(1e-12))
    print(f"ratio {plain / ours:.2f}; PSNR between both {float(psnr.mean()):.1f} dB, lowest {float(psnr.min()):.1f} dB")
    print(f"{args.images} images of {args.side}x{args.side}, {args.steps} steps, {args.device}, {args.threads} threads")


if __name__ == "__main__":
    main()
