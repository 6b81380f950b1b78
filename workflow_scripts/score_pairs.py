"""Score of each pair, the share of valid votes that say yes (paper 3.1)."""

from typing import Any

import hlf_job
from hlf.files import read_table, write_table
from hlf.study.scores import score_pairs


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    votes = read_table(input["votes"])
    scores = score_pairs(read_table(input["pairs"]), votes, settings["study.votes_per_pair"], settings["run"])
    write_table(votes, output["votes"])
    write_table(scores, output["scores"])


hlf_job.run(main, globals().get("snakemake"))
