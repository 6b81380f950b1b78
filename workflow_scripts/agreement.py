"""How consistent the votes are: agreement of people on all complete pairs (paper 3.1)."""

from pathlib import Path

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.study_report import AGREEMENT_READING, AGREEMENT_TITLE, agreement
from hlf.paper.tables import write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    votes, scores, sr = (read_table(job.input[name]) for name in ("votes", "scores", "sr"))
    n_boot, splits = job.settings["iqa.bootstrap"], job.settings["study.ceiling_splits"]
    table = agreement(votes, scores, n_boot, splits, job.settings["seed"])
    facts, stem = facts_of(job.settings, scores, sr), Path(job.output["csv"]).with_suffix("")
    write_all(table, facts, stem, AGREEMENT_TITLE, AGREEMENT_READING)


hlf_job.run(main, globals().get("snakemake"))
