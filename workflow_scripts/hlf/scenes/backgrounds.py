"""Backgrounds of scenes: colour gradients, 1/f noise, crops of the photographs that scikit-image ships."""

from functools import cache

import numpy as np

from hlf.scenes.vocabulary import COLOURS

# colour or grey photographs inside the scikit-image wheel; others of its collection would need a download
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket", "motorcycle_left", "brick", "grass", "gravel")


@cache
def _photograph(name: str) -> np.ndarray:
    """One shipped photograph, uint8 (H, W, 3), at most 512 on the short side."""
    from importlib.resources import as_file, files

    from hlf.images import read_image

    folder = files("skimage.data")
    for suffix in (".png", ".jpg"):
        if (folder / f"{name}{suffix}").is_file():
            with as_file(folder / f"{name}{suffix}") as path:
                return read_image(path)
    raise FileNotFoundError(f"scikit-image no longer ships the photograph '{name}'")


def gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    """Linear blend of two colours in a random direction, float (size, size, 3) in 0..255."""
    names = list(COLOURS)
    first, second = (np.array(COLOURS[names[rng.integers(len(names))]], dtype=float) for _ in range(2))
    angle = rng.uniform(0, 2 * np.pi)
    axis = np.linspace(-0.5, 0.5, size)
    ramp = np.clip(0.5 + np.cos(angle) * axis[None, :] + np.sin(angle) * axis[:, None], 0, 1)[..., None]
    return first * (1 - ramp) + second * ramp


def texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """Noise with amplitude 1/f^a, a in 0.9..1.6, in correlated colours, float (size, size, 3) in 0..255."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((3, size, size))) / frequency ** rng.uniform(0.9, 1.6)
    fields = np.fft.irfft2(spectrum, s=(size, size))
    fields = (fields - fields.mean((1, 2), keepdims=True)) / fields.std((1, 2), keepdims=True)
    # a grey field common to the channels keeps colours near each other, as in photographs
    mixed = 0.85 * fields[:1] + 0.35 * fields
    base = rng.uniform(60, 190, 3)
    return base + rng.uniform(18, 45) * mixed.transpose(1, 2, 0)


def photograph(rng: np.random.Generator, size: int) -> np.ndarray:
    """Random crop of a shipped photograph at random zoom and orientation, float (size, size, 3) in 0..255."""
    from PIL import Image

    source = _photograph(PHOTOGRAPHS[rng.integers(len(PHOTOGRAPHS))])
    # a photograph smaller than the scene is taken whole and enlarged
    least, short = min(size, *source.shape[:2]), min(source.shape[:2])
    side = int(rng.integers(least, max(least + 1, min(short, 3 * size))))
    top, left = (int(rng.integers(0, limit - side + 1)) for limit in source.shape[:2])
    crop = source[top : top + side, left : left + side]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    resized = Image.fromarray(np.ascontiguousarray(crop)).resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(resized, dtype=float) * rng.uniform(0.75, 1.1)


def background(rng: np.random.Generator, size: int) -> tuple[np.ndarray, str]:
    """One background, uint8 (size, size, 3), and its place word: one fifth gradient, one fifth texture, else photo."""
    draw = rng.random()
    name = "gradient" if draw < 0.2 else "texture" if draw < 0.4 else "photograph"
    make = {"gradient": gradient, "texture": texture, "photograph": photograph}[name]
    return np.clip(make(rng, size), 0, 255).astype(np.uint8), name
