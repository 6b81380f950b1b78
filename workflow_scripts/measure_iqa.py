"""Image quality measures on one shard of the pairs (paper 4.1)."""

import hlf_job
from hlf.data.shards import part_of
from hlf.device import one_thread
from hlf.files import read_table, write_table
from hlf.iqa.measure import measure_pairs
from hlf.iqa.registry import Source


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    pairs = part_of(read_table(job.input["pairs"]), job.wildcards["shard"], job.settings["iqa.shards"], by="pair_id")
    work = job.results / "iqa" / ".work"
    source = Source(
        job.settings["zoo"],
        job.zoo,
        job.settings["iqa.trust_koniqpp_file"],
        job.settings["iqa.joint_mask"],
        job.settings["seed"],
    )
    keys = {name.removeprefix("code."): value for name, value in job.settings.items() if name.startswith("code.")}
    metrics, run = job.settings["iqa.metrics"], job.settings["run"]
    table, timing = measure_pairs(pairs, job.results, metrics, source, run, keys, work)
    write_table(timing, job.output["timing"])
    write_table(table, job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
