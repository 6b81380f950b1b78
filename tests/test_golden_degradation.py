"""Degradation against recordings of the official BSRGAN code (tests/golden/bsrgan, or $HLF_VECTORS/bsrgan)."""

import json

import numpy as np
import pytest
from PIL import Image

import degradation_oracle as oracle
from hlf.degradation import apply, kernels, noise
from hlf.degradation.jpeg import jpeg
from hlf.degradation.plus import sharpen
from hlf.degradation.resize import matlab_bicubic, resize
from hlf.images import to_uint8


def cases(name):
    entries, arrays = oracle.vectors("deg_ops")
    assert entries[name]
    return [(entry, arrays) for entry in entries[name]]


def close(own, official, tolerance):
    assert own.shape == official.shape
    np.testing.assert_allclose(own, official, rtol=0, atol=tolerance)


def test_golden_bsrgan_deg_kernels():
    for entry, arrays in cases("kernels_aniso"):
        own = kernels.anisotropic(entry["ksize"], entry["theta"], entry["l1"], entry["l2"])
        close(own, arrays[entry["out"]], 1e-7)
    for entry, arrays in cases("kernels_iso"):
        profile = kernels.gaussian_profile(entry["ksize"], entry["sigma"])
        close(np.outer(profile, profile), arrays[entry["out"]], 1e-7)
    for entry, arrays in cases("kernels_shifted"):
        profile = kernels.shifted_profile(entry["ksize"], entry["sigma"], entry["sf"])
        close(np.outer(profile, profile), arrays[entry["out"]], 1e-7)


def test_golden_bsrgan_deg_blur():
    for entry, arrays in cases("blur"):
        close(kernels.blur(arrays[entry["input"]], arrays[entry["kernel"]]), arrays[entry["out"]], 2e-6)


def test_golden_bsrgan_deg_shifted_downsample():
    for entry, arrays in cases("down2_shifted"):
        profile = kernels.shifted_profile(25, entry["sigma"], entry["sf"])
        own = kernels.shifted_downsample(arrays[entry["input"]], profile, entry["sf"])
        close(own, np.clip(arrays[entry["out"]], 0, 1), 2e-6)


def test_golden_bsrgan_deg_matlab_bicubic():
    for entry, arrays in cases("imresize"):
        close(matlab_bicubic(arrays[entry["input"]], entry["scale"]), arrays[entry["out"]], 2e-6)
    for name in oracle.IMAGES:
        own = np.clip(matlab_bicubic(oracle.picture(name), 0.25), 0, 1)
        close(own, oracle.vectors("deg_stats")[1][f"{name}/bicubic"], 2e-6)


def test_golden_bsrgan_deg_cv2_resize():
    for entry, arrays in cases("cv2_resize"):
        # recorded before the clip that always follows
        own = resize(arrays[entry["input"]], tuple(entry["dsize"]), entry["interp"])
        close(own, np.clip(arrays[entry["out"]], 0, 1), 2e-6)


def test_golden_bsrgan_deg_noise():
    for entry, arrays in cases("noise"):
        close(apply.apply_step(arrays[entry["input"]], {"op": "noise", **entry}, arrays), arrays[entry["out"]], 1e-6)


def test_golden_bsrgan_deg_noise_covariance():
    for entry, _ in cases("cov"):
        own = noise.covariance(np.array(entry["A"]), np.array(entry["D"]), 25 / 255)
        close(own, np.array(entry["cov"]), 1e-12)
        step = {"mode": "cov", "cov": own.tolist()}
        field = noise.gaussian_field((400, 400, 3), step, np.random.default_rng(1)).reshape(-1, 3)
        # 160,000 draws: 2 % is more than five standard errors of the largest entry
        close(np.cov(field.T), np.array(entry["effective"]), 0.02 * own.max())


@pytest.mark.parametrize("decoder", ["own", "pillow"])
def test_golden_bsrgan_deg_jpeg(decoder, tmp_path):
    for entry, arrays in cases("jpeg"):
        if decoder == "own":
            own = jpeg(arrays[entry["input"]], entry["quality"])
            close(own, arrays[entry["out"]], 0)
        else:
            # a second encoder: the recording does not depend on OpenCV
            Image.fromarray(to_uint8(arrays[entry["input"]])).save(tmp_path / "a.jpg", quality=entry["quality"])
            assert np.array_equal(np.asarray(Image.open(tmp_path / "a.jpg")), to_uint8(arrays[entry["out"]]))


def test_golden_bsrgan_deg_crop():
    for entry, arrays in cases("modcrop"):
        image = arrays[entry["input"]]
        kept = apply.apply_plan(image, [])
        assert list(kept.shape[:2]) == entry["out_hw"]
        assert np.array_equal(kept, image[: kept.shape[0], : kept.shape[1]])


def test_golden_bsrgan_deg_sharpen():
    for entry, arrays in cases("sharpen"):
        own = sharpen(arrays[entry["input"]], entry["weight"], entry["radius"], entry["threshold"])
        close(own, arrays[entry["out"]], 2e-6)


def test_golden_bsrgan_deg_plans():
    """All stored plans, down to the byte; intermediate pictures of the first four as well."""
    plans, arrays = oracle.vectors("deg_plans")
    assert len(plans) >= 12
    for plan in plans:
        steps = json.loads(json.dumps(plan["steps"]))
        lr = to_uint8(apply.apply_plan(arrays[plan["gt"]], steps, arrays))
        assert np.array_equal(lr, arrays[plan["lq"]]), plan["id"]
        image = arrays[plan["gt"]]
        for step in steps:
            image = apply.apply_step(image, step, arrays)
            if "after" in step and step["op"] == "jpeg":
                # a value on the edge of rounding may flip; the bytes of the end are checked above
                assert np.mean(image != arrays[step["after"]]) <= 0.01
            elif "after" in step:
                close(image, arrays[step["after"]], 2e-6)


def test_golden_bsrgan_deg_noise_distribution():
    distances = oracle.noise_distances()
    print("noise_flat D", distances.round(3))
    assert distances.max() <= 0.07


@pytest.mark.parametrize("sf", [4, 2])
def test_golden_bsrgan_deg_blur_distribution(sf):
    distances = oracle.blur_distances(sf)
    print(f"blur_impulse_sf{sf} D", distances.round(3))
    assert distances.max() <= 0.082


def test_golden_bsrgan_deg_statistics():
    """LR images of three pictures, 400 each, cannot be told from the official ones (Kolmogorov-Smirnov)."""
    distances = oracle.end_to_end()
    print(f"end to end: max D {distances.max():.3f}, mean D {distances.mean():.3f}")
    allowed = oracle.limits()["stats"]
    assert distances.max() <= allowed["max_D"]
    assert distances.mean() <= allowed["mean_D_over_30"]
