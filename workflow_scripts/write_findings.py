"""The paper's findings one by one, and what this run shows of each."""

from pathlib import Path

import pandas as pd

import hlf_job
from hlf.files import read_table
from hlf.paper.findings import APART, HEADINGS, NOTE, TITLE, findings, tally
from hlf.paper.gather import facts_of
from hlf.paper.tables import write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    names = ("scores", "split", "iqa", "metric", "measures", "strata", "pairs", "agreement", "ceiling")
    tables = {name: read_table(job.input[name]) for name in names}
    # empty where the configuration makes none
    for name in ("folds", "evaluation"):
        if job.input[name]:
            tables[name] = pd.concat([read_table(path) for path in job.input[name]])
    facts = facts_of(job.settings, tables["scores"], read_table(job.input["sr"]), tables["metric"])
    table = findings(tables, facts, job.settings["iqa.bootstrap"], job.settings["seed"])
    title = f"{TITLE}: {tally(table)}"
    write_all(table, facts, Path(job.output["csv"]).with_suffix(""), title, NOTE, {}, headings=HEADINGS, apart=APART)


hlf_job.run(main, globals().get("snakemake"))
