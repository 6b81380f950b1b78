"""The sampling loop: seeded draws, start point, guidance, steps of a scheduler."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

if TYPE_CHECKING:
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
    from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

# SeeSR starts from the noise level of its last timestep even though the first step runs at 981: the official program
# does not pass its option start_steps on, and the published pictures are made this way
START_TIMESTEP = 999


# called after each step with its number, the prediction and the new latents
Watch = Callable[[int, Tensor, Tensor], None]


@dataclass(frozen=True)
class Draws:
    """Where random numbers come from.

    Attributes:
        noise: one generator per image, for start noise and steps.
        posterior: one per image, for the VAE's posterior; the same ones unless the official order is wanted.
        posterior_rows: rows drawn at once, of which the first is used: two under guidance in the official program.
    """

    noise: list[torch.Generator]
    posterior: list[torch.Generator]
    posterior_rows: int = 1

    def normal(self, shape: tuple[int, ...], device: str) -> Tensor:
        """Start noise (images, *shape), float32."""
        return self._draw(self.noise, shape, device)

    def posterior_normal(self, shape: tuple[int, ...], device: str) -> Tensor:
        """Posterior noise (images, *shape), float32."""
        rows = [
            randn_tensor((self.posterior_rows, *shape), generator=one, device=torch.device(device))[:1]
            for one in self.posterior
        ]
        return torch.cat(rows)

    @staticmethod
    def _draw(generators: list[torch.Generator], shape: tuple[int, ...], device: str) -> Tensor:
        parts = [randn_tensor((1, *shape), generator=one, device=torch.device(device)) for one in generators]
        return torch.cat(parts)


def seeded(seeds: list[int]) -> Draws:
    """One generator per image from its seed, so that no draw depends on other images, their order or the batch.

    The generators live on the CPU, hence a seed means the same noise on every device.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return Draws(generators, generators)


def shared(noise: torch.Generator, posterior: torch.Generator, guided: bool) -> Draws:
    """Draws of one image in the official order: generators that go on from image to image."""
    return Draws([noise], [posterior], 2 if guided else 1)


def start(scheduler: "DDPMScheduler", latents: Tensor | None, noise: Tensor) -> Tensor:
    """Where sampling begins: `noise`, or latents of the LR image under noise of timestep 999; both (N, 4, h, w)."""
    if latents is None:
        return noise
    timestep = min(START_TIMESTEP, scheduler.config["num_train_timesteps"] - 1)
    timesteps: Any = torch.full((len(latents),), timestep, device=latents.device)
    return scheduler.add_noise(latents, noise, timesteps)


def start_twice(
    scheduler: "UniPCMultistepScheduler", latents: Tensor, first: Tensor, second: Tensor, level: int, exact: bool
) -> Tensor:
    """Where PASD begins: latents of the LR image under noise of the first timestep, then of timestep `level`.

    Since diffusers 0.25 the scheduler looks `level` up among the timesteps of the run, and one that is not there counts
    as the last: with 20 steps, 900 adds the noise of timestep 50. The official program pins such a version, so that is
    what its pictures are made with; before, and with `exact`, 900 buries the LR image.

    Args:
        scheduler: its timesteps set.
        latents: of the LR image, (N, 4, h, w).
        first: standard normal noise, (N, 4, h, w).
        second: likewise.
        level: a timestep.
        exact: take `level` at its word.
    """
    times = [torch.full((len(latents),), int(t), device=latents.device) for t in (scheduler.timesteps[0], level)]
    noisy: Tensor = scheduler.add_noise(latents, first, times[0])  # type: ignore[arg-type]
    if exact:
        kept = scheduler.alphas_cumprod[level]
        return noisy * kept.sqrt() + second * (1 - kept).sqrt()
    return scheduler.add_noise(noisy, second, times[1])  # type: ignore[arg-type]


def respaced(steps: int, train_steps: int = 1000) -> list[int]:
    """Falling timesteps of StableSR's respacing, which holds the first and the last one.

    A running sum rounded half to even, as in the official program: a closed formula gives other numbers for some
    `steps`, such as 39.

    >>> respaced(4), respaced(1)
    ([999, 666, 333, 0], [0])
    """
    stride, place, times = (train_steps - 1) / max(1, steps - 1), 0.0, []
    for _ in range(steps):
        times.append(round(place))
        place += stride
    return times[::-1]


def guide(prediction: Tensor, scale: float) -> Tensor:
    """Guided prediction (N, ...) of a batch of negative, then positive branches (2N, ...)."""
    negative, positive = prediction.chunk(2)
    return negative + scale * (positive - negative)


def sample(
    predict: Callable[[Tensor, Tensor], Tensor],
    scheduler: "DDPMScheduler | UniPCMultistepScheduler",
    latents: Tensor,
    steps: int,
    draws: Draws,
    watch: Watch | None = None,
    timesteps: list[int] | None = None,
) -> Tensor:
    """Run the reverse process: ancestral DDPM sampling (Ho et al. 2020, algorithm 2) or UniPC (Zhao et al. 2023).

    Args:
        predict: network output (N, 4, h, w), after guidance, of latents and a timestep ().
        scheduler: with the base model's settings; its timesteps are set here.
        latents: start point (N, 4, h, w), float32. Latents stay float32 whatever the networks run in, so a seed gives
            the same draws in every precision.
        steps: number of steps.
        draws: one generator per image.
        watch: see `Watch`.
        timesteps: those of the steps, falling, instead of the scheduler's own `steps`.

    Returns:
        float32 latents (N, 4, h, w) in the scale of the VAE's scaling_factor.
    """
    spacing: dict[str, Any] = {"num_inference_steps": steps} if timesteps is None else {"timesteps": timesteps}
    scheduler.set_timesteps(**spacing)
    # ancestral schedulers draw; a list is allowed too, one generator per row
    own: Any = {"generator": draws.noise} if "generator" in inspect.signature(scheduler.step).parameters else {}
    for index, timestep in enumerate(scheduler.timesteps):
        prediction = predict(latents, timestep.to(latents.device))
        latents = scheduler.step(prediction, int(timestep), latents, return_dict=False, **own)[0]
        if watch is not None:
            watch(index, prediction, latents)
    return latents
