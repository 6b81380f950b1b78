"""GT-SR similarity of one shard's candidates by the sampling backbone (paper 3.1)."""

from typing import Any

import hlf_job
from hlf.backbones.registry import load_backbone
from hlf.data.shards import part_of
from hlf.files import read_table, write_table
from hlf.sampling.similarity import pair_similarity
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
    manifest = read_table(input["manifest"])
    manifest = part_of(manifest[manifest["role"] == "dataset"], wildcards["shard"], settings["sampling.shards"])
    backbone = load_backbone(settings["backbone"], settings["zoo"], places.zoo, settings["metric.resize_mode"])
    lr, sr = read_table(input["lr"]), read_table(input["sr"])
    table = pair_similarity(
        manifest, lr, sr, places.results, settings["run"], backbone, settings["sampling.batch_size"], places.device
    )
    write_table(table, output["table"])


hlf_job.run(main, globals().get("snakemake"))
