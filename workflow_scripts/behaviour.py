"""Planted edits of content against edits of texture only."""

from pathlib import Path

import hlf_job
from hlf.files import read_table
from hlf.paper.behaviour import BEST, TITLE, behaviour_table, reading
from hlf.paper.gather import facts_of
from hlf.paper.tables import write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    behaviour, scores = (read_table(job.input[name]) for name in ("behaviour", "scores"))
    table = behaviour_table(
        behaviour, job.settings["metric.threshold"], job.settings["iqa.bootstrap"], job.settings["seed"]
    )
    facts = facts_of(job.settings, scores, behaviour)
    write_all(
        table, facts, Path(job.output["csv"]).with_suffix(""), TITLE, reading(job.settings["metric.threshold"]), BEST
    )


hlf_job.run(main, globals().get("snakemake"))
