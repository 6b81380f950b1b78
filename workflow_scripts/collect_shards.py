"""Join the tables of shards into one, sorted, so that its bytes do not depend on the sharding."""

from typing import Any

import hlf_job
from hlf.data.shards import collect
from hlf.files import read_table, write_table


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    write_table(collect([read_table(p) for p in input["tables"]], settings["table"]), output["table"])


hlf_job.run(main, globals().get("snakemake"))
