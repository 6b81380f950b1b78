"""Copy tables of the mini run into docs: mini_results.md whole, and what other pages take (called by make docs).

Run: python docs/copy_tables.py [RESULTS], where RESULTS is results/mini unless given.
"""

import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from hlf.files import write_text  # noqa: E402

TABLES = (
    "sr_models", "agreement", "table2", "table3", "table4", "table4_changes", "leave_one_out", "calibration", "ceiling",
    "strata",
)  # fmt: skip
PICTURES = {
    "calibration": ("Predicted against observed share of viewers", "reliability"),
    "strata": ("Similarity before and after sampling", "similarity"),
}
BEGIN, END = "<!-- made by docs/copy_tables.py -->", "<!-- end of the made table -->"
EDITS = ("details", "local structure", "holistic")


def row(*cells: str) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def results(tables: Path) -> str:
    """All tables of docs/mini_results.md under one heading."""
    parts = ["# Tables of the mini run\n\nWritten by `make docs` from results/mini/tables.\n"]
    for name in TABLES:
        parts.append((tables / f"{name}.md").read_text(encoding="utf8"))
        if name in PICTURES:
            title, figure = PICTURES[name]
            parts.append(f"![{title}](images/{figure}.png)\n")
    return "\n".join(parts)


def findings(tables: Path) -> str:
    """The page docs/findings.md."""
    head = (
        "# The paper's findings, and what the mini run shows of them\n\nWritten by `make docs` from "
        "results/mini/tables/findings.md, which `snakemake --cores 2 findings` makes; of another run, with its "
        "configuration: `snakemake --cores 2 findings --configfile config.paper.yaml`. The rule behind it stands in "
        "`hlf/paper/findings*.py`; none of the sentences below was written for these numbers.\n\n"
    )
    return head + (tables / "findings.md").read_text(encoding="utf8")


def behaviour(tables: Path) -> str:
    """How the untouched backbones behave: AUC by kind of edit, mild changes in units of an edit, the map's ratio."""
    kinds, mild, maps = (pd.read_csv(tables / f"{name}.csv") for name in ("behaviour", "invariance", "change_map"))
    head = (
        "mini backbone",
        *(f"AUC {k}" for k in EDITS),
        "blur 0.8 px",
        "JPEG 75",
        "shift 2 px",
        "unrelated",
        "map ratio",
    )
    lines = [row(*head), row("---", *["---:"] * (len(head) - 1))]
    for name in mild["metric"]:
        if name.startswith("(ft)"):
            continue
        auc = kinds[kinds["metric"] == name].set_index("kind")["auc"]
        change = mild[mild["metric"] == name].iloc[0]
        ratio = maps[(maps["metric"] == name) & (maps["way"] == "all kinds")].iloc[0]
        numbers = [*(auc[k] for k in EDITS), change["blur"], change["jpeg"], change["shift_2"]]
        interval = f"{ratio['ratio']:.1f} [{ratio['ratio_low']:.1f}, {ratio['ratio_high']:.1f}]"
        cells = [f"{x:.2f}" for x in numbers]
        lines.append(row(name.removesuffix(" (mini)"), *cells, f"{change['unrelated']:.0f}", interval))
    return "\n".join(lines)


def tuning(tables: Path) -> str:
    """Table 4 in short: the baseline, and what each alpha changed, with a star where the interval leaves 0 out."""
    changes = pd.read_csv(tables / "table4_changes.csv")
    measures = list(dict.fromkeys(changes["measure"]))
    lines = [row("alpha", *(m.replace(" HLF", "") for m in measures)), row(*["---"] * (len(measures) + 1))]
    for name, part in changes.groupby("model", sort=False):
        if len(lines) == 2:
            lines.append(row("before", *(f"{x:.3f}" for x in part["baseline"])))
        stars = ["" if better == "unsettled" else "*" for better in part["better"]]
        cells = [f"{x:+.3f}{star}" for x, star in zip(part["difference"], stars, strict=True)]
        lines.append(row(name.partition("(")[2].partition(")")[0], *cells))
    return "\n".join(lines)


def put(page: Path, table: str) -> None:
    """Write a table between the marks of a page."""
    before, _, rest = page.read_text(encoding="utf8").partition(BEGIN)
    write_text(page, f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")


def main() -> None:
    """See the module docstring."""
    tables = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "results/mini") / "tables"
    write_text(ROOT / "docs/mini_results.md", results(tables))
    write_text(ROOT / "docs/findings.md", findings(tables))
    put(ROOT / "docs/metric_behaviour.md", behaviour(tables))
    put(ROOT / "docs/tuning.md", tuning(tables))


if __name__ == "__main__":
    main()
