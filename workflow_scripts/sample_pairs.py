"""Choice of the pairs, stratified by similarity and SR model (paper 3.1: 723 pairs)."""

import hlf_job
from hlf.files import read_table, write_table
from hlf.sampling.stratify import choose_pairs


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    pairs, strata = choose_pairs(
        read_table(job.input["similarity"]),
        job.settings["sampling.total"],
        job.settings["sampling.bins"],
        job.settings["sampling.max_per_gt"],
        job.settings["sampling.model_quota"],
        job.settings["seed"],
        job.settings["run"],
    )
    write_table(strata, job.output["strata"])
    write_table(pairs, job.output["pairs"])


hlf_job.run(main, globals().get("snakemake"))
