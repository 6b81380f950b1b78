"""A fine-tuning step of SeeSR at full size with random weights: time, memory, and how much there is to compute.

Run: python benchmarks/bench_tuning.py [FOLDER] [--crop 128] [--batch 1] [--steps 1] [--precision fp32] [--device cpu]
It writes a zoo and a metric in their official layouts into a temporary folder (below FOLDER), 19 GiB, and takes steps
through the same code as the workflow, with and without L_HLF, each in a process of its own. Then it counts the
operations of every network at 512x512 without computing them, from which docs/tuning.md estimates GPU hours.
On a GPU: --crop 512 --batch 4 --steps 20 --precision bf16 --device cuda.
The hot path of `make bench` is a step of the mini SeeSR at the settings of config.yaml, with L_HLF against without.

Measured: see docs/tuning.md.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from frame import ROOT, Call, HotPath

ALPHAS = (0.0, 0.1)


def batches_of(trainer: Any) -> list[Any]:
    """Pictures of every batch of a training's first pass."""
    return [[trainer.task.pairs.pair(*place) for place in part] for part in trainer.schedule.batches(0, 0)]


@contextmanager
def mini_step(alpha: float, folder: Path) -> Iterator[Call]:
    """A step of the mini SeeSR at the settings of config.yaml."""
    sys.path[:0] = [str(ROOT / "tests")]
    from hlf.device import one_thread
    from hlf.tuning.train import Trainer
    from tuning_helpers import CONFIG, small_task

    one_thread()
    mini = {name: CONFIG["tuning"][name] for name in ("crop", "step_images", "batch_size")}
    trainer = Trainer(small_task(folder / str(alpha), alpha, images=mini["step_images"], epochs=1, **mini))
    (batch,) = batches_of(trainer)
    yield lambda: trainer._step([batch], 0)


PATHS = [
    HotPath(
        "tuning",
        "fine-tuning step of SeeSR with L_HLF, 8 images",
        "the step without L_HLF",
        "step",
        1,
        lambda _: None,
        partial(mini_step, ALPHAS[1]),
        partial(mini_step, ALPHAS[0]),
        floor=True,
    )
]


def main() -> None:
    """Write, step, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="where the weights are written for the time of the run")
    parser.add_argument("--crop", type=int, default=128, help="GT side in pixels")
    parser.add_argument("--batch", type=int, default=1, help="images of a step")
    parser.add_argument("--steps", type=int, default=1, help="steps that are timed, after one that is not")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "fp16"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--count-only", action="store_true", help="count operations, take no step")
    args = parser.parse_args()
    if not args.count_only:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            for work in ((write, Path(folder)), *((measure, Path(folder), args, alpha) for alpha in ALPHAS)):
                # in a process of its own, so that its memory is counted alone
                process = multiprocessing.get_context("spawn").Process(target=work[0], args=work[1:])
                process.start()
                process.join()
                if process.exitcode:
                    sys.exit(f"{work[0].__name__} failed with exit code {process.exitcode}")
    count()


def write(folder: Path) -> None:
    """Write zoo and metric."""
    import full_size_zoo

    from hlf.backbones.registry import load_backbone
    from hlf.metric.fidelity import HighLevelFidelity

    full_size_zoo.write("seesr", folder)
    import transformers

    sizes = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
    config = transformers.Dinov2Config(**sizes, image_size=518, patch_size=14)
    transformers.Dinov2Model(config).save_pretrained(folder / "dinov2-base")
    HighLevelFidelity(load_backbone("dinov2", "official", folder)).save_pretrained(folder / "metric")


def task(folder: Path, args: argparse.Namespace, alpha: float) -> Any:
    """Fine-tuning on scenes, at the settings of the paper's scale."""
    import pandas as pd
    import yaml

    from hlf.tuning.pictures import choose
    from hlf.tuning.task import Folders, task_of

    mini, paper = (yaml.safe_load((ROOT / name).read_text())["tuning"] for name in ("config.yaml", "config.paper.yaml"))
    own = {"source": "scenes", "folder": None, "images": args.batch * (args.steps + 1), "crop": args.crop}
    own |= {"step_images": args.batch, "batch_size": args.batch, "epochs": 1, "workers": 0, "precision": args.precision}
    own |= {"checkpoint_every": 10**6, "sample_every": 10**6}
    own |= {"optimizer": "adamw_fused" if args.device == "cuda" else "adamw"}
    plain = {"timesteps": [0, 999], "weighting": "none", "crop": 0, "shrink": 1, "checkpointing": False}
    tuning = {**mini, **paper, **own, "loss": plain}
    rest = {"seed": 1, "zoo": "official", "images.objects": [0.2, 0.5], "degradation.levels": [0.3]}
    chosen = pd.DataFrame(choose(tuning, 1, []), columns=["image_id", "file"])
    folders = Folders(*(folder / f"work{alpha}" / name for name in ("work", "events", "samples", "model", "logs")))
    return task_of(alpha, rest, tuning, folder, folder / "metric", chosen, args.device, folders, "random weights")


def peak(device: str) -> float:
    """Largest memory so far in GiB, of the GPU if there is one."""
    import torch

    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(folder: Path, args: argparse.Namespace, alpha: float) -> None:
    """Take steps at one alpha."""
    import torch

    from hlf.files import sha256
    from hlf.sr.diffusion import tagger
    from hlf.tuning.train import Trainer

    # the lists are made up as well
    tagger.LIST_SHA256 = {name: sha256(folder / name) for name in tagger.LIST_SHA256}
    trainer = Trainer(task(folder, args, alpha))
    batches = batches_of(trainer)
    trainer._step([batches[0]], 0)
    if args.device == "cuda":
        torch.cuda.synchronize()
    begun, worked = time.perf_counter(), time.process_time()
    for batch in batches[1:]:
        trainer._step([batch], 0)
    if args.device == "cuda":
        torch.cuda.synchronize()
    seconds, work = ((now - then) / args.steps for now, then in
                     ((time.perf_counter(), begun), (time.process_time(), worked)))  # fmt: skip
    name = torch.cuda.get_device_name() if args.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(
        f"alpha {alpha}: {seconds:.2f} s a step ({work:.2f} s of the processor), {args.batch / seconds:.3f} images/s, "
        f"peak {peak(args.device):.1f} GiB; batch {args.batch}, {args.crop}x{args.crop}, {args.precision}, {name}",
        flush=True,
    )


def count() -> None:
    """Operations per image at 512x512, forward and with the backward pass that the training needs."""
    import torch
    import transformers
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from full_size_zoo import OFFICIAL, SD2, without_decoder
    from torch.utils.flop_counter import FlopCounterMode

    from hlf.nets import seesr as nets

    def counted(work: Any) -> float:
        with FlopCounterMode(display=False) as counter:
            work()
        return counter.get_total_flops() / 1e12

    with torch.device("meta"):
        unet, controlnet = nets.unet(SD2), nets.controlnet(without_decoder(SD2))
        vae = AutoencoderKL(**OFFICIAL["vae"]).requires_grad_(False)
        sizes = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
        tower = transformers.Dinov2Model(transformers.Dinov2Config(**sizes, image_size=518, patch_size=14))
        tower.requires_grad_(False)
        nets.trainable(unet, controlnet)
        latents, text, context = torch.empty(1, 4, 64, 64), torch.empty(1, 77, 1024), torch.empty(1, 145, 512)
        times, condition = torch.zeros(1, dtype=torch.long), torch.empty(1, 3, 512, 512)
        inputs = (latents, times, text, context)
        small = torch.empty(1, 3, 224, 224, requires_grad=True)
        free = latents.clone().requires_grad_()
        found = {
            "VAE encode": counted(lambda: vae.encode(condition)),
            "ControlNet and UNet forward": counted(lambda: unet(*inputs, controlnet(*inputs, condition))),
            "both forward and backward": counted(
                lambda: unet(*inputs, controlnet(*inputs, condition)).sum().backward()
            ),
            "VAE decode forward and backward": counted(lambda: vae.decode(free)[0].sum().backward()),
            "DINOv2 forward of GT and SR, backward of SR": counted(lambda: tower(small)[0].sum().backward())
            + counted(lambda: tower(small.detach())),
        }
    for name, value in found.items():
        print(f"{name}: {value:.2f} TFLOP")


if __name__ == "__main__":
    main()
