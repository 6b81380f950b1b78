"""Objects of scenes: pictograms on badges, sign plates with words, Micro QR codes. Each is drawn as an RGBA tile."""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hlf.scenes.vocabulary import COLOURS, GLYPHS, WORDS, glyph_name

Tile = tuple[Image.Image, str, str]  # picture, label, detail
CODE_SIDE, QUIET_ZONE = 11, 2  # modules of a Micro QR code M1 and of its light border


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


def _contrasting(rng: np.random.Generator) -> tuple[str, str]:
    """Two colour names whose luma differs by at least 90 grey levels: plate and drawing."""
    names = list(COLOURS)
    while True:
        plate, ink = names[rng.integers(len(names))], names[rng.integers(len(names))]
        luma = [np.dot((0.299, 0.587, 0.114), COLOURS[c]) for c in (plate, ink)]
        if abs(luma[0] - luma[1]) >= 90:
            return plate, ink


def glyph_tile(rng: np.random.Generator, side: int) -> Tile:
    """A pictogram that fills a badge of `side` pixels; label is the class name, detail the colour of the drawing."""
    glyph = GLYPHS[rng.integers(len(GLYPHS))]
    plate, ink = _contrasting(rng)
    tile = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(tile)
    shape = rng.integers(3)
    if shape == 0:
        draw.ellipse((0, 0, side - 1, side - 1), fill=(*COLOURS[plate], 255))
    else:
        draw.rounded_rectangle((0, 0, side - 1, side - 1), side // 6 if shape == 1 else 2, fill=(*COLOURS[plate], 255))
    inner = side * (0.72 if shape == 0 else 0.86)
    font = _font("DejaVuSans.ttf", max(8, int(inner)))
    box = font.getbbox(glyph)
    # scale to the wanted extent: glyphs of one font size differ a lot in drawn size
    font = _font("DejaVuSans.ttf", max(8, int(inner * inner / max(box[2] - box[0], box[3] - box[1]))))
    left, top, right, bottom = font.getbbox(glyph)
    at = ((side - left - right) / 2, (side - top - bottom) / 2)
    draw.text(at, glyph, font=font, fill=(*COLOURS[ink], 255))
    return tile, glyph_name(glyph), ink


def sign_tile(rng: np.random.Generator, height: int) -> Tile:
    """A plate of `height` pixels with one word; label is the word, detail the colour of the plate."""
    word = WORDS[rng.integers(len(WORDS))]
    plate, ink = _contrasting(rng)
    font = _font("DejaVuSans-Bold.ttf", int(height * 0.78))
    left, top, right, bottom = font.getbbox(word)
    width = int(right - left) + max(4, height // 3)
    tile = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(tile)
    draw.rounded_rectangle((0, 0, width - 1, height - 1), 3, fill=(*COLOURS[plate], 255))
    if rng.random() < 0.5:
        draw.rounded_rectangle((1, 1, width - 2, height - 2), 2, outline=(*COLOURS[ink], 255))
    at = ((width - right - left) / 2, (height - bottom - top) / 2)
    draw.text(at, word, font=font, fill=(*COLOURS[ink], 255))
    return tile, word, plate


def code_modules(payload: str) -> np.ndarray:
    """Modules of the Micro QR code M1 of up to five digits, bool (11, 11), True = dark."""
    import segno

    return np.array(segno.make_micro(payload, version="M1").matrix, dtype=bool)


def code_tile(rng: np.random.Generator, module: int) -> Tile:
    """A Micro QR code with `module` pixels a module and a two-module quiet zone; detail is the payload."""
    payload = "".join(str(d) for d in rng.integers(0, 10, 5))
    modules = np.pad(code_modules(payload), QUIET_ZONE)
    pixels = np.where(np.kron(modules, np.ones((module, module), dtype=bool)), 15, 245).astype(np.uint8)
    return Image.fromarray(pixels).convert("RGBA"), "code", payload
