"""Versions of the packages that can change a number of this project."""

from collections.abc import Sequence
from importlib import metadata

PACKAGES = (
    "hlf", "numpy", "pandas", "pillow", "scipy", "torch", "torchvision", "transformers", "diffusers", "accelerate",
    "open_clip_torch", "timm", "pyiqa", "opencv-python-headless", "scikit-image", "segno", "matplotlib", "snakemake",
)  # fmt: skip


def package_versions(names: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Versions of the installed packages among `names`; "not installed" for the others."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
