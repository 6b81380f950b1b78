"""Table 2: image quality measures against the scores of the test part (paper 4.1)."""

from pathlib import Path

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.tables import table2, write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    iqa, scores, split, sr = (read_table(job.input[name]) for name in ("iqa", "scores", "split", "sr"))
    table = table2(iqa, scores, split, job.settings["iqa.bootstrap"], job.settings["seed"])
    title = "Table 2. Image quality measures against high-level fidelity scores"
    write_all(table, facts_of(job.settings, scores, sr), Path(job.output["csv"]).with_suffix(""), title)


hlf_job.run(main, globals().get("snakemake"))
