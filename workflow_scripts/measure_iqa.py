"""Image quality measures on one shard of the pairs (paper 4.1)."""

from typing import Any

import hlf_job
from hlf.data.shards import part_of
from hlf.files import read_table, write_table
from hlf.iqa.measure import measure_pairs
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
    pairs = part_of(read_table(input["pairs"]), wildcards["shard"], settings["iqa.shards"], by="pair_id")
    work = places.results / "iqa" / ".work"
    table, timing = measure_pairs(pairs, places.results, settings["iqa.metrics"], settings["run"], places.key, work)
    write_table(timing, output["timing"])
    write_table(table, output["table"])


hlf_job.run(main, globals().get("snakemake"))
