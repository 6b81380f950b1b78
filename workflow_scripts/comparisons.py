"""Which rows of Tables 2 and 3 differ from each other (paper 4)."""

from pathlib import Path

import pandas as pd

import hlf_job
from hlf.files import read_table
from hlf.paper.agreement import COMPARISONS_READING, comparisons
from hlf.paper.gather import facts_of
from hlf.paper.tables import table2_values, table3_values, write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    names = ("iqa", "metric", "scores", "split", "sr")
    iqa, metric, scores, split, sr = (read_table(job.input[name]) for name in names)
    values = pd.concat([table2_values(iqa), table3_values(metric)], ignore_index=True)
    table = comparisons(values, scores, split, job.settings["iqa.bootstrap"], job.settings["seed"])
    facts, stem = facts_of(job.settings, scores, sr, metric), Path(job.output["csv"]).with_suffix("")
    write_all(table, facts, stem, "Comparison of the rows of Tables 2 and 3", COMPARISONS_READING)


hlf_job.run(main, globals().get("snakemake"))
