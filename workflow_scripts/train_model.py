"""One mini model trained by its own method's recipe in small; goes on from its checkpoint after a kill."""

from pathlib import Path

import hlf_job
from hlf.training.recipes import train_model


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    name, zoo = job.wildcards["trained"], Path(job.output["weights"]).parent.parent
    work = zoo / "work" / name / job.key
    train_model(name, job.settings[f"zoo.training.{name}"], Path(job.input["pool"]), zoo, work, job.settings["seed"])


hlf_job.run(main, globals().get("snakemake"))
