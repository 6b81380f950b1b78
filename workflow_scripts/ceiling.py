"""How far people agree with people: what no metric is expected to exceed."""

from pathlib import Path

import hlf_job
from hlf.files import read_table
from hlf.paper.agreement import CEILING_READING, ceiling
from hlf.paper.gather import facts_of
from hlf.paper.tables import write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    votes, scores, split, sr = (read_table(job.input[name]) for name in ("votes", "scores", "split", "sr"))
    table = ceiling(votes, split, job.settings["study.ceiling_splits"], job.settings["seed"])
    facts, stem = facts_of(job.settings, scores, sr), Path(job.output["csv"]).with_suffix("")
    write_all(table, facts, stem, "Human ceiling", CEILING_READING)


hlf_job.run(main, globals().get("snakemake"))
