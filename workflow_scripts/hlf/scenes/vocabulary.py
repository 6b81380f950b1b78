"""What scenes can show: pictogram classes, words on signs, colours, places. Orders are part of the trained models."""

import unicodedata
from functools import cache

# 68 glyphs of DejaVu Sans (the font that matplotlib ships); chosen to differ in outline, our choice
GLYPHS = "☀☁☂☃★☎☘☢☣☮☯☸☺☹☾♂♀♈♉♋♌♎♏♐♒♔♖♗♘♚♛♠♣♥♦♨♪♫♻♿⚀⚄⚑⚒⚓⚔⚖⚘⚙⚛⚜⚠⚡✂✆✈✉✌✎✒✔✖✚✪✿❄➔⌂"

# words of three to five capitals; several differ in one letter, as words on real signs do
WORDS = (
    "STOP", "SHOP", "STEP", "SLOW", "SHOW", "BANK", "BARN", "BIKE", "BUS", "BAR", "CAFE", "CAR", "CITY", "COLD",
    "DOOR", "DOCK", "EAST", "EXIT", "EURO", "FISH", "FOOD", "FARM", "GATE", "GAS", "GOLD", "HOME", "HALL", "HOT",
    "ICE", "INN", "KEYS", "LAKE", "LAMP", "LIFT", "MAIN", "MAP", "MEAT", "MILK", "NORTH", "OPEN", "PARK", "PORT",
    "POST", "PULL", "PUSH", "RAIL", "ROAD", "ROOM", "SALE", "SALT", "SEA", "SKI", "SOUP", "TAXI", "TEA", "TRAM",
    "TOWN", "WAY", "WEST", "WINE", "YARD", "ZONE", "ZOO", "SOUTH",
)  # fmt: skip
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MAX_LETTERS = 5

COLOURS = {
    "white": (245, 245, 245), "black": (18, 18, 20), "red": (205, 38, 38), "green": (34, 128, 60),
    "blue": (32, 70, 180), "yellow": (240, 200, 30), "orange": (235, 125, 25), "purple": (120, 50, 150),
    "brown": (110, 70, 40), "pink": (240, 150, 180), "grey": (128, 128, 132), "teal": (20, 140, 150),
}  # fmt: skip
PLACES = ("gradient", "texture", "photograph")
KINDS = ("glyph", "sign", "code")


def glyph_name(glyph: str) -> str:
    """Class name of a pictogram: its Unicode name in lower case, without hyphens."""
    return unicodedata.name(glyph).lower().replace("-", " ")


@cache
def glyph_classes() -> tuple[str, ...]:
    """Names of the 68 pictogram classes, in the order of the trained models."""
    return tuple(glyph_name(g) for g in GLYPHS)


@cache
def caption_words() -> tuple[str, ...]:
    """Every word a caption can hold, sorted; index + 2 is the token id (0 padding, 1 start)."""
    words = {"a", "and", "on", "sign", "reading", "code", *COLOURS, *PLACES, *(w.lower() for w in WORDS)}
    for name in glyph_classes():
        words.update(name.split())
    return tuple(sorted(words))


def vocabulary_size() -> int:
    """Number of token ids: padding, start, words, end."""
    return len(caption_words()) + 3


def tokenize(captions: list[str], length: int = 40) -> list[list[int]]:
    """Token ids of captions; see `token_rows`. Raises KeyError for a word outside `caption_words`."""
    return token_rows(captions, length, caption_words())


def token_rows(texts: list[str], length: int, words: tuple[str, ...]) -> list[list[int]]:
    """Token ids of texts, padded with 0 to `length`; a text that is too long is cut before its end token.

    The end token has the highest id: the text towers of CLIP take their embedding at the place of the largest id.

    Raises KeyError for a word outside `words`.
    """
    index = {w: i + 2 for i, w in enumerate(words)}
    rows = []
    for text in texts:
        ids = [index[w] for w in text.split()][: length - 2]
        rows.append([1, *ids, len(words) + 2] + [0] * (length - len(ids) - 2))
    return rows
