"""Training and test part of the scored pairs (paper 3.2: 80/20)."""

from typing import Any

import hlf_job
from hlf.files import read_table, write_table
from hlf.study.split import split_pairs


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    scores = read_table(input["scores"])
    split = split_pairs(scores, settings["study.test_share"], settings["study.split_by"], settings["seed"])
    write_table(split, output["split"])


hlf_job.run(main, globals().get("snakemake"))
