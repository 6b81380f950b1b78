"""LR images of one shard at all levels (paper 3.1)."""

from typing import Any

import hlf_job
from hlf.data.shards import part_of
from hlf.degradation.run import degrade_images
from hlf.files import read_table, write_table
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
    manifest = part_of(read_table(input["manifest"]), wildcards["shard"], settings["degradation.shards"])
    levels, variant = settings["degradation.levels"], settings["degradation.variant"]
    table, timing = degrade_images(
        manifest, places.results, levels, settings["seed"], settings["run"], variant, places.key
    )
    write_table(timing, output["timing"])
    write_table(table, output["table"])


hlf_job.run(main, globals().get("snakemake"))
