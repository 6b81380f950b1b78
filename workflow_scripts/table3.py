"""Table 3: backbones, untouched and fine-tuned, against the scores of the test part (paper 4.2)."""

from pathlib import Path

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.tables import table3, write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    metric, scores, split, sr = (read_table(job.input[name]) for name in ("metric", "scores", "split", "sr"))
    table = table3(metric, scores, split, job.settings["iqa.bootstrap"], job.settings["seed"])
    title = "Table 3. Foundation backbones as the HLF metric, untouched and fine-tuned (ft)"
    write_all(table, facts_of(job.settings, scores, sr, metric), Path(job.output["csv"]).with_suffix(""), title)


hlf_job.run(main, globals().get("snakemake"))
