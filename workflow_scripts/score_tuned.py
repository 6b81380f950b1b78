"""HLF of every pair by one fine-tuned backbone (paper 4.2)."""

from pathlib import Path

import hlf_job
from hlf.device import one_thread
from hlf.files import read_table, write_table
from hlf.metric.model import load_metric_folder
from hlf.metric.score import score_pairs


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    backbone, digest = load_metric_folder(Path(job.input["config"]).parent)
    pairs, split, batch = (
        read_table(job.input["pairs"]),
        read_table(job.input["split"]),
        job.settings["metric.eval_batch_size"],
    )
    table = score_pairs(pairs, split, job.results, job.settings["run"], backbone, True, digest, batch, job.device)
    write_table(table, job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
