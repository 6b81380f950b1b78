"""LR images of one shard at all levels (paper 3.1)."""

import hlf_job
from hlf.data.shards import part_of
from hlf.degradation.run import degrade_images
from hlf.device import one_thread
from hlf.files import read_table, write_table


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    manifest = part_of(read_table(job.input["manifest"]), job.wildcards["shard"], job.settings["degradation.shards"])
    levels, variant = job.settings["degradation.levels"], job.settings["degradation.variant"]
    table, timing = degrade_images(
        manifest, job.results, levels, job.settings["seed"], job.settings["run"], variant, job.key
    )
    write_table(timing, job.output["timing"])
    write_table(table, job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
