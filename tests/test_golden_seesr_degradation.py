"""Second-order degradation of Real-ESRGAN, as SeeSR's training set uses it, against the official program."""

import numpy as np
import pytest
import torch

from hlf.degradation.realesrgan import Settings, degrade_batch, draw_kernels, global_draws, make_pairs
from hlf.errors import HlfError
from hlf.nets import basicsr_adapter
from seesr_helpers import CASES, close, image, read

CASE = CASES["degradation"]


@pytest.fixture(autouse=True)
def quiet():
    torch.set_num_threads(1)
    with torch.no_grad():
        yield


def test_golden_seesr_degradation_operators():
    io, atol = read("degradation"), CASE["tolerance"]["op_atol"]
    close("usm", basicsr_adapter.usm_sharp()(io["op_in"]), io["op_usm"], atol)
    jpeg = basicsr_adapter.diff_jpeg()(io["op_in"], quality=torch.tensor([37.0]))
    close("jpeg", jpeg, io["op_jpeg_q37"], atol)
    kernel = io["0_kernel1"][:1]
    close("filter2D", basicsr_adapter.filter2d(io["op_in"], kernel), io["op_filter2D"], atol)
    # a layout that basicsr alone refuses
    other = io["op_in"].to(memory_format=torch.channels_last)
    assert torch.equal(basicsr_adapter.filter2d(other, kernel), basicsr_adapter.filter2d(io["op_in"], kernel))


@pytest.mark.parametrize("case", [0, 1, 2])
def test_golden_seesr_degradation(case):
    io, atol, seed = read("degradation"), CASE["tolerance"]["seeded_atol"], CASE["seeds"][case]
    drawn = []
    for sample in range(2):
        with global_draws(10 * seed + sample):
            drawn.append(draw_kernels(Settings()))
    kernels = [torch.stack(parts) for parts in zip(*drawn, strict=True)]
    for name, kernel in zip(("kernel1", "kernel2", "sinc"), kernels, strict=True):
        close(name, kernel, io[f"{case}_{name}"], CASE["tolerance"]["op_atol"])
    sharp = basicsr_adapter.usm_sharp()(image(io[f"{case}_gt_in_uint8"]))
    if f"{case}_gt_usm" in io:
        close("gt_usm", sharp, io[f"{case}_gt_usm"], CASE["tolerance"]["op_atol"])
    with global_draws(seed):
        lq = degrade_batch(sharp, tuple(kernels), Settings())
    close("lq", lq, io[f"{case}_lq"], atol)


def test_settings_are_the_official_ones():
    first, second, params = Settings().first, Settings().second, CASE["params"]
    for order, suffix in ((first, ""), (second, "2")):
        assert list(order.resize_shares) == params[f"resize_prob{suffix}"]
        assert list(order.resize_range) == params[f"resize_range{suffix}"]
        assert order.gaussian_share == params[f"gaussian_noise_prob{suffix}"]
        assert list(order.sigma_noise) == params[f"noise_range{suffix}"]
        assert list(order.poisson_scale) == params[f"poisson_scale_range{suffix}"]
        assert order.gray_share == params[f"gray_noise_prob{suffix}"]
        assert list(order.jpeg) == params[f"jpeg_range{suffix}"]
    assert second.blur_share == params["second_blur_prob"]


def test_pairs_depend_on_the_seed_alone_and_leave_global_generators_as_they_were():
    gt = torch.rand(1, 3, 80, 96, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = (torch.get_rng_state(), np.random.get_state()[1].copy(), np.geterr())  # noqa: NPY002
    first = make_pairs(gt, [2**63 + 1])
    torch.rand(3)
    again = make_pairs(gt, [2**63 + 1])
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[0], make_pairs(gt, [3])[0])
    torch.manual_seed(5)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1]) and np.geterr() == before[2]  # noqa: NPY002
    assert first[0].shape == (1, 3, 20, 24) and torch.equal((first[0] * 255).round() / 255, first[0])


@pytest.mark.parametrize(("size", "seeds"), [((90, 96), [1]), ((96, 76), [1]), ((96, 96), [1, 2])])
def test_impossible_pairs_are_refused(size, seeds):
    with pytest.raises(HlfError, match="at least 80 that are multiples of 4, and one seed each"):
        make_pairs(torch.zeros(1, 3, *size), seeds)
