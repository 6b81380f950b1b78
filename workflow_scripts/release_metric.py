"""Model package of one fine-tuned metric, for others."""

from pathlib import Path

import hlf_job
from hlf.files import read_json, read_table
from hlf.release.models import write_metric_package


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    tables = {name: read_table(job.input[name]) for name in ("table3", "ceiling", "calibration")}
    folder, variant = Path(job.input["config"]).parent, job.settings["variant"]
    write_metric_package(folder, Path(job.output["sums"]).parent, tables, read_json(job.input["origin"]), variant)


hlf_job.run(main, globals().get("snakemake"))
