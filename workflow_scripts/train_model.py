"""One mini model trained by its own method's recipe in small; goes on from its checkpoint after a kill."""

from pathlib import Path

import hlf_job
from hlf.training.recipes import train_model


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    name, pool = job.settings["trained"], Path(job.input["pool"])
    zoo = pool.parent
    work = zoo / "work" / name / job.key
    train_model(name, job.settings[f"zoo.training.{name}"], pool, zoo, work, job.settings["seed"])


hlf_job.run(main, globals().get("snakemake"))
