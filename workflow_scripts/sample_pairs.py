"""Choice of the pairs, stratified by similarity and SR model (paper 3.1: 723 pairs)."""

from typing import Any

import hlf_job
from hlf.files import read_table, write_table
from hlf.sampling.stratify import choose_pairs


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    pairs, strata = choose_pairs(
        read_table(input["similarity"]),
        settings["sampling.total"],
        settings["sampling.bins"],
        settings["sampling.max_per_gt"],
        settings["sampling.model_quota"],
        settings["seed"],
        settings["run"],
    )
    write_table(strata, output["strata"])
    write_table(pairs, output["pairs"])


hlf_job.run(main, globals().get("snakemake"))
