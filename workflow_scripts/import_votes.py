"""Votes of people, from a file, checked row by row."""

from typing import Any

import hlf_job
from hlf.files import read_table, write_table
from hlf.study.votes import read_votes


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    write_table(read_votes(input["votes"], read_table(input["pairs"]), settings["run"]), output["votes"])


hlf_job.run(main, globals().get("snakemake"))
