"""Fine-tuning SeeSR with the HLF loss on Hugging Face Accelerate: one process or many (paper 5, Equation 1).

Nothing draws from a global generator (`hlf.tuning.schedule`, `hlf.tuning.encoding`), so the step number is all that a
resumed run needs beside weights, optimiser, average and scaler; on a CPU it then gives the bits of an unbroken one. It
may have another number of processes: all hold the same state, and a step is the same images however they are shared.
"""

import contextlib
import logging
from collections.abc import Iterator
from datetime import timedelta

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from diffusers.training_utils import EMAModel
from torch import Tensor

from hlf.errors import HlfError
from hlf.files import write_table
from hlf.metric.load import load_metric
from hlf.sr.diffusion.latent import set_up
from hlf.sr.seesr_upscaler import SeeSR
from hlf.tuning.checkpoints import Checkpoints
from hlf.tuning.division import accumulation
from hlf.tuning.encoding import Inputs
from hlf.tuning.loss import ImageLoss, ImageOptions
from hlf.tuning.model import load_start, save_tuned
from hlf.tuning.noising import noise_loss
from hlf.tuning.optimizers import build_optimizer
from hlf.tuning.pictures import Pair
from hlf.tuning.schedule import Schedule
from hlf.tuning.task import Task, card
from hlf.tuning.watch import Watch

log = logging.getLogger(__name__)
MAX_NORM = 1.0  # of the gradient, as train_seesr.py
# how long processes wait for each other; our choice, longer than a checkpoint or a picture takes on a slow disk. Their
# parent notices at once that one died
PATIENCE = timedelta(minutes=30)


class Trainer:
    """A training in one of its processes.

    Args:
        task: see `Task`.

    Raises:
        HlfError: wrong settings or files, or another number of processes than `tuning.processes`.
    """

    def __init__(self, task: Task):
        self.task, settings = task, task.settings
        batch_size, processes = int(settings["batch_size"]), int(settings["processes"])
        parts = accumulation(int(settings["step_images"]), batch_size, processes)
        self.accelerator = Accelerator(
            cpu=task.device == "cpu",
            mixed_precision={"fp32": "no"}.get(settings["precision"], settings["precision"]),
            gradient_accumulation_steps=parts,
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        )
        if self.accelerator.num_processes != processes:
            raise HlfError(
                f"tuning.processes is {processes}, but {self.accelerator.num_processes} take part; start the training "
                "by hlf.tuning.launch.fine_tune"
            )
        # among many processes Accelerate calls the CPU "cpu:0", which nothing else knows
        device = "cpu" if task.device == "cpu" else str(self.accelerator.device)
        trusted = task.options["trust_ram_file"]
        self.start = load_start(task.zoo, task.folder, device, settings, task.config_seed, trusted)
        self.learned = dict(self.start.denoiser.learned())
        optimizer = build_optimizer(settings["optimizer"], self.learned.values(), float(settings["learning_rate"]))
        self.denoiser, self.optimizer = self.accelerator.prepare(self.start.denoiser, optimizer)
        decay = float(settings["ema"])
        self.average = EMAModel(self.learned.values(), decay=decay) if decay else None
        self.image = self._image_loss(device) if task.alpha else None
        self.schedule = Schedule(
            len(task.pairs), int(settings["epochs"]), batch_size, parts, processes, task.config_seed
        )
        self.checkpoints = Checkpoints(task.folders.work, int(settings["keep"]))
        self.history: list[dict[str, float]] = []
        self.refused: dict[str, str] = {}
        self.in_a_row = 0  # steps without a finite loss or gradient, up to now

    def _image_loss(self, device: str) -> ImageLoss:
        metric = load_metric(self.task.settings["backbone"], self.task.metric, device=device)
        options = self.task.settings["loss"]
        how = ImageOptions(**{**options, "timesteps": (options["timesteps"][0], options["timesteps"][1])})
        return ImageLoss(metric, self.start.vae, self.start.encoder.scheduler.alphas_cumprod.to(device), how)

    def run(self) -> None:
        """Train from the last checkpoint to the end, and write the model."""
        first, settings = self._resume(), self.task.settings
        loader = torch.utils.data.DataLoader(
            self.task.pairs,
            batch_sampler=self.schedule.batches(first, self.accelerator.process_index),  # type: ignore[arg-type]
            collate_fn=list,
            num_workers=int(settings["workers"]),
        )
        batches = iter(loader)
        with Watch(self.task, self._upscaler, self.history, self.schedule.steps, self._main) as watch:
            for step in range(first, self.schedule.steps):
                epoch = self.schedule.epoch(step)
                entry = self._step([usable(next(batches)) for _ in range(self.schedule.accumulation)], epoch)
                self.history.append({"step": step + 1, "epoch": epoch, **entry})
                watch.told(self.history[-1])
                if (step + 1) % int(settings["checkpoint_every"]) == 0:
                    self._save(step + 1)
                if (step + 1) % int(settings["sample_every"]) == 0:
                    self._sample(watch, step + 1)
        self._finish()

    @property
    def _main(self) -> bool:
        return bool(self.accelerator.is_main_process)

    def _step(self, batches: list[list[Pair]], epoch: int) -> dict[str, float]:
        """One optimiser step on the batches of this process; losses are means over all processes, 0 if skipped."""
        sums, finite, norm = torch.zeros(2, device=self.accelerator.device), True, torch.zeros(())
        for pairs in batches:
            self.refused |= {name: reason for pair in pairs for name, reason in pair.refused}
            with self.accelerator.accumulate(self.denoiser):
                parts = self._losses(self.start.encoder(pairs, epoch))
                total = parts[0] if self.image is None else parts[0] + self.task.alpha * parts[1]
                # all processes agree, since they wait for each other in the backward pass
                finite = finite and self._agreed(bool(torch.isfinite(total)))
                if finite:
                    self.accelerator.backward(total)
                    sums += torch.stack([part.detach() for part in parts]) / len(batches)
                if finite and self.accelerator.sync_gradients:
                    norm = self.accelerator.clip_grad_norm_(list(self.learned.values()), MAX_NORM)
                    finite = bool(torch.isfinite(norm))
                    # the scaler of float16 skips the step itself, and learns from it
                    if finite or self.accelerator.scaler is not None:
                        self.optimizer.step()
                self.optimizer.zero_grad()
        self._count(finite)
        if finite and self.average:
            self.average.step(self.learned.values())
        ori, hlf = self.accelerator.reduce(sums * finite, "mean").tolist()
        return {"loss_ori": ori, "loss_hlf": hlf, "gradient": float(norm), "skipped": float(not finite)}

    def _losses(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """L_ori and L_HLF; the latter is 0 without an image loss."""
        predicted = self.denoiser(inputs.noisy, inputs.times, inputs.text, inputs.batch)  # Accelerate sees to its types
        ori = noise_loss(predicted, inputs.noise)
        if self.image is None:
            return ori, torch.zeros_like(ori)
        # float16 overflows in the gradients of the decoder
        low = self.task.settings["precision"] == "bf16"
        with self.accelerator.autocast() if low else contextlib.nullcontext():
            return ori, self.image(inputs.noisy, predicted, inputs.times, inputs.target, inputs.corner)

    def _agreed(self, mine: bool) -> bool:
        flag = torch.tensor(float(mine), device=self.accelerator.device)
        return bool(self.accelerator.reduce(flag, "sum") == self.accelerator.num_processes)

    def _count(self, finite: bool) -> None:
        """Count a skipped step; HlfError when they come in a row."""
        self.in_a_row = 0 if finite else self.in_a_row + 1
        limit = int(self.task.settings["give_up_after"])
        if not finite:
            log.warning("a step without a finite loss and gradient was skipped, number %d in a row", self.in_a_row)
        if self.in_a_row >= limit:
            raise HlfError(
                f"{limit} steps in a row had no finite loss or gradient (tuning.give_up_after); lower "
                "tuning.learning_rate, or use tuning.precision bf16 or fp32"
            )

    def _resume(self) -> int:
        """Go back to the last checkpoint; the number of steps that are done."""
        state = self.checkpoints.last()
        if state is None:
            return 0
        if state["step_images"] != self.schedule.whole:
            raise HlfError(
                f"the checkpoint in {self.checkpoints.folder} was made with {state['step_images']} images a step, "
                f"tuning.step_images is {self.schedule.whole}; go back to that, or remove the folder to start anew"
            )
        for name, parameter in self.learned.items():
            parameter.data.copy_(state["learned"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average:
            self.average.load_state_dict(state["average"])
            self.average.to(self.accelerator.device)
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.history, self.refused, self.in_a_row = state["history"], state["refused"], state["in_a_row"]
        log.info("resumed after step %d", len(self.history))
        return len(self.history)

    def _save(self, step: int) -> None:
        """Checkpoint; every process has the same weights, so one writes. What was refused is gathered before."""
        self._gather()
        if self._main:
            scaler = self.accelerator.scaler
            self.checkpoints.save(
                step,
                {
                    "learned": {name: p.data for name, p in self.learned.items()},
                    "optimizer": self.optimizer.state_dict(),
                    "average": self.average.state_dict() if self.average else None,
                    "scaler": scaler.state_dict() if scaler is not None else None,
                    "history": self.history,
                    "refused": self.refused,
                    "in_a_row": self.in_a_row,
                    "step_images": self.schedule.whole,
                },
            )
        self.accelerator.wait_for_everyone()

    def _gather(self) -> None:
        from accelerate.utils import gather_object

        self.refused = dict(gather_object(list(self.refused.items())))

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        """Networks with the averaged weights, where there is an average."""
        if self.average:
            self.average.store(self.learned.values())
            self.average.copy_to(self.learned.values())
        yield
        if self.average:
            self.average.restore(self.learned.values())

    def _sample(self, watch: Watch, step: int) -> None:
        if self._main:
            with self._averaged():
                watch.sample(step)
        self.accelerator.wait_for_everyone()

    def _upscaler(self) -> SeeSR:
        """SeeSR on the networks that learn, for looking at what they make."""
        setup = set_up("seesr", self.task.zoo, [], self.start.encoder.degraded.device, "fp32", self.task.options, True)
        return SeeSR(setup, lambda _: self.start.networks, self.start.encoder.scheduler, self.start.encoder.degraded)

    def _finish(self) -> None:
        """Write the model, its history and what was refused; the checkpoints are not needed any more."""
        import pandas as pd

        self._gather()
        if self._main:
            with self._averaged():
                text = card(self.task, self.schedule, self.history, len(self.refused))
                save_tuned(self.task.folders.result, self.start.denoiser, self.start.files, text)
            write_table(pd.DataFrame(self.history), self.task.folders.result / "history.csv")
            refused = pd.DataFrame(sorted(self.refused.items()), columns=["image_id", "reason"])
            write_table(refused, self.task.folders.result / "refused.csv")
            self.checkpoints.remove()
            self.checkpoints.remove_others()
        self.accelerator.wait_for_everyone()


def usable(batch: list[Pair | HlfError]) -> list[Pair]:
    """The pairs of a batch; the first error among them is raised here, in the process that trains."""
    pairs = []
    for pair in batch:
        if isinstance(pair, HlfError):
            raise pair
        pairs.append(pair)
    return pairs
