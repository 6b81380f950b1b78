"""What each stratum of the sampling wanted, had and gave (paper 3.1)."""

from pathlib import Path
from typing import Any

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.tables import write_all


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    strata, scores, sr = (read_table(input[name]) for name in ("strata", "scores", "sr"))
    title = "Strata of the sampling: SR model x similarity bin"
    note = "A short stratum hands its places on to the other bins of its model."
    write_all(strata, facts_of(settings, scores, sr), Path(output["csv"]).with_suffix(""), title, note)


hlf_job.run(main, globals().get("snakemake"))
