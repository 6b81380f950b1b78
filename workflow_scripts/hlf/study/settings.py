"""Settings of one user study: what people are asked, how many pairs they see, and how the pages behave."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from unicodedata import category
from urllib.parse import urlsplit

from hlf.errors import HlfError

PRACTICE_PAIRS = 6  # shown before the first trial; our choice
# rules of `flags.RULES`, named here so that settings need none of its imports
EXCLUDING = ("traps", "median_rt", "fast_share", "same_answer", "agreement", "informedness")
# what a value may be: a test, and the words for it in the error sentence
Allowed = tuple[Callable[[Any], bool], str]


def _whole(default: int, low: int, high: int) -> Any:
    """A whole number from `low` to `high`; True and False are none."""
    test = (lambda v: type(v) is int and low <= v <= high, f"a whole number from {low} to {high}")
    return field(default=default, metadata={"allowed": test})


def _flag(default: bool) -> Any:
    return field(default=default, metadata={"allowed": (lambda v: type(v) is bool, "true or false")})


def _choice(default: str, *others: str) -> Any:
    names = (default, *others)
    return field(default=default, metadata={"allowed": (lambda v: v in names, f"one of {', '.join(names)}")})


def _text(default: str, longest: int, empty: bool = True, lines: bool = False) -> Any:
    """Text of at most `longest` characters; line breaks only with `lines`, other control characters never."""

    def fits(value: Any) -> bool:
        """Whether a value is such a text."""
        if not isinstance(value, str) or len(value) > longest or not (empty or value.strip()):
            return False
        # control characters, lone surrogates, separators of lines and paragraphs
        return all(category(c) not in ("Cc", "Cs", "Zl", "Zp") or (lines and c in "\n\t") for c in value)

    words = f"{'' if empty else 'non-empty '}text of at most {longest} characters{'' if lines else ' on one line'}"
    return field(default=default, metadata={"allowed": (fits, words)})


def _words(default: str, *known: str) -> Any:
    def fits(value: Any) -> bool:
        """Whether a value holds known words only."""
        return isinstance(value, str) and all(word in known for word in value.split())

    return field(default=default, metadata={"allowed": (fits, f"some of {', '.join(known)}, apart by spaces")})


def _url(longest: int) -> Any:
    def fits(value: Any) -> bool:
        """Whether a value is an address of the web, or empty."""
        if not isinstance(value, str) or len(value) > longest:
            return False
        try:
            parts = urlsplit(value)
        except ValueError:
            return False
        # another scheme would let the last page of a study run a script
        good = parts.scheme in ("https", "http") and bool(parts.hostname)
        return value == "" or (good and value.isprintable() and " " not in value)

    return field(default="", metadata={"allowed": (fits, f"empty, or a web address of at most {longest} characters")})


@dataclass(frozen=True)
class Settings:
    """What holds for everybody who takes part; kept with the study, so that its report can name it.

    Attributes:
        title: heading of the first page; our choice.
        question: asked under every pair; paper 3.1.
        hint: what the two arrow keys mean; paper 3.1.
        votes_per_pair: valid votes that each pair needs; paper 3.1.
        people_quota: pairs that one person answers, traps come on top; our choice.
        trap_rate: one trap in about this many trials; our choice.
        gt_side: where the GT stands, "random" (drawn for each person and pair) or "left"; the paper does not say, our
            choice is random.
        mirror_keys: whether half of the people answer Yes with the left arrow; the paper has Yes on the right.
        letter_keys: whether N and Y answer too; our choice (WCAG 2.1.4 wants a way to switch them off).
        undo: answers that a person may take back in a row, 0 to 3; our choice.
        hold_seconds: seconds that a pair stays reserved for a person; our choice.
        hold_max_seconds: the most seconds that heartbeats may stretch this to; our choice.
        lookahead: pairs loaded ahead of the one on the screen, 0 to 2; our choice.
        minutes: longest time one person answers pairs, in minutes; a limit of BT.500.
        flicker: whether both images may be shown in the same place in turn; it changes the task, so our choice is not.
        break_trials: trials between two offers of a break, 0 for none; our choice.
        break_minutes: minutes between two offers of a break, 0 for none; our choice.
        min_css_px: smallest width at which one image is shown, in CSS pixels; our choice.
        practice_pass: right answers of the 6 practice pairs that are needed; our choice.
        screening: names of the rules that leave people out (`flags.RULES`), apart by spaces; our choice: traps only,
            the others merely flag.
        gt_gap: trials before a person may see the same GT image again; our choice.
        pay: sentence on the fixed pay, empty where there is none; the paper does not say.
        contact: whom people can write to; no default, because it names a person.
        retention: sentence on how long data are kept; no default, because it is a promise of the study's owner.
        completion_code: code shown at the end for a recruiting site; empty for none.
        completion_url: address that the last page leads to; empty for none.
        consent: text of the consent page, paragraphs apart by empty lines; empty for the text that comes with hlf.
    """

    title: str = _text("Do these two pictures show the same?", 200, empty=False)
    question: str = _text(
        "Does the high-level semantic fidelity change between the two images?", 300, empty=False
    )  # paper 3.1, word for word
    hint: str = _text("Press Left Arrow (←) for No, Right Arrow (→) for Yes", 300)
    votes_per_pair: int = _whole(12, 1, 100_000)
    people_quota: int = _whole(150, 1, 100_000)
    trap_rate: int = _whole(10, 4, 1000)
    gt_side: str = _choice("random", "left")
    mirror_keys: bool = _flag(False)
    letter_keys: bool = _flag(True)
    undo: int = _whole(1, 0, 3)
    hold_seconds: int = _whole(300, 10, 86400)
    hold_max_seconds: int = _whole(1800, 10, 86400)
    lookahead: int = _whole(2, 0, 2)
    minutes: int = _whole(30, 1, 240)
    flicker: bool = _flag(False)
    break_trials: int = _whole(50, 0, 2000)
    break_minutes: int = _whole(10, 0, 240)
    min_css_px: int = _whole(480, 64, 4000)
    practice_pass: int = _whole(5, 0, PRACTICE_PAIRS)
    screening: str = _words("traps", *EXCLUDING)
    gt_gap: int = _whole(30, 0, 2000)
    pay: str = _text("", 500)
    contact: str = _text("", 500)
    retention: str = _text("", 500)
    completion_code: str = _text("", 100)
    completion_url: str = _url(2000)
    consent: str = _text("", 20000, lines=True)

    def __post_init__(self) -> None:
        _refuse([problem for name in NAMES for problem in _problems(name, getattr(self, name))])
        if self.hold_max_seconds < self.hold_seconds:
            _refuse(
                [f"hold_max_seconds is {self.hold_max_seconds}, allowed is at least hold_seconds {self.hold_seconds}"]
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Settings":
        """Settings with the given values, the others at their default.

        Raises:
            HlfError: no mapping, an unknown key or a value that is not allowed; names the key, the value and what is.
        """
        if not isinstance(values, Mapping):
            raise HlfError(f"the study's settings are {values!r}, expected names with values such as 'minutes: 30'")
        unknown = [name for name in values if name not in NAMES]
        _refuse(
            [f"{name!r} is unknown (value {_short(values[name])}), known are {', '.join(NAMES)}" for name in unknown]
        )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """All values as plain numbers and text, the inverse of `from_dict`."""
        return asdict(self)


NAMES = tuple(f.name for f in fields(Settings))
_ALLOWED: dict[str, Allowed] = {f.name: f.metadata["allowed"] for f in fields(Settings)}


def _problems(name: str, value: Any) -> list[str]:
    """What is wrong with a value: nothing, or one clause."""
    test, words = _ALLOWED[name]
    return [] if test(value) else [f"{name} is {_short(value)}, allowed is {words}"]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:76]}..."


def _refuse(problems: list[str]) -> None:
    if problems:
        raise HlfError(f"study setting {'; '.join(problems)}")
