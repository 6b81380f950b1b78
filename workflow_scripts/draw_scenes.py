"""Training scenes of the mini zoo, drawn once for all recipes."""

from pathlib import Path

import hlf_job
from hlf.training.pool import build_pool


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    count, size = job.settings["zoo.training.scenes"], job.settings["zoo.training.size"]
    build_pool(Path(job.output["pool"]), count, size, job.settings["seed"], processes=2)


hlf_job.run(main, globals().get("snakemake"))
