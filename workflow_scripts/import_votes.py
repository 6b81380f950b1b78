"""Votes of people, from a file, checked row by row."""

import hlf_job
from hlf.files import read_table, write_table
from hlf.study.votes import read_votes


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    write_table(
        read_votes(job.input["votes"][0], read_table(job.input["pairs"]), job.settings["run"]), job.output["votes"]
    )


hlf_job.run(main, globals().get("snakemake"))
