"""Votes of people, from a file, the export of a study, or its database; checked row by row."""

import hlf_job
from hlf.files import read_table, write_table
from hlf.study.sources import read_source


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    pairs = read_table(job.input["pairs"])
    write_table(read_source(job.settings["study.votes"], pairs, job.settings["run"]), job.output["votes"])


hlf_job.run(main, globals().get("snakemake"))
