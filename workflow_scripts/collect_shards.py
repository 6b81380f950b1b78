"""Join the tables of shards into one, sorted, so that its bytes do not depend on the sharding."""

import hlf_job
from hlf.data.shards import collect
from hlf.files import read_table, write_table


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    write_table(collect([read_table(p) for p in job.input["tables"]], job.settings["table"]), job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
