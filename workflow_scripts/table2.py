"""Table 2: image quality measures against the scores of the test part (paper 4.1)."""

from pathlib import Path
from typing import Any

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.tables import table2, write_all


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    iqa, scores, split, sr = (read_table(input[name]) for name in ("iqa", "scores", "split", "sr"))
    table = table2(iqa, scores, split, settings["iqa.bootstrap"], settings["seed"])
    title = "Table 2. Image quality measures against high-level fidelity scores"
    write_all(table, facts_of(settings, scores, sr), Path(output["csv"]).with_suffix(""), title)


hlf_job.run(main, globals().get("snakemake"))
