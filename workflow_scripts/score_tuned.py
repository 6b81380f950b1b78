"""HLF of every pair by one fine-tuned backbone (paper 4.2)."""

from pathlib import Path
from typing import Any

import hlf_job
from hlf.files import read_table, write_table
from hlf.metric.model import load_metric_folder
from hlf.metric.score import score_pairs
from hlf.threads import one_thread


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    one_thread()
    backbone, digest = load_metric_folder(Path(input["config"]).parent)
    pairs, split, batch = read_table(input["pairs"]), read_table(input["split"]), settings["metric.eval_batch_size"]
    table = score_pairs(pairs, split, places.results, settings["run"], backbone, True, digest, batch, places.device)
    write_table(table, output["table"])


hlf_job.run(main, globals().get("snakemake"))
