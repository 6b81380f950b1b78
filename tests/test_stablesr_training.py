"""Training of the mini StableSR: where it starts, and what it cuts."""

import numpy as np
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import load_file

from hlf.nets import stablesr as nets
from hlf.training.pool import Pool
from hlf.training.stablesr import _crops, calibrate, denoiser
from stablesr_helpers import TINY_PLAIN_UNET, TINY_STRUCTURE, tiny_stablesr_zoo


def test_the_denoiser_starts_as_its_base_and_the_features_start_without_influence(tmp_path):
    torch.set_num_threads(1)
    folder = tiny_stablesr_zoo(tmp_path) / "sd-base/unet"
    base = UNet2DConditionModel(**TINY_PLAIN_UNET)
    base.load_state_dict(load_file(folder / "diffusion_pytorch_model.safetensors"))
    random = torch.Generator().manual_seed(0)
    noisy, text = (torch.randn(shape, generator=random) for shape in ((16, 4, 16, 16), (16, 77, 16)))
    features = [torch.randn(16, 8, side, side, generator=random) for side in (16, 8)]
    times = torch.randint(0, 1000, (16,), generator=random)
    network = denoiser(folder, {"structure": TINY_STRUCTURE, "spade_hidden": 8})
    with torch.no_grad():
        expected = base(noisy, times, text).sample
        before = (network(noisy, times, text, features) - expected).square().mean()
        calibrate(network, noisy, times, text, features)
        after = (network(noisy, times, text, features) - expected).square().mean()
        print(f"error against the base: {before:.3g} before, {after:.3g} after")
        assert after < before / 10 and after < 0.05 * expected.var()
        other = network(noisy, times, text, [one * 2 for one in features])
        assert torch.equal(other, network(noisy, times, text, features))
    trained = nets.trainable(network)
    network(noisy, times, text, features).square().mean().backward()
    assert any(float(p.grad.abs().max()) > 0 for p in trained) and network.conv_in.weight.grad is None


def test_crops_of_pictures_and_latents_show_the_same_place():
    scenes = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    index = torch.tensor([1, 4])
    low = torch.from_numpy(scenes[index.numpy()].transpose(0, 3, 1, 2).copy())
    cells = torch.from_numpy(scenes[index.numpy()][:, ::4, ::4].transpose(0, 3, 1, 2).copy()) / 255
    samples = {"index": index, "low": low, "latents": cells}
    for seed in range(5):
        latents, enlarged, gt = _crops(samples, Pool(scenes, [], None), 3, 32, np.random.default_rng(seed))
        assert latents.shape == (3, 3, 8, 8) and gt.shape == (3, 3, 32, 32)
        assert torch.equal(enlarged, gt) and torch.equal(latents, gt[..., ::4, ::4])
