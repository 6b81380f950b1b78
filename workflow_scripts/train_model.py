"""One mini model trained by its own method's recipe in small; goes on from its checkpoint after a kill."""

from pathlib import Path
from typing import Any

import hlf_job
from hlf.zoo.training.recipes import train_model


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    name, zoo = wildcards["trained"], Path(output["weights"]).parent.parent
    work = zoo / "work" / name / places.key
    train_model(name, settings[f"zoo.training.{name}"], Path(input["pool"]), zoo, work, settings["seed"])


hlf_job.run(main, globals().get("snakemake"))
