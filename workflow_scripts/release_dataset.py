"""Data set package of a finished run, for others."""

from pathlib import Path

import hlf_job
from hlf.release.dataset import write_dataset
from hlf.release.finished import read_finished


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    write_dataset(read_finished(job.input, job.results, job.settings), Path(job.output["sums"]).parent)


hlf_job.run(main, globals().get("snakemake"))
