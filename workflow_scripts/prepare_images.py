"""Ground-truth images of the run (paper 3.1): images/gt/, manifest, content, rejected files."""

from typing import Any

import hlf_job
from hlf.data.prepare import prepare_images
from hlf.files import write_table


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    prepared = prepare_images(settings["images"], places.results, settings["run"], settings["seed"], places.key)
    manifest, content, rejected = prepared.tables()
    write_table(content, output["content"])
    write_table(rejected, output["rejected"])
    write_table(manifest, output["manifest"])


hlf_job.run(main, globals().get("snakemake"))
