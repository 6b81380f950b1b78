"""SR images of one model and one shard (paper 3.1); a failed image fails the job, after all others are made."""

from typing import Any

import hlf_job
from hlf.data.shards import part_of
from hlf.files import read_table, write_table
from hlf.sr.registry import load_upscaler
from hlf.sr.run import refuse_failures, upscale_images
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
    lr = part_of(read_table(input["lr"]), wildcards["shard"], settings["sr.shards"])
    options = {"swinir_variant": settings.get("sr.swinir_variant", "M")}
    upscaler = load_upscaler(
        wildcards["model"], settings["zoo"], places.zoo, places.device, settings["sr.precision"], options
    )
    table, timing, failures = upscale_images(
        lr,
        places.results,
        upscaler,
        settings["seed"],
        settings["run"],
        places.key,
        settings["sr.batch_size"],
        settings["sr.tile"],
        settings["sr.tile_overlap"],
    )
    refuse_failures(failures, places.results / "sr" / wildcards["model"] / f"failures-{wildcards['shard']}.csv")
    write_table(timing, output["timing"])
    write_table(table, output["table"])


hlf_job.run(main, globals().get("snakemake"))
