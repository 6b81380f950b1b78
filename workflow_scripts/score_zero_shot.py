"""HLF of every pair by one backbone as published (paper 4.2)."""

from typing import Any

import hlf_job
from hlf.backbones.registry import load_backbone
from hlf.files import read_table, write_table
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
    backbone = load_backbone(wildcards["backbone"], settings["zoo"], places.zoo, settings["metric.resize_mode"])
    pairs, split = read_table(input["pairs"]), read_table(input["split"])
    digest, batch = backbone.description.weights_sha256, settings["metric.eval_batch_size"]
    table = score_pairs(pairs, split, places.results, settings["run"], backbone, False, digest, batch, places.device)
    write_table(table, output["table"])


hlf_job.run(main, globals().get("snakemake"))
