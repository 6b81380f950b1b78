"""Four words with which a person comes back in any browser."""

import secrets
from functools import cache

from hlf.extras import needed_for

WORDS = 4  # out of 7,776: 51 bits, which nobody guesses at ten tries a minute
FROM, TO = 3, 9  # letters of a word


@cache
def word_list() -> tuple[str, ...]:
    """The EFF's long list of words, made to be read aloud and typed."""
    with needed_for("a study", "'.[study]'"):
        from xkcdpass import xkcd_password
    found = xkcd_password.generate_wordlist(xkcd_password.locate_wordfile("eff-long"), FROM, TO, "[a-z]")
    return tuple(sorted(set(found)))


def resume_code() -> str:
    """Four random words, apart by spaces."""
    return " ".join(secrets.choice(word_list()) for _ in range(WORDS))


def normal_code(code: str) -> str:
    """A code as a person types it, with other separators or capital letters, as it was given out.

    >>> normal_code("  Red-fox jumps, HIGH ")
    'red fox jumps high'
    """
    return " ".join("".join(c if c.isalpha() else " " for c in code.lower()).split())
