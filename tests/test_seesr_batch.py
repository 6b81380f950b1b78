"""Inputs of SeeSR's training step."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from hlf.tuning.noising import draw_noise, drop_prompts, enlarged


def test_condition_is_torch_bicubic_at_8_bit_levels() -> None:
    lr = torch.rand(2, 3, 12, 10, generator=torch.Generator().manual_seed(0))
    large = enlarged(lr)
    assert large.shape == (2, 3, 48, 40)
    assert torch.equal((large * 255).round() / 255, large)
    exact = F.interpolate(lr, scale_factor=4, mode="bicubic", align_corners=False).clamp(0, 1)
    assert float((large - exact).abs().max()) <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (1.0, 400, 400), (0.5, 160, 240)])
def test_prompts_are_dropped_with_their_share_and_never_changed(share: float, low: int, high: int) -> None:
    prompts = [f"tag {i}" for i in range(400)]
    first, again = (drop_prompts(prompts, share, np.random.default_rng(3)) for _ in range(2))
    assert first == again
    assert all(got in ("", given) for got, given in zip(first, prompts, strict=True))
    assert low <= first.count("") <= high


def test_noise_and_timesteps_follow_their_generator() -> None:
    latents = torch.zeros(64, 4, 8, 8)
    (noise, times), (same, same_times) = (draw_noise(latents, 1000, np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(noise, same) and torch.equal(times, same_times)
    assert noise.shape == latents.shape and abs(float(noise.std()) - 1) < 0.02
    assert 0 <= int(times.min()) < 100 and 900 < int(times.max()) <= 999
