"""Bundle of a study with people (paper 3.1): images under opaque names, pairs.csv and study.json."""

from pathlib import Path

import hlf_job
from hlf.files import read_table
from hlf.study.shown.bundle_writer import write_bundle


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    write_bundle(
        Path(job.output["study"]).parent,
        read_table(job.input["pairs"]),
        job.results,
        job.settings,
        job.group("study"),
        read_table(job.input["content"]) if job.input["content"] else None,
    )


hlf_job.run(main, globals().get("snakemake"))
