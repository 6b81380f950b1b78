"""One table in the forms that people read: rows of formatted cells, Markdown, LaTeX, CSV text."""

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hlf.columns import level_name
from hlf.errors import HlfError

if TYPE_CHECKING:
    import pandas as pd

HEADINGS = {
    "metric": "Metric",
    "type": "Type",
    "srcc": "SRCC",
    "plcc": "PLCC",
    "plcc_logistic": "PLCC logistic",
    "krcc": "KRCC",
    "rmse": "RMSE",
    "metric_a": "Row a",
    "metric_b": "Row b",
    "srcc_difference": "SRCC a \u2212 b",
    "plcc_difference": "PLCC a \u2212 b",
    "p_bootstrap": "p bootstrap",
    "p_williams": "p Williams",
    "p_holm": "p Holm",
    "n": "n",
    "status": "Status",
    "srcc_folds": "SRCC folds",
    "plcc_folds": "PLCC folds",
    "srcc_unseen": "SRCC unseen",
    "srcc_usual": "SRCC usual",
    "srcc_zero_shot": "SRCC zero-shot",
    "difference": "Unseen \u2212 usual",
    "mse": "MSE",
    "ece": "ECE",
    "paper_srcc": "Paper SRCC",
    "paper_plcc": "Paper PLCC",
    "model": "SR model",
    "psnr": "PSNR to GT (dB)",
    "ssim": "SSIM",
    "vif": "VIF",
    "lpips": "LPIPS",
    "dists": "DISTS",
    "pair_id": "Pair",
    "auc": "AUC",
    "sensitivity_at_5": "Sensitivity at 5 %",
    "jpeg": "JPEG",
    "hit": "Peak inside",
}
# Which end of a column is best; columns that are not named here have no best value.
BEST = {"srcc": "max", "plcc": "max", "plcc_logistic": "max", "krcc": "max", "rmse": "min"}
# decimals of columns in units of which the fourth tells nothing; everything else has four
DIGITS = {"psnr": 2, "sharpness": 2}
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "\u2013": "--", "\u2212": "$-$", "\u00b1": r"$\pm$",
}  # fmt: skip
# columns that `tables.write_all` adds to a CSV: those of Facts.columns, and the stamp
PROVENANCE = ("run", "scale", "zoo", "source", "seed", "config_hash", "weights_hash", "stamp")
NOTHING = "\u2013"
_SENTENCE = 48  # characters from which on a LaTeX column is broken into lines


@dataclass(frozen=True)
class Cell:
    """One formatted value."""

    text: str
    numeric: bool = False
    best: bool = False
    second: bool = False


@dataclass(frozen=True)
class View:
    """A table ready to print: headings and rows of the same length."""

    headings: list[str]
    rows: list[list[Cell]]


def number(value: Any) -> str:
    """Text of a cell: real numbers with 4 decimals, whole numbers as they are, missing values empty.

    >>> number(0.5), number(7), number(float("nan")), number(-0.00001)
    ('0.5000', '7', '', '0.0000')
    """
    if value is None or (isinstance(value, numbers.Real) and math.isnan(float(value))):
        return ""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or isinstance(value, numbers.Integral):
        return str(value)
    # adding zero turns the "-0.0" that rounding leaves into "0.0"
    return f"{round(float(value), 4) + 0.0:.4f}"


def cell_text(column: str, value: Any, digits: Mapping[str, int] | None = None) -> str:
    """Text of a cell of a column: degradation levels as they stand in paths, everything else as `number` has it.

    `digits` holds the decimals of columns that have others than four.

    >>> cell_text("level", 0.3), cell_text("psnr", 0.3), cell_text("hours", 0.3, {"hours": 2})
    ('0.3', '0.3000', '0.30')
    """
    if digits and column in digits and number(value) and isinstance(value, numbers.Real):
        return f"{float(value):.{digits[column]}f}"
    return level_name(value) if column == "level" and value == value else number(value)


def view(
    table: "pd.DataFrame",
    best: Mapping[str, str] | None = None,
    second: bool = False,
    headings: Mapping[str, str] | None = None,
    digits: Mapping[str, int] | None = None,
) -> View:
    """Cells for people: `x_low`/`x_high` become one interval column, so do `x_mean`/`x_sd`; `*_signed` is left out.

    Args:
        table: any table; a `status` column that says "ok" everywhere is left out.
        best: column -> "max" or "min", the value to set in bold; the correlations' by default.
        second: underline the second best value of these columns, too.
        headings: column -> its heading where this table has another than HEADINGS.
        digits: column -> decimals, where this table has others than four or DIGITS.
    """
    digits = {**DIGITS, **(digits or {})}
    directions, names = BEST if best is None else best, {**HEADINGS, **(headings or {})}
    hidden = {c for c in table if str(c).endswith(("_signed", "_high", "_sd"))}
    if "status" in table and (table["status"] == "ok").all():
        hidden.add("status")
    heads, columns = [], []
    for name in (str(c) for c in table if c not in hidden):
        if name.endswith("_low") and name.removesuffix("_low") + "_high" in table:
            heads.append("95 % interval")
            columns.append(_interval(table[name], table[name.removesuffix("_low") + "_high"]))
        elif name.endswith("_mean") and name.removesuffix("_mean") + "_sd" in table:
            what = name.removesuffix("_mean")
            heads.append(names.get(what, what.replace("_", " ").capitalize()))
            columns.append(_spread(table[name], table[f"{what}_sd"]))
        else:
            heads.append(names.get(name, name.replace("_", " ").capitalize()))
            columns.append(_cells(table[name], directions.get(name), second, digits))
    return View(heads, [list(row) for row in zip(*columns, strict=True)])


def _interval(low: "pd.Series", high: "pd.Series") -> list[Cell]:
    pairs = [(number(a), number(b)) for a, b in zip(low, high, strict=True)]
    return [Cell(f"[{a}, {b}]" if a and b else NOTHING, numeric=True) for a, b in pairs]


def _spread(mean: "pd.Series", deviation: "pd.Series") -> list[Cell]:
    """Mean and standard deviation in one cell; the mean alone where one value has no deviation."""
    pairs = [(number(a), number(b)) for a, b in zip(mean, deviation, strict=True)]
    return [Cell((f"{a} \u00b1 {b}" if b else a) or NOTHING, numeric=True) for a, b in pairs]


def _cells(
    column: "pd.Series", direction: str | None, second: bool, digits: Mapping[str, int] | None = None
) -> list[Cell]:
    """Formatted values; the best ones are found after rounding, so equal prints are marked alike."""
    texts = [cell_text(str(column.name), v, digits) for v in column]
    numeric = [isinstance(v, numbers.Real) and not isinstance(v, bool) for v in column]
    if not all(numeric):  # what is missing among words is no number
        numeric = [n and bool(t) for n, t in zip(numeric, texts, strict=True)]
    order: list[float] = []
    if direction is not None:
        if direction not in ("max", "min"):
            raise HlfError(f"best value of a table column: expected 'max' or 'min', received '{direction}'")
        order = sorted({float(t) for t in texts if t}, reverse=direction == "max")
    places = [order.index(float(t)) if order and t else None for t in texts]
    return [
        Cell(t or NOTHING, is_number, place == 0, second and place == 1)
        for t, is_number, place in zip(texts, numeric, places, strict=True)
    ]


def to_markdown(table: View, caption: list[str]) -> str:
    """Markdown table with the caption's lines as paragraphs above it."""

    def line(cells: list[str]) -> str:
        """One row."""
        return "| " + " | ".join(c.replace("|", r"\|") for c in cells) + " |"

    numeric = [all(row[i].numeric for row in table.rows) for i in range(len(table.headings))]
    rows = [line([_marked(c, "**{}**", "<u>{}</u>", c.text) for c in row]) for row in table.rows]
    rule = "|" + "|".join("---:" if right else "---" for right in numeric) + "|"
    return "\n\n".join(caption) + "\n\n" + "\n".join([line(table.headings), rule, *rows]) + "\n"


def paragraphs(table: "pd.DataFrame", columns: Sequence[str], headings: Mapping[str, str] | None = None) -> str:
    """Markdown below a table for columns of long text: one list per row under its first cell; "" for no column."""
    names = {**HEADINGS, **(headings or {})}
    text = ""
    for row in table.to_dict("records") if columns else []:
        text += f"\n**{next(iter(row.values()))}**\n\n"
        text += "".join(f"- {names.get(c, c.capitalize())}: {number(row[c]) or NOTHING}\n" for c in columns)
    return text


def _marked(cell: Cell, best: str, second: str, text: str) -> str:
    """Text of a cell in the form of a best or second best value, where it is one."""
    return (best if cell.best else second if cell.second else "{}").replace("{}", text)


def escape_latex(text: str) -> str:
    r"""Text that LaTeX prints as it is.

    >>> escape_latex("a_b & 5 %")
    'a\\_b \\& 5 \\%'
    """
    return "".join(_LATEX.get(c, c) for c in text)


def to_latex(table: View, caption: list[str], label: str) -> str:
    r"""A `table*` in booktabs style (needs \usepackage{booktabs}), best values in bold, second best underlined."""

    def cell(c: Cell) -> str:
        """One cell, marked where it is the best or second best."""
        return _marked(c, r"\textbf{{}}", r"\underline{{}}", escape_latex(c.text))

    align = "".join(_latex_columns(table))
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table*}",
        r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{escape_latex(' '.join(caption))}}}",
        rf"\label{{tab:{label}}}",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        " & ".join(escape_latex(h) for h in table.headings) + r" \\",
        r"\midrule",
        *(" & ".join(cell(c) for c in row) + r" \\" for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _latex_columns(table: View) -> list[str]:
    """Numbers to the right, words to the left; columns of sentences share a part of the line and are broken."""
    columns = [[row[i] for row in table.rows] for i in range(len(table.headings))]
    long = [not all(c.numeric for c in cells) and max(len(c.text) for c in cells) > _SENTENCE for cells in columns]
    broken = f"p{{{0.6 / max(1, sum(long)):.2f}\\linewidth}}"
    return [
        broken if far else "r" if all(c.numeric for c in cells) else "l"
        for far, cells in zip(long, columns, strict=True)
    ]
