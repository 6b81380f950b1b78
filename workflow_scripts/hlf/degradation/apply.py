"""Carrying out a plan on pixels; nothing here is random except noise drawn from the seed that the plan records."""

from collections.abc import Mapping

import numpy as np

from hlf.degradation import kernels, noise
from hlf.degradation.jpeg import jpeg
from hlf.degradation.resize import matlab_bicubic, resize
from hlf.degradation.steps import Step
from hlf.errors import HlfError

NoiseArrays = Mapping[str, np.ndarray]


def apply_plan(gt: np.ndarray, plan: list[Step], noise_arrays: NoiseArrays | None = None) -> np.ndarray:
    """Degrade a GT by a drawn or recorded plan.

    Args:
        gt: float32 RGB (H, W, 3) in [0, 1], the size that the plan was drawn for; cropped at the right and bottom to
            multiples of 4.
        plan: steps as `draw_plan` returns them.
        noise_arrays: fields for steps that name theirs (`noise`) instead of recording a seed.

    Returns:
        LR, float32 (H // 4, W // 4, 3) in [0, 1]; every value is a multiple of 1/255, since JPEG comes last.

    Raises:
        HlfError: a step that is not known, or a noise array that is not given.
    """
    height, width = gt.shape[:2]
    image = np.ascontiguousarray(gt[: height - height % 4, : width - width % 4], dtype=np.float32)
    for step in plan:
        image = apply_step(image, step, noise_arrays)
    return image


def apply_step(image: np.ndarray, step: Step, noise_arrays: NoiseArrays | None = None) -> np.ndarray:
    """One step of a plan on a float32 picture (H, W, 3); see `apply_plan`."""
    match step["op"]:
        case "blur":
            return kernels.blur(image, blur_kernel(step))
        case "scale2" | "down2" | "down3" | "resize":
            return change_size(image, step)
        case "noise" | "speckle":
            field = noise_field(image.shape, step, noise_arrays)
            return noise.add(image, field if step["op"] == "noise" else image * field)
        case "poisson":
            return noise.poisson(image, step["gray"], step["peak"], step_generator(step))
        case "jpeg":
            return jpeg(image, step["quality"])
    raise HlfError(f"degradation plan holds the unknown operation '{step['op']}'; was it made by another version?")


def blur_kernel(step: Step) -> np.ndarray:
    """Kernel (k, k) of a `blur` step, or its profile (k,) when it is isotropic."""
    if step["kind"] == "iso":
        return kernels.gaussian_profile(step["ksize"], step["sigma"])
    return kernels.anisotropic(step["ksize"], step["theta"], step["l1"], step["l2"])


def change_size(image: np.ndarray, step: Step) -> np.ndarray:
    """A resizing step of an RGB picture (h, w, 3) in [0, 1]; (h', w', 3), clipped to [0, 1]."""
    if step["mode"] == "cv2":
        return resize(image, tuple(step["dsize"]), step["interp"])
    if step["mode"] == "matlab_bicubic":
        return np.clip(matlab_bicubic(image, step["scale"]), 0.0, 1.0)
    profile = kernels.shifted_profile(step["ksize"], step["sigma"], step["sf"])
    return kernels.shifted_downsample(image, profile, step["sf"])


def noise_field(shape: tuple[int, ...], step: Step, noise_arrays: NoiseArrays | None) -> np.ndarray:
    """Field (h, w, 3) of a noise step: the array that it names, or one drawn from the seed that it records."""
    if "noise" not in step:
        return noise.gaussian_field(shape, step, step_generator(step))
    if noise_arrays is None or step["noise"] not in noise_arrays:
        raise HlfError(f"degradation plan names the noise array '{step['noise']}', which is not among the given arrays")
    return noise_arrays[step["noise"]]


def step_generator(step: Step) -> np.random.Generator:
    """Generator that serves one step alone."""
    return np.random.Generator(np.random.PCG64(step["seed"]))
