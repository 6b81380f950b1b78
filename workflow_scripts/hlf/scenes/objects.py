"""Objects of scenes: pictograms on badges, sign plates with words, Micro QR codes. Each is drawn as an RGBA tile."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hlf.scenes.vocabulary import COLOURS, GLYPHS, WORDS, glyph_name

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


def code_modules(payload: str) -> np.ndarray:
    """Modules of the Micro QR code M1 of up to five digits, bool (11, 11), True = dark."""
    import segno

    return np.array(segno.make_micro(payload, version="M1").matrix, dtype=bool)


@dataclass(frozen=True)
class Glyph:
    """All that draws one pictogram on its badge.

    Attributes:
        glyph: one of GLYPHS.
        side: of the badge in pixels.
        plate: colour name of the badge.
        ink: colour name of the drawing.
        shape: 0 disc, 1 rounded square, 2 square.
    """

    glyph: str
    side: int
    plate: str
    ink: str
    shape: int
    kind: ClassVar[str] = "glyph"

    @property
    def label(self) -> str:
        """Class name."""
        return glyph_name(self.glyph)

    @property
    def detail(self) -> str:
        """Colour of the drawing."""
        return self.ink

    def picture(self) -> Image.Image:
        """RGBA, side x side."""
        side = self.side
        tile = Image.new("RGBA", (side, side), (0, 0, 0, 0))
        draw = ImageDraw.Draw(tile)
        plate = (*COLOURS[self.plate], 255)
        if self.shape == 0:
            draw.ellipse((0, 0, side - 1, side - 1), fill=plate)
        else:
            draw.rounded_rectangle((0, 0, side - 1, side - 1), side // 6 if self.shape == 1 else 2, fill=plate)
        inner = side * (0.72 if self.shape == 0 else 0.86)
        font = _font("DejaVuSans.ttf", max(8, int(inner)))
        box = font.getbbox(self.glyph)
        # scale to the wanted extent: glyphs of one font size differ a lot in drawn size
        font = _font("DejaVuSans.ttf", max(8, int(inner * inner / max(box[2] - box[0], box[3] - box[1]))))
        left, top, right, bottom = font.getbbox(self.glyph)
        at = ((side - left - right) / 2, (side - top - bottom) / 2)
        draw.text(at, self.glyph, font=font, fill=(*COLOURS[self.ink], 255))
        return tile


@dataclass(frozen=True)
class Sign:
    """All that draws one plate with a word.

    Attributes:
        word: its capitals.
        height: of the plate in pixels.
        plate: colour name of the plate.
        ink: colour name of letters and frame.
        framed: whether the plate has a frame.
        width: of the plate in pixels; None: as wide as the word needs.
    """

    word: str
    height: int
    plate: str
    ink: str
    framed: bool
    width: int | None = None
    kind: ClassVar[str] = "sign"

    @property
    def label(self) -> str:
        """The word."""
        return self.word

    @property
    def detail(self) -> str:
        """Colour of the plate."""
        return self.plate

    def text_width(self) -> float:
        """Pixels that the word takes."""
        left, _, right, _ = self._font().getbbox(self.word)
        return right - left

    def _font(self) -> ImageFont.FreeTypeFont:
        return _font("DejaVuSans-Bold.ttf", int(self.height * 0.78))

    def picture(self) -> Image.Image:
        """RGBA, `height` pixels high."""
        left, top, right, bottom = self._font().getbbox(self.word)
        width = self.width or int(right - left) + max(4, self.height // 3)
        tile = Image.new("RGBA", (width, self.height), (0, 0, 0, 0))
        draw = ImageDraw.Draw(tile)
        draw.rounded_rectangle((0, 0, width - 1, self.height - 1), 3, fill=(*COLOURS[self.plate], 255))
        if self.framed:
            frame = (1, 1, width - 2, self.height - 2)
            draw.rounded_rectangle(frame, 2, outline=(*COLOURS[self.ink], 255))
        at = ((width - right - left) / 2, (self.height - bottom - top) / 2)
        draw.text(at, self.word, font=self._font(), fill=(*COLOURS[self.ink], 255))
        return tile


@dataclass(frozen=True)
class Code:
    """All that draws one Micro QR code: up to five digits, and pixels a module."""

    payload: str
    module: int
    kind: ClassVar[str] = "code"
    label: ClassVar[str] = "code"

    @property
    def detail(self) -> str:
        """The payload."""
        return self.payload

    def picture(self) -> Image.Image:
        """RGBA, with a two-module quiet zone."""
        modules = np.pad(code_modules(self.payload), QUIET_ZONE)
        ones = np.ones((self.module, self.module), dtype=bool)
        pixels = np.where(np.kron(modules, ones), 15, 245).astype(np.uint8)
        return Image.fromarray(pixels).convert("RGBA")


@dataclass(frozen=True)
class Warped:
    """A thing whose drawing is deformed inside its box; it keeps its name.

    Attributes:
        thing: what is deformed.
        shear: how far the upper and lower edge slide against each other, as a share of the shorter side.
        wave: height of one sine wave along each axis, as a share of the shorter side.
    """

    thing: Glyph | Sign | Code
    shear: float
    wave: float

    @property
    def kind(self) -> str:
        """That of the thing."""
        return self.thing.kind

    @property
    def label(self) -> str:
        """That of the thing."""
        return self.thing.label

    @property
    def detail(self) -> str:
        """That of the thing."""
        return self.thing.detail

    def picture(self) -> Image.Image:
        """RGBA, as large as the thing; what leaves the box is cut, what it uncovers is transparent."""
        import cv2

        # premultiplied, or the colour of transparent pixels would darken the edge
        tile = np.asarray(self.thing.picture().convert("RGBa"), dtype=np.float32)
        height, width = tile.shape[:2]
        y, x = np.mgrid[:height, :width].astype(np.float32)
        unit, down, along = min(height, width), y / height, x / width
        x = x + unit * (self.shear * (down - 0.5) + self.wave * np.sin(2 * np.pi * down))
        y = y + unit * self.wave * np.sin(2 * np.pi * along)
        bent = cv2.remap(tile, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
        pixels = np.ascontiguousarray(np.rint(bent).astype(np.uint8))
        return Image.frombuffer("RGBa", (width, height), pixels.tobytes(), "raw", "RGBa", 0, 1).convert("RGBA")


Thing = Glyph | Sign | Code | Warped


def draw_glyph(rng: np.random.Generator, side: int) -> Glyph:
    """A random pictogram that fills a badge of `side` pixels."""
    glyph = GLYPHS[rng.integers(len(GLYPHS))]
    plate, ink = _contrasting(rng)
    return Glyph(glyph, side, plate, ink, int(rng.integers(3)))


def draw_sign(rng: np.random.Generator, height: int) -> Sign:
    """A random plate of `height` pixels with one word."""
    word = WORDS[rng.integers(len(WORDS))]
    plate, ink = _contrasting(rng)
    return Sign(word, height, plate, ink, rng.random() < 0.5)


def draw_code(rng: np.random.Generator, module: int) -> Code:
    """A random Micro QR code with `module` pixels a module."""
    return Code("".join(str(d) for d in rng.integers(0, 10, 5)), module)
