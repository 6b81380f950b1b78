"""What the degradation tests share: official statistics, their definitions, and own samples to compare with them."""

import functools
import json
from types import SimpleNamespace

import cv2
import numpy as np
from scipy.stats import ks_2samp

from hlf.degradation import apply, degrade, plan, steps
from hlf.degradation.strength import Strength
from hlf.images import read_image, to_float
from vectors import vector_dir

SIDE = 4096  # of the GT for which plans are drawn
IMAGES = ("scene", "texture", "zone")
STATISTICS = (
    "psnr", "log_grad", "noise", "resid_y", "chroma", "lag1", "block", "mean_shift", "shift_x", "shift_y",
)  # fmt: skip


@functools.cache
def vectors(name):
    """JSON (empty when there is none) and arrays of one vector file of the set."""
    folder = vector_dir("bsrgan")
    record = folder / f"{name}.json"
    with np.load(folder / f"{name}.npz") as arrays:
        return json.loads(record.read_text()) if record.exists() else {}, dict(arrays)


@functools.cache
def limits():
    return json.loads((vector_dir("bsrgan") / "manifest.json").read_text())["tolerance"]


@functools.cache
def picture(name):
    return to_float(read_image(vector_dir("bsrgan") / f"img_{name}.png"))


def luma(image):
    return image @ np.array([0.299, 0.587, 0.114])


def gradient(grey):
    return np.mean(np.diff(grey, axis=0) ** 2) + np.mean(np.diff(grey, axis=1) ** 2)


def statistics(lr, ref):
    """The ten statistics of an LR image against the bicubic reference, as manifest.json defines them."""
    d = lr - ref
    y, yr = luma(lr), luma(ref)
    r = y - yr
    r0 = r - r.mean()
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], float)
    steps_x = np.abs(np.diff(y, axis=1)).mean(axis=0)
    edge = np.arange(steps_x.size) % 8 == 7
    gx, gy = (yr[1:-1, 2:] - yr[1:-1, :-2]) / 2, (yr[2:, 1:-1] - yr[:-2, 1:-1]) / 2
    slopes = np.stack([gx.ravel(), gy.ravel()], axis=1)
    shift = np.linalg.lstsq(slopes, r[1:-1, 1:-1].ravel(), rcond=None)[0]
    return (
        10 * np.log10(1 / np.mean(d**2)),
        np.log10(gradient(y) / gradient(yr)),
        np.sqrt(np.pi / 2) / 6 * np.abs(cv2.filter2D(y, -1, mask)[1:-1, 1:-1]).mean(),
        r.std(),
        0.5 * ((d[..., 0] - r).std() + (d[..., 2] - r).std()),
        np.mean(r0[:, :-1] * r0[:, 1:]) / np.mean(r0**2),
        steps_x[edge].mean() / steps_x[~edge].mean(),
        r.mean(),
        shift[0],
        shift[1],
    )


def end_to_end(images=IMAGES, n=400, seed=7):
    """Kolmogorov-Smirnov D of own against official LR images: shape (pictures, 10 statistics)."""
    official = vectors("deg_stats")[1]
    distances = []
    for name in images:
        ref = official[f"{name}/bicubic"].astype(float)
        rng = np.random.default_rng([seed, IMAGES.index(name)])
        own = np.array([statistics(degrade(picture(name), rng)[0].astype(float), ref) for _ in range(n)])
        distances.append([ks(own[:, i], official[f"{name}/{s}"]) for i, s in enumerate(STATISTICS)])
    return np.array(distances)


def ks(own, official):
    return ks_2samp(own, official, method="asymp").statistic


def noise_distances(n=2000, seed=3):
    """D of the six columns of `noise_flat`: noise of one step on flat grey."""
    rng = np.random.default_rng(seed)
    grey = np.full((64, 64, 3), 0.5, np.float32)
    own = []
    for _ in range(n):
        flat = apply.apply_step(grey, steps.noise(rng, Strength(1.0))).reshape(-1, 3).astype(float)
        corr = np.corrcoef(flat.T)
        own.append([*flat.std(axis=0), corr[0, 1], corr[0, 2], corr[1, 2]])
    own, official = np.round(own, 3), np.round(vectors("deg_unit")[1]["noise_flat"], 3)
    return np.array([ks(own[:, i], official[:, i]) for i in range(6)])


def blur_distances(sf, n=1500, seed=5):
    """D of variance x, variance y, covariance and peak of an impulse after one blur step with divisor `sf`."""
    rng = np.random.default_rng([seed, sf])
    offsets = np.arange(65) - 32.0
    x, y = np.meshgrid(offsets, offsets)
    own = []
    for _ in range(n):
        kernel = apply.blur_kernel(steps.blur(rng, sf, Strength(1.0)))
        kernel = np.outer(kernel, kernel) if kernel.ndim == 1 else kernel
        spot = np.zeros((65, 65))
        half = len(kernel) // 2
        spot[32 - half : 33 + half, 32 - half : 33 + half] = kernel
        own.append([(spot * x * x).sum(), (spot * y * y).sum(), (spot * x * y).sum(), spot.max()])
    own, official = np.array(own), vectors("deg_unit")[1][f"blur_impulse_sf{sf}"][:, :4].copy()
    own[:, 2], official[:, 2] = np.round(own[:, 2], 3), np.round(official[:, 2], 3)
    return np.array([ks(own[:, i], official[:, i]) for i in range(4)])


def plans(n=20000, seed=11, variant="bsrgan"):
    """Plans drawn at full strength, for a GT so large that whole pixels hardly blur the drawn factors."""
    rng = np.random.default_rng(seed)
    return [plan.draw_plan(rng, SIDE, SIDE, 1.0, variant) for _ in range(n)]


def sampler_p_values(drawn):
    """Chi-square p-value of every decision of the sampler against the official probabilities."""
    from scipy.stats import chisquare

    def p(observed, share):
        observed = np.asarray(observed, float)
        # a value that must not occur, or one that must and does not, is the clearest evidence
        if observed[-1] or not observed.sum():
            return 0.0
        return chisquare(observed[:-1], observed.sum() * np.asarray(share, float)).pvalue

    def counts(values, categories):
        found = [sum(v == c for v in values) for c in categories]
        return [*found, len(values) - sum(found)]

    flat = SimpleNamespace(
        halving=[next((s for s in q if s["op"] == "scale2"), None) for q in drawn],
        down2=[s for q in drawn for s in q if s["op"] == "down2"],
        blur=[s for q in drawn for s in q if s["op"] == "blur"],
        noise=[s for q in drawn for s in q if s["op"] == "noise"],
        jpegs=[sum(s["op"] == "jpeg" for s in q) for q in drawn],
        quality=[s["quality"] for q in drawn for s in q if s["op"] == "jpeg"],
        interp=[s["interp"] for q in drawn for s in q if "interp" in s],
    )
    halved = ["none" if s is None else s["mode"] for s in flat.halving]
    return {
        "first halving": p(counts(halved, ["none", "cv2", "matlab_bicubic"]), [3 / 4, 1 / 8, 1 / 8]),
        "down2": p(counts([s["mode"] for s in flat.down2], ["cv2", "shifted_kernel"]), [3 / 4, 1 / 4]),
        "interpolation": p(counts(flat.interp, [1, 2, 3]), [1 / 3] * 3),
        "kernel kind": p(counts([s["kind"] for s in flat.blur], ["iso", "aniso"]), [1 / 2] * 2),
        "kernel size": p(counts([s["ksize"] for s in flat.blur], range(7, 26, 2)), [1 / 10] * 10),
        "noise kind": p(counts([s["mode"] for s in flat.noise], ["gray", "color", "cov"]), [0.4, 0.4, 0.2]),
        "noise level": p(counts([s["level"] for s in flat.noise if "level" in s], range(2, 26)), [1 / 24] * 24),
        "middle JPEG": p(counts(flat.jpegs, [1, 2]), [0.1, 0.9]),
        "quality": p(counts(flat.quality, range(30, 96)), [1 / 66] * 66),
        **{f"place of {op}": p([*places(drawn, op), 0], [1 / 3] * 3) for op in ("blur", "noise", "jpeg")},
        **range_p_values(drawn),
    }


def places(drawn, op):
    """How often one such step (not the final JPEG) stands before down2, between, after down3."""
    found = [0, 0, 0]
    for q in drawn:
        names = [s["op"] for s in q[:-1]]
        # the places of the two blurs depend on each other: look at one, chosen by a number that knows no order
        indices = [i for i, name in enumerate(names) if name == op]
        if indices:
            at = indices[q[-1]["quality"] % len(indices)]
            found[(at > names.index("down2")) + (at > names.index("down3"))] += 1
    return found


def range_p_values(drawn):
    """Continuous draws against their uniform ranges, for each divisor: ten equal cells."""
    from scipy.stats import chisquare

    cells = {}
    for q in drawn:
        sf = 2 if q[0]["op"] == "scale2" else 4
        side = SIDE if sf == 4 else SIDE // 2
        for s in q:
            if s["op"] == "blur" and s["kind"] == "iso":
                cells.setdefault(f"sigma sf{sf}", []).append(s["sigma"] / (2 + 0.2 * sf))
            elif s["op"] == "blur":
                cells.setdefault(f"l1 sf{sf}", []).append(s["l1"] / (4 + sf))
                cells.setdefault(f"l2 sf{sf}", []).append(s["l2"] / (4 + sf))
                cells.setdefault(f"theta sf{sf}", []).append(s["theta"] / np.pi)
            elif s["op"] == "down2" and s["mode"] == "shifted_kernel":
                cells.setdefault(f"shifted sigma sf{sf}", []).append((s["sigma"] - 0.1) / (0.6 * sf - 0.1))
            elif s["op"] == "down2":
                # the middle of the pixel that int() cut away
                factor = side / (s["dsize"][0] + 0.5)
                cells.setdefault(f"factor sf{sf}", []).append((factor - 1) / (2 * sf - 1))
    # the histogram's ends catch what lies outside the range: it then makes the cell counts wrong
    histograms = {k: np.bincount(np.floor(np.array(v) * 10).astype(int).clip(-1, 10) + 1, minlength=12)
                  for k, v in cells.items()}  # fmt: skip
    return {k: 0.0 if h[0] + h[11] > 2 else chisquare(h[1:11]).pvalue for k, h in histograms.items()}
