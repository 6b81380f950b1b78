"""From training pairs to the inputs of a step: latents, condition, context, prompts, noise; nothing here learns.

Source: training script and data set of cswry/SeeSR. Every random number of an image comes from a generator of its name
and epoch, so a step does not depend on how its images are divided among processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hlf.seeds import generator
from hlf.sr.diffusion import vae as vae_recipe
from hlf.sr.diffusion.prompts import TextEncoder
from hlf.sr.diffusion.tagger import Tagger
from hlf.tuning.noising import draw_noise, drop_prompts, enlarged
from hlf.tuning.pictures import Pair
from hlf.tuning.seesr_batch import Batch, described


@dataclass(frozen=True)
class Inputs:
    """Inputs of a step, N images.

    Attributes:
        batch: see `Batch`.
        noisy: x_t (N, 4, h, w).
        noise: what was added, the target of L_ori.
        times: timesteps (N,).
        text: embeddings of the prompts (N, 77, D).
        target: GT (N, 3, H, W) in [0, 1].
        corner: (N, 2) in [0, 1], see `ImageLoss`.
    """

    batch: Batch
    noisy: Tensor
    noise: Tensor
    times: Tensor
    text: Tensor
    target: Tensor
    corner: Tensor


@dataclass
class Encoder:
    """The frozen networks around SeeSR.

    Attributes:
        vae: autoencoder of the base.
        text: text encoder of the base.
        scheduler: noise schedule of the base.
        degraded: RAM with DAPE, which reads the LR picture.
        clean: RAM without DAPE, which reads the GT; None: prompts come from the LR picture as well.
        null_text: share of prompts that are dropped.
        config_seed: the run's seed.
    """

    vae: Any
    text: TextEncoder
    scheduler: Any
    degraded: Tagger
    clean: Tagger | None
    null_text: float
    config_seed: int

    @torch.no_grad()
    def __call__(self, pairs: Sequence[Pair], epoch: int) -> Inputs:
        """Inputs of a step on these pairs, on the device of the networks."""
        device = self.degraded.device
        gt, lr = (torch.stack([getattr(pair, name) for pair in pairs]).to(device) for name in ("gt", "lr"))
        condition = enlarged(lr)
        context, tags = described(condition, gt, self.degraded, self.clean)
        factor = vae_recipe.factor(self.vae)
        like = torch.empty(1, self.vae.config["latent_channels"], *(side // factor for side in gt.shape[-2:]))
        names = [pair.image_id for pair in pairs]
        drawn = [self._draws(*one, epoch, like) for one in zip(names, tags, strict=True)]
        prompts, *parts = zip(*drawn, strict=True)
        posterior, noise, times, corner = (torch.cat(part).to(device) for part in parts)
        latents = vae_recipe.encode(self.vae, gt, posterior, 0)
        noisy = self.scheduler.add_noise(latents, noise, times)
        batch = Batch(latents, condition, context, list(prompts))
        return Inputs(batch, noisy, noise, times, self.text(batch.prompts), gt, corner)

    def _draws(
        self, image_id: str, prompt: str, epoch: int, like: Tensor
    ) -> tuple[str, Tensor, Tensor, Tensor, Tensor]:
        """Prompt, posterior noise, noise, timestep and corner of one image."""
        rng = generator(self.config_seed, "tuning-noise", image_id, epoch)
        kept = drop_prompts([prompt], self.null_text, rng)[0]
        steps = self.scheduler.config["num_train_timesteps"]
        posterior, _ = draw_noise(like, steps, rng)
        noise, times = draw_noise(like, steps, rng)
        return kept, posterior, noise, times, torch.from_numpy(rng.random((1, 2)))
