"""Votes of simulated people, who see content errors found by an independent reader (docs/design.md, section 5)."""

from typing import Any

import hlf_job
from hlf.files import read_table, write_table
from hlf.study.content import content_errors, load_reader
from hlf.study.simulate import simulate_votes
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
    pairs = read_table(input["pairs"])
    errors = content_errors(pairs, read_table(input["content"]), places.results, load_reader(places.mini))
    votes = simulate_votes(
        pairs,
        errors,
        settings["study.votes_per_pair"],
        settings["study.people_quota"],
        settings["study.careless"],
        settings["study.trap_rate"],
        settings["seed"],
        settings["run"],
    )
    write_table(errors, output["errors"])
    write_table(votes, output["votes"])


hlf_job.run(main, globals().get("snakemake"))
