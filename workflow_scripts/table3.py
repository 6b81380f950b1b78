"""Table 3: backbones, untouched and fine-tuned, against the scores of the test part and of folds (paper 4.2)."""

from pathlib import Path

import pandas as pd

import hlf_job
from hlf.files import read_table
from hlf.paper.agreement import ceiling_sentence
from hlf.paper.certainty import with_folds
from hlf.paper.gather import facts_of
from hlf.paper.tables import TABLE3_READING, table3, write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    names = ("metric", "scores", "split", "sr", "ceiling")
    metric, scores, split, sr, ceiling = (read_table(job.input[name]) for name in names)
    folds = [read_table(path) for path in job.input["folds"]]
    table = table3(metric, scores, split, job.settings["iqa.bootstrap"], job.settings["seed"])
    table = with_folds(table, pd.concat(folds) if folds else None, scores)
    facts, stem = facts_of(job.settings, scores, sr, metric), Path(job.output["csv"]).with_suffix("")
    title = "Table 3. Foundation backbones as the HLF metric, untouched and fine-tuned (ft)"
    write_all(table, facts, stem, title, f"{TABLE3_READING} {ceiling_sentence(ceiling)}")


hlf_job.run(main, globals().get("snakemake"))
