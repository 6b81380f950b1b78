"""Share of the change map inside the edited box, against chance."""

from pathlib import Path

import hlf_job
from hlf.files import read_table
from hlf.paper.behaviour import MAP_BEST, MAP_READING, MAP_TITLE, map_table
from hlf.paper.gather import facts_of
from hlf.paper.tables import write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    behaviour, scores = (read_table(job.input[name]) for name in ("behaviour", "scores"))
    table = map_table(behaviour, job.settings["iqa.bootstrap"], job.settings["seed"])
    facts = facts_of(job.settings, scores, behaviour)
    write_all(table, facts, Path(job.output["csv"]).with_suffix(""), MAP_TITLE, MAP_READING, MAP_BEST)


hlf_job.run(main, globals().get("snakemake"))
