"""Score of each pair, the share of valid votes that say yes (paper 3.1)."""

import hlf_job
from hlf.files import read_table, write_table
from hlf.study.scores import score_pairs


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    votes = read_table(job.input["votes"])
    scores = score_pairs(
        read_table(job.input["pairs"]), votes, job.settings["study.votes_per_pair"], job.settings["run"]
    )
    write_table(votes, job.output["votes"])
    write_table(scores, job.output["scores"])


hlf_job.run(main, globals().get("snakemake"))
