"""The first screen of the report: three headline numbers with their intervals, picked from the tables by rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hlf.paper.formats import number
from hlf.tuning.variants import HELD_OUT

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

Row = Mapping[str, object]


@dataclass(frozen=True)
class Bar:
    """One value with its 95 % interval, drawn on its headline's axis.

    Attributes:
        label: what it is.
        value: in the units of the axis.
        low: lower end of the interval; that of the value where none is known.
        high: upper end.
        main: the one that the headline prints.
    """

    label: str
    value: float
    low: float
    high: float
    main: bool = False

    def text(self) -> str:
        """Value and interval as the tables print them.

        >>> Bar("PSNR", 0.5, 0.25, 0.75).text()
        '0.5000, 95 % interval 0.2500 to 0.7500'
        """
        bounds = "" if self.low == self.high else f", 95 % interval {number(self.low)} to {number(self.high)}"
        return f"{number(self.value)}{bounds}"


@dataclass(frozen=True)
class Headline:
    """One number of the summary.

    Attributes:
        title: what it answers, in a few words.
        anchor: key of the table that it stands in.
        source: name of that table.
        bars: the number and those to compare it with; empty when the run has none.
        remark: what it is, by which rule it was picked, and of how many.
        low: lower end of the axis.
        high: upper end.
    """

    title: str
    anchor: str
    source: str
    bars: Sequence[Bar]
    remark: str
    low: float = 0.0
    high: float = 1.0
    main: Bar | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "main", next((bar for bar in self.bars if bar.main), None))

    def place(self, value: float) -> str:
        """Place of a value on the axis, in per cent of its length.

        >>> Headline("", "", "", [], "", -1.0, 1.0).place(0.5)
        '75.0'
        """
        return f"{min(max(100 * (value - self.low) / (self.high - self.low), 0.0), 100.0):.1f}"


def headlines(frames: "Mapping[str, pd.DataFrame]") -> list[Headline]:
    """Three headlines: the best measure, the best fine-tuned backbone, what fine-tuning SeeSR changed.

    Args:
        frames: tables as `tables.write_all` wrote them, by name; what is missing or undefined makes a headline say so.
    """
    return [_measures(frames.get("table2")), _backbones(frames.get("table3"), frames.get("ceiling")), _tuning(frames)]


def _measures(table: "pd.DataFrame | None") -> Headline:
    title, source = "Best measure of image quality", "Table 2"
    rows = _defined(table, "srcc")
    if not rows:
        return Headline(title, "table2", source, [], "No measure has a rank correlation with the score in this run.")
    best = _largest(rows)
    others = [
        one for kind in ("FR", "NR") if (some := [r for r in rows if r["type"] == kind]) if (one := _largest(some))
    ]
    bars = [_correlation(one, one is best, f" ({one['type']})") for one in others]
    remark = f"Absolute SRCC with the score of {best['n']} test pairs: the highest of {len(rows)} rows"
    return Headline(
        title, "table2", source, bars, f"{remark}, beside the best of the other kind." if bars[1:] else f"{remark}."
    )


def _backbones(table: "pd.DataFrame | None", ceiling: "pd.DataFrame | None") -> Headline:
    title, source = "Best fine-tuned backbone as HLF", "Table 3"
    rows = _defined(table, "srcc")
    tuned = [r for r in rows if str(r["metric"]).startswith("(ft)")]
    if not tuned:
        return Headline(title, "table3", source, [], "No fine-tuned backbone has a rank correlation in this run.")
    best, untouched = _largest(tuned), [r for r in rows if r not in tuned]
    bars = [_correlation(_largest(untouched), False)] if untouched else []
    bars.append(_correlation(best, True))
    limit = [r for r in _defined(ceiling, "full") if r["correlation"] == "SRCC"]
    bars += [_bar(r, "full", "Human ceiling", False) for r in limit]
    beside = ["the best untouched one"] * bool(untouched) + ["what as many new votes would reach"] * bool(limit)
    remark = f"Absolute SRCC with the score of {best['n']} test pairs: the highest of {len(tuned)} fine-tuned rows"
    return Headline(
        title, "table3", source, bars, f"{remark}, beside {' and '.join(beside)}." if beside else f"{remark}."
    )


def _tuning(frames: "Mapping[str, pd.DataFrame]") -> Headline:
    """The change of the held-out metric in the middle: neither the one that gained most nor the one that lost most."""
    title, source = "Change of HLF by fine-tuning SeeSR", "Table 4"
    rows = [r for r in _defined(frames.get("table4_changes"), "difference") if r["group"] == HELD_OUT]
    if not rows:
        anchor = "table4" if "table4" in frames else "table3"
        return Headline(
            title, anchor, source, [], "This run has no fine-tuned SeeSR judged by metrics outside its loss."
        )
    models = list(dict.fromkeys(str(r["model"]) for r in rows))
    of = {model: [r for r in rows if r["model"] == model] for model in models}
    best = min(models, key=lambda model: sum(map(_value("tuned"), of[model])) / len(of[model]))
    ordered = sorted(of[best], key=_value("difference"))
    middle = ordered[len(ordered) // 2]
    bars = [_bar(r, "difference", str(r["measure"]), r is middle) for r in of[best]]
    reach = max(abs(end) for bar in bars for end in (bar.low, bar.high)) or 1.0
    which = f"The middle one of {len(ordered)} metrics" if len(ordered) > 1 else "The only metric"
    remark = (
        f"{best} less SeeSR as published, in 1 \u2212 cosine on {middle['n']} images; below 0 is better. {which} that "
        "the loss does not hold, at the alpha with their lowest mean."
    )
    return Headline(title, "table4_changes", source, bars, remark, -reach, reach)


def _defined(table: "pd.DataFrame | None", column: str) -> list[Row]:
    """Rows whose `column` is defined."""
    if table is None or column not in table:
        return []
    return [{str(k): v for k, v in r.items()} for r in table[table[column].notna()].to_dict("records")]


def _value(column: str) -> "Callable[[Row], float]":
    return lambda row: float(str(row[column]))


def _largest(rows: list[Row]) -> Row:
    return max(rows, key=_value("srcc"))


def _correlation(row: Row, main: bool, ending: str = "") -> Bar:
    return _bar(row, "srcc", f"{row['metric']}{ending}", main)


def _bar(row: Row, column: str, label: str, main: bool) -> Bar:
    value, low, high = (_value(f"{column}{end}")(row) for end in ("", "_low", "_high"))
    return Bar(label, value, low if low == low else value, high if high == high else value, main)
