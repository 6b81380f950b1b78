"""Last check of a run: a table that lacks rows makes it fail, after everything that could be made is there."""

import hlf_job
from hlf.errors import HlfError
from hlf.files import read_table, write_text
from hlf.paper.tables import incomplete


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    lacking = incomplete(read_table(job.input["table2"]))
    if lacking:
        raise HlfError(
            f"Table 2 is incomplete, weights are missing: {'; '.join(lacking)}; put them into {job.zoo}, or leave "
            "these metrics out of iqa.metrics"
        )
    write_text(job.output["note"], "Every row of Table 2 is there.\n")


hlf_job.run(main, globals().get("snakemake"))
