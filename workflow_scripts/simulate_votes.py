"""Votes of simulated people, who see content errors found by an independent reader (docs/design.md, section 5)."""

import hlf_job
from hlf.files import read_table, write_table
from hlf.study.content import content_errors, load_reader
from hlf.study.simulate import simulate_votes
from hlf.threads import one_thread


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    pairs = read_table(job.input["pairs"])
    errors = content_errors(pairs, read_table(job.input["content"]), job.results, load_reader(job.mini))
    votes = simulate_votes(
        pairs,
        errors,
        job.settings["study.votes_per_pair"],
        job.settings["study.people_quota"],
        job.settings["study.careless"],
        job.settings["study.trap_rate"],
        job.settings["seed"],
        job.settings["run"],
    )
    write_table(errors, job.output["errors"])
    write_table(votes, job.output["votes"])


hlf_job.run(main, globals().get("snakemake"))
