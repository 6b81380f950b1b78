"""Copy figures of the mini run into docs/images, small: the history keeps every version (called by make docs)."""

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
FIGURES, IMAGES = ROOT / "results" / "mini" / "figures", ROOT / "docs" / "images"
CHARTS = ("figure4", "ranking", "reliability", "similarity")  # few colours
PICTURES = {"figure1": 800, "figure3": 1200, "figure6": 600}  # pictures of pictures, and their width in pixels
COLOURS, QUALITY = 16, 45


def main() -> None:
    """See the module docstring; a figure that the run did not make is left as it is."""
    for name in CHARTS:
        picture = Image.open(FIGURES / f"{name}.png").convert("RGB")
        picture.quantize(COLOURS).save(IMAGES / f"{name}.png", optimize=True)
    for name, width in PICTURES.items():
        if (FIGURES / f"{name}.png").is_file():
            picture = Image.open(FIGURES / f"{name}.png").convert("RGB")
            picture.thumbnail((width, 4 * width))
            picture.save(IMAGES / f"{name}.jpg", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
