"""Model package of one fine-tuned SeeSR, for others."""

from pathlib import Path

import hlf_job
from hlf.files import read_json, read_table
from hlf.release.models import write_seesr_package


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    folder, table4, origin = Path(job.input["card"]).parent, read_table(job.input["table4"]), job.input["origin"]
    write_seesr_package(folder, Path(job.output["sums"]).parent, job.wildcards["variant"], table4, read_json(origin))


hlf_job.run(main, globals().get("snakemake"))
