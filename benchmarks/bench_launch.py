"""Fine-tuning of the mini SeeSR as a job runs it, whole: started, interrupted, resumed, written, read again; a minute.

Run: python benchmarks/bench_launch.py [--device cuda] [--precision bf16] [--processes 1] [--optimizers adamw_fused ...]
For each optimiser it takes twelve steps at 96 pixels in this process; again, breaking off after step 7 and going on
from the checkpoint; and, with --processes 2 or more, once more in so many processes through Accelerate's launcher. It
prints times, memory, and how far the losses of the ways lie apart: rounding only, on a CPU none at all for the resumed
one. It fails where they differ by more, or where the written model makes no picture. It needs the mini zoo.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "workflow_scripts")]

STEPS, BREAK, STEP_IMAGES = 12, 7, 4
# relative difference of losses that rounding explains, by number format; on a GPU no two runs have the same bits
APART = {"fp32": 1e-3, "bf16": 3e-2, "fp16": 3e-2}


def main() -> None:
    """Run all ways with every optimiser."""
    import torch

    from hlf.device import one_thread

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--precision", default="fp32", choices=list(APART))
    parser.add_argument("--processes", type=int, default=1, help="2 or more: also through the launcher, one per GPU")
    parser.add_argument("--optimizers", nargs="+", default=["adamw"])
    args = parser.parse_args()
    one_thread()
    for optimizer in args.optimizers:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            begun = time.perf_counter()
            whole = losses(folder / "whole", args, optimizer)
            seconds = time.perf_counter() - begun
            told = [
                f"{STEPS} steps {seconds:.1f} s",
                f"resumed {apart(whole, resumed(folder / 'parts', args, optimizer))}",
            ]
            if args.processes > 1:
                begun = time.perf_counter()
                many = losses(folder / "many", args, optimizer, args.processes)
                told.append(f"{args.processes} processes {time.perf_counter() - begun:.1f} s {apart(whole, many)}")
            if args.device == "cuda":
                told.append(f"{torch.cuda.max_memory_allocated() / 2**30:.2f} GiB, {torch.cuda.get_device_name()}")
            picture(folder / "whole", args.device)
            sys.stdout.write(f"{optimizer}, {args.precision}, {args.device}: {'; '.join(told)}\n")
            if not all(same(whole, other, APART[args.precision]) for other in found(folder)):
                sys.exit(f"{optimizer}: the ways differ by more than rounding")


def task(folder: Path, args: argparse.Namespace, optimizer: str, processes: int = 1) -> Any:
    """A fine-tuning of twelve steps."""
    from tuning_helpers import small_task

    settings = {"images": STEPS * STEP_IMAGES, "epochs": 1, "step_images": STEP_IMAGES, "checkpoint_every": BREAK - 1}
    settings |= {"batch_size": STEP_IMAGES // processes, "processes": processes, "sample_every": STEPS}
    settings |= {"optimizer": optimizer, "precision": args.precision}
    return replace(small_task(folder, **settings), device=args.device)


def losses(folder: Path, args: argparse.Namespace, optimizer: str, processes: int = 1) -> Any:
    """History of a whole fine-tuning."""
    from hlf.files import read_table
    from hlf.tuning.launch import fine_tune

    fine_tune(task(folder, args, optimizer, processes))
    return read_table(folder / "model/history.csv")


def resumed(folder: Path, args: argparse.Namespace, optimizer: str) -> Any:
    """History of one that breaks off and goes on."""
    from hlf.tuning.train import Trainer

    class Broken(Exception):
        pass

    step, taken = Trainer._step, []

    def breaking(trainer: Any, *given: Any) -> Any:
        if len(taken) == BREAK:
            raise Broken
        taken.append(1)
        return step(trainer, *given)

    Trainer._step = breaking  # type: ignore[method-assign]
    try:
        losses(folder, args, optimizer)
    except Broken:
        pass
    finally:
        Trainer._step = step  # type: ignore[method-assign]
    return losses(folder, args, optimizer)


def found(folder: Path) -> list[Any]:
    """Histories of the other ways."""
    from hlf.files import read_table

    return [read_table(path) for path in folder.glob("*/model/history.csv")]


def same(first: Any, second: Any, tolerance: float) -> bool:
    """Whether two histories differ by rounding only."""
    columns = ["loss_ori", "loss_hlf"]
    near = (first[columns] - second[columns]).abs() <= tolerance * first[columns].abs() + 1e-6
    return len(first) == len(second) == STEPS and bool(near.all(axis=None)) and not second["skipped"].any()


def apart(first: Any, second: Any) -> str:
    """Largest relative difference of two histories' losses, in words."""
    columns = ["loss_ori", "loss_hlf"]
    return f"apart by {((first[columns] - second[columns]) / first[columns]).abs().max(axis=None):.1e}"


def picture(folder: Path, device: str) -> None:
    """A picture by the model that was written."""
    import torch

    from hlf.sr.registry import load_upscaler
    from tuning_helpers import ZOO

    options = {"steps": 2, "process_size": 96, "weights": str(folder / "model")}
    lr = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    sr = load_upscaler("seesr", "mini", ZOO, device, "fp32", options).upscale(lr, [1])
    if tuple(sr.shape) != (1, 3, 96, 96) or not bool(torch.isfinite(sr).all()):
        sys.exit("the written model makes no picture")


if __name__ == "__main__":
    main()
