"""Mild changes against the median planted edit."""

from pathlib import Path

import hlf_job
from hlf.files import read_table
from hlf.paper.behaviour import MILD_READING, MILD_TITLE, invariance_table
from hlf.paper.gather import facts_of
from hlf.paper.tables import write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    behaviour, scores = (read_table(job.input[name]) for name in ("behaviour", "scores"))
    table = invariance_table(behaviour)
    facts = facts_of(job.settings, scores, behaviour)
    write_all(table, facts, Path(job.output["csv"]).with_suffix(""), MILD_TITLE, MILD_READING, {})


hlf_job.run(main, globals().get("snakemake"))
