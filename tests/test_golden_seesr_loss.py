"""One training step of SeeSR against the official program: losses and gradient norms, with and without image loss."""

import copy

import pytest
import torch

from hlf.nets import seesr as nets
from hlf.sr.diffusion.base_model import DDPMScheduler
from hlf.tuning.loss import ImageOptions, decoded_image, image_weights, predicted_x0
from hlf.tuning.noising import noise_loss
from seesr_helpers import CASES, CONFIG, close, controlnet, image, read, unet, vae

CASE = CASES["train_step"]


@pytest.fixture(scope="module")
def step():
    """Prediction, x0 and picture of the recorded step, and the networks they came from."""
    torch.set_num_threads(1)
    io, one, two, decoder = read("train_step"), copy.deepcopy(unet()), copy.deepcopy(controlnet()), vae()
    parameters = nets.trainable(one, two)
    abar = DDPMScheduler(**CONFIG["scheduler"]).alphas_cumprod
    inputs = (io["noisy"], io["timesteps"], io["text"], io["ram"])
    predicted = one(*inputs, two(*inputs, image(io["cond_uint8"])))
    x0 = predicted_x0(io["noisy"], predicted, io["timesteps"], abar)
    return io, one, two, parameters, abar, predicted, x0, decoded_image(decoder, x0)


def test_golden_seesr_train_step_tensors(step):
    io, _, _, _, abar, predicted, x0, picture = step
    tolerance = CASE["tolerance"]
    scheduler = DDPMScheduler(**CONFIG["scheduler"])
    close("noisy", scheduler.add_noise(io["latents"], io["noise"], io["timesteps"]), io["noisy"], 1e-6)
    close("pred", predicted.detach(), io["pred"], tolerance["pred_atol"])
    close("x0", x0.detach(), io["x0"], tolerance["x0_atol"])
    if "x0_decoded" in io:  # in the full set of vectors only; its loss and gradients are checked below in any case
        close("x0_decoded", picture.detach() * 2 - 1, io["x0_decoded"], tolerance["x0_decoded_atol"])
    one = scheduler.step(io["pred"][:1], int(io["timesteps"][0]), io["noisy"][:1]).pred_original_sample
    assert torch.allclose(x0[:1].detach(), one, atol=1e-4)
    assert torch.equal(image_weights(io["timesteps"], abar, ImageOptions(weighting="abar")), abar[io["timesteps"]])


@pytest.mark.parametrize("which", ["ori", "total"])
def test_golden_seesr_train_step_gradients(step, which):
    io, one, two, parameters, _, predicted, _, picture = step
    loss = noise_loss(predicted, io["noise"])
    print(f"loss_ori {float(loss.detach()):.7f}, recorded {CASE['loss_ori']:.7f}")
    assert float(loss.detach()) == pytest.approx(CASE["loss_ori"], rel=CASE["tolerance"]["loss_rel"])
    if which == "total":
        stand_in = (picture - image(io["gt_uint8"])).abs().mean() * 2  # recorded in [-1, 1]
        print(f"loss_img {float(stand_in.detach()):.7f}, recorded {CASE['loss_img']:.7f}")
        assert float(stand_in.detach()) == pytest.approx(CASE["loss_img"], rel=CASE["tolerance"]["loss_rel"])
        loss = loss + CASE["alpha"] * stand_in
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
    names = {id(p): name for net, prefix in ((one, "unet."), (two, "controlnet.")) for name, p in named(net, prefix)}
    norms = {names[id(p)]: float(g.norm()) for p, g in zip(parameters, gradients, strict=True)}
    recorded, rel = CASE[f"grad_norms_{which}"], CASE["tolerance"]["grad_norm_rel"]
    assert len(recorded) == 64
    worst = max(abs(norms[name] / value - 1) for name, value in recorded.items())
    print(f"{which}: largest relative difference of 64 gradient norms {worst:.3g}")
    assert worst <= rel
    if which == "ori":
        total = float(torch.stack([g.norm() for g in gradients]).norm())
        assert total == pytest.approx(CASE["total_grad_norm_ori"], rel=rel)


def named(network, prefix):
    return [(prefix + name, p) for name, p in network.named_parameters()]
