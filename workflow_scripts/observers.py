"""What is known of each person who voted: answers, traps, agreement with the others, flags (paper 3.1)."""

from pathlib import Path

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.study_report import OBSERVERS_HEADINGS, OBSERVERS_READING, OBSERVERS_TITLE, observers
from hlf.paper.tables import write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    votes, scores, sr = (read_table(job.input[name]) for name in ("votes", "scores", "sr"))
    facts, stem = facts_of(job.settings, scores, sr), Path(job.output["csv"]).with_suffix("")
    write_all(observers(votes), facts, stem, OBSERVERS_TITLE, OBSERVERS_READING, headings=OBSERVERS_HEADINGS)


hlf_job.run(main, globals().get("snakemake"))
