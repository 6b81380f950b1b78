"""Image quality measures on one shard of the pairs (paper 4.1)."""

import hlf_job
from hlf.data.shards import part_of
from hlf.files import read_table, write_table
from hlf.iqa.measure import measure_pairs
from hlf.threads import one_thread


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    pairs = part_of(read_table(job.input["pairs"]), job.wildcards["shard"], job.settings["iqa.shards"], by="pair_id")
    work = job.results / "iqa" / ".work"
    table, timing = measure_pairs(pairs, job.results, job.settings["iqa.metrics"], job.settings["run"], job.key, work)
    write_table(timing, job.output["timing"])
    write_table(table, job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
