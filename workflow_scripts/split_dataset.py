"""Training and test part of the scored pairs (paper 3.2: 80/20)."""

import hlf_job
from hlf.files import read_table, write_table
from hlf.study.split import split_pairs


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    scores = read_table(job.input["scores"])
    split = split_pairs(scores, job.settings["study.test_share"], job.settings["study.split_by"], job.settings["seed"])
    write_table(split, job.output["split"])


hlf_job.run(main, globals().get("snakemake"))
