"""Training scenes of the mini zoo, drawn once for all recipes."""

from pathlib import Path
from typing import Any

import hlf_job
from hlf.zoo.training.pool import build_pool


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    count, size = settings["zoo.training.scenes"], settings["zoo.training.size"]
    build_pool(Path(output["pool"]), count, size, settings["seed"], processes=2)


hlf_job.run(main, globals().get("snakemake"))
