"""A diffusion model at full size with random weights: one 64x64 LR image, two steps, fp32, on a CPU.

Run: python benchmarks/full_size.py {seesr,pasd,stablesr} [FOLDER]
It writes a zoo in the layout of the official one into a temporary folder (below FOLDER), loads it through the same door
as real weights, enlarges one image, and removes it. Proves names, shapes, formats, sizes and memory, not quality. The
tag lists are made up, so their hashes are not compared. Models work at their official size: 512x512, PASD 768x768.

Measured on two busy CPU cores, one thread, torch 2.15; seconds of the processor:
- seesr: files 8.4 GiB, image 132 s, peak 10.5 GiB.
- pasd, at its 768x768: files 8.6 GiB, image 341 s, peak 12.3 GiB.
- stablesr: files 5.7 GiB, image 108 s, peak 7.7 GiB.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))


def main() -> None:
    """Write, load, run, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=["seesr", "pasd", "stablesr"])
    parser.add_argument("folder", nargs="?", help="where the zoo is written for the time of the run")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        print("writing random weights", flush=True)
        # in a process of its own, so that its memory is not counted
        writer = multiprocessing.get_context("spawn").Process(target=write, args=(args.model, Path(folder)))
        writer.start()
        writer.join()
        if writer.exitcode:
            sys.exit(f"writing the zoo failed with exit code {writer.exitcode}")
        measure(args.model, Path(folder))


def write(model: str, folder: Path) -> None:
    """Write the zoo."""
    import full_size_zoo

    full_size_zoo.write(model, folder)


def peak() -> float:
    """Largest memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(model: str, zoo: Path) -> None:
    """Load a model from the zoo and run one image."""
    import torch

    from hlf.files import sha256
    from hlf.sr.diffusion import tagger
    from hlf.sr.registry import load_upscaler

    if model == "seesr":
        tagger.LIST_SHA256 = {name: sha256(zoo / name) for name in tagger.LIST_SHA256}
    size = sum(path.stat().st_size for path in zoo.rglob("*") if path.is_file()) / 2**30
    print(f"files {size:.2f} GiB", flush=True)
    start = time.perf_counter()
    upscaler = load_upscaler(model, "official", zoo, "cpu", "fp32", {"steps": 2})
    loaded = time.perf_counter()
    print(f"loaded in {loaded - start:.1f} s, peak {peak():.1f} GiB", flush=True)
    worked = time.process_time()
    lr = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    sr = upscaler.upscale(lr, [1])
    seconds = time.perf_counter() - loaded
    work = f"{seconds:.1f} s, of the processor {time.process_time() - worked:.1f} s"
    print(f"64x64 LR, 2 steps, {torch.get_num_threads()} threads: {work}, peak {peak():.1f} GiB")
    print(
        f"result {tuple(sr.shape)}, finite {bool(torch.isfinite(sr).all())}, standard deviation {float(sr.std()):.3f}"
    )


if __name__ == "__main__":
    main()
