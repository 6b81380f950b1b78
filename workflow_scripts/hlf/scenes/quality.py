"""Words for the quality of a picture, as the mini CLIP learns them: the antonyms that CLIP-IQA asks for, and more."""

from functools import cache

from hlf.scenes.vocabulary import caption_words, token_rows

# the five pairs of pyiqa's `clipiqa`, the good one first
ANTONYMS = (
    ("good image", "bad image"),
    ("sharp image", "blurry image"),
    ("sharp edges", "blurry edges"),
    ("high resolution image", "low resolution image"),
    ("noise free image", "noisy image"),
)
GOOD = tuple(good for good, _ in ANTONYMS)
# what may be said of a picture with that defect alone
BAD = {
    "blur": ("bad image", "blurry image", "blurry edges", "low resolution image"),
    "noise": ("bad image", "noisy image"),
    "compression": ("bad image", "low resolution image"),
}


@cache
def words() -> tuple[str, ...]:
    """Words of captions, then those for quality, sorted; index + 2 is the token id (0 padding, 1 start)."""
    more = {word for pair in ANTONYMS for text in pair for word in text.split()}
    return (*caption_words(), *sorted(more - set(caption_words())))


def tokenize(texts: list[str], length: int) -> list[list[int]]:
    """Token ids of captions with words for quality; see `vocabulary.token_rows`."""
    return token_rows(texts, length, words())


def vocabulary_size() -> int:
    """Number of token ids: padding, start, words, end."""
    return len(words()) + 3
