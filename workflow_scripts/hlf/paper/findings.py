"""The paper's findings one by one, and what a run shows of each: a number, its interval, a verdict and why."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hlf.paper.facts import HUMAN, OFFICIAL, Facts
from hlf.paper.findings_claims import CLAIMS
from hlf.paper.findings_evidence import FINDERS, Material
from hlf.paper.findings_verdict import VERDICT_RULE, VERDICTS, row

if TYPE_CHECKING:
    import pandas as pd

TITLE = "The paper's findings, one by one"
NOTE = (
    f"{VERDICT_RULE} Intervals are 95 % bootstrap over GT images, differences paired: both sides share the resamples. "
    "Correlations are absolute ones with the scores of the test part; a score tells how many saw a change, so low is "
    "faithful. n counts pairs, pictures or images. In column Paper, as claimed counts the finding's comparisons that "
    "hold in the paper's own tables. A measure is full-reference (FR) when it looks at GT; A-FINE's "
    "naturalness term does not, though the paper's Table 2 calls it FR. The reasons are made from the run's numbers; "
    "what they say of mini networks and simulated votes is true of the mini world in general."
)
HEADINGS = {"figure": "Seen in"}
APART = ("section", "why")  # long ones, below the Markdown table


def tally(table: "pd.DataFrame") -> str:
    """How many findings have each verdict, such as "9 shown, 7 not shown, 1 opposite"."""
    counts = table["verdict"].value_counts()
    return ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in VERDICTS)


def findings(tables: "Mapping[str, pd.DataFrame]", facts: Facts, n_boot: int, seed: int) -> "pd.DataFrame":
    """One row per finding of the paper, in its order.

    Args:
        tables: see `Material`.
        facts: provenance of the run: its zoo and source of votes decide which reasons apply.
        n_boot: resamples over GT images, shared by all comparisons of one finding.
        seed: the run's seed.

    Returns:
        Columns of `findings_verdict.row`. What the configuration leaves out gives a row without a number that says so.

    Raises:
        HlfError: a missing column, no complete pair, or an empty test part.
    """
    import pandas as pd

    material = Material(tables, n_boot, seed)
    mini, simulated = facts.zoo != OFFICIAL, facts.votes != HUMAN
    rows = [row(CLAIMS[key], find(material), mini, simulated) for key, find in FINDERS.items()]
    # whole numbers beside empty cells
    return pd.DataFrame(rows).assign(n=pd.Series([r["n"] for r in rows], dtype=object))
