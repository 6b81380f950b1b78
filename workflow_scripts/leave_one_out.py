"""Does the metric hold for an SR model that it never saw?"""

from pathlib import Path

import pandas as pd

import hlf_job
from hlf.files import read_table
from hlf.paper.certainty import LEAVE_ONE_OUT_READING, leave_one_out
from hlf.paper.gather import facts_of
from hlf.paper.tables import write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    metric, scores, split, sr = (read_table(job.input[name]) for name in ("metric", "scores", "split", "sr"))
    left_out = pd.concat([read_table(path) for path in job.input["left_out"]])
    table = leave_one_out(left_out, metric, scores, split, job.settings["iqa.bootstrap"], job.settings["seed"])
    facts, stem = facts_of(job.settings, scores, sr, metric), Path(job.output["csv"]).with_suffix("")
    write_all(table, facts, stem, "The metric on an SR model that it never saw", LEAVE_ONE_OUT_READING, {})


hlf_job.run(main, globals().get("snakemake"))
