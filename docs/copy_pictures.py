"""Copy figures of the mini run into docs/images, small: the history keeps every version (called by make docs)."""

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
FIGURES, IMAGES = ROOT / "results" / "mini" / "figures", ROOT / "docs" / "images"
CHARTS = ("figure4", "ranking", "reliability", "similarity")  # few colours
PICTURES = ("figure1", "figure3", "figure6")  # pictures of pictures
COLOURS, QUALITY, WIDTH = 32, 50, 1200


def main() -> None:
    """See the module docstring; a figure that the run did not make is left as it is."""
    for name in CHARTS:
        picture = Image.open(FIGURES / f"{name}.png").convert("RGB")
        picture.quantize(COLOURS).save(IMAGES / f"{name}.png", optimize=True)
    for name in PICTURES:
        if (FIGURES / f"{name}.png").is_file():
            picture = Image.open(FIGURES / f"{name}.png").convert("RGB")
            picture.thumbnail((WIDTH, 4 * WIDTH))
            picture.save(IMAGES / f"{name}.jpg", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
