"""Settings that one SR model reads: group `sr.<model>` of the configuration, `--option` of the command."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hlf.errors import HlfError


@dataclass(frozen=True)
class Option:
    """One setting of a model.

    Attributes:
        default: value of the official program, whose type every value must have; None stands for "not given".
        choices: allowed values; empty: any of the type.
        low: smallest number.
        high: largest number.
        kind: type when the default is None.
    """

    default: Any
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    kind: type | None = None

    @property
    def type(self) -> type:
        """Type of the values."""
        return self.kind or type(self.default)

    def expected(self) -> str:
        """What is allowed, in words."""
        if self.choices:
            return " or ".join(map(str, self.choices))
        word = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[self.type]
        limits = [f"{name} {limit:g}" for name, limit in (("from", self.low), ("to", self.high)) if limit is not None]
        return " ".join([word, *limits])


def resolve(model: str, options: Mapping[str, Option], given: Mapping[str, Any], texts: bool = True) -> dict[str, Any]:
    """All settings of a model: the given ones, checked, and defaults for the rest.

    Args:
        model: name of the model, for sentences.
        options: what the model knows.
        given: values by name.
        texts: read texts, as a command line has them, as the option's type; a configuration has types of its own.

    Raises:
        HlfError: unknown name, or a value of another type or beyond the limits.

    >>> resolve("toy", {"steps": Option(50, low=1), "fix": Option("adain", ("adain", "none"))}, {"steps": "20"})
    {'steps': 20, 'fix': 'adain'}
    """
    for name in given:
        if name not in options:
            advice = f"expected one of {', '.join(options)}" if options else "and no other; leave it out"
            raise HlfError(f"model '{model}' has no option '{name}', {advice}")
    values = {name: option.default for name, option in options.items()}
    for name, value in given.items():
        option = options[name]
        read = _read(value, option) if texts or not isinstance(value, str) or option.type is str else None
        if value is not None and (read is None or not _allowed(read, option)):
            raise HlfError(f"sr.{model}.{name} is {value!r}, expected {option.expected()}")
        if value is None and option.default is not None:
            raise HlfError(f"sr.{model}.{name} has no value, expected {option.expected()}")
        values[name] = read
    return values


def _read(value: Any, option: Option) -> Any:
    """`value` as the option's type, or None when it is of another."""
    kind = option.type
    if kind is bool:
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())
    if kind is str:
        return value if isinstance(value, str) else None
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
        return kind(number) if kind is float or number.is_integer() else None
    except (TypeError, ValueError, OverflowError):
        return None


def _allowed(value: Any, option: Option) -> bool:
    """Whether a value of the right type is a choice and within the limits; NaN never is."""
    if option.choices:
        return value in option.choices
    if option.type not in (int, float):
        return True
    low, high = option.low, option.high
    return value == value and (low is None or value >= low) and (high is None or value <= high)
