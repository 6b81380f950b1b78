"""What each stratum of the sampling wanted, had and gave (paper 3.1)."""

from pathlib import Path

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.tables import write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    strata, scores, sr = (read_table(job.input[name]) for name in ("strata", "scores", "sr"))
    title = "Strata of the sampling: SR model x similarity bin"
    note = "A short stratum hands its places on to the other bins of its model."
    write_all(strata, facts_of(job.settings, scores, sr), Path(job.output["csv"]).with_suffix(""), title, note)


hlf_job.run(main, globals().get("snakemake"))
