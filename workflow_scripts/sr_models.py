"""What each SR model does: sharpness against content, baselines beside the models."""

from pathlib import Path

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.models import NOTE, TITLE, sr_models
from hlf.paper.tables import write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    measures, sr, baselines = (read_table(job.input[name]) for name in ("measures", "sr", "baselines"))
    facts = facts_of(job.settings, None, sr, baselines)
    write_all(sr_models(measures), facts, Path(job.output["csv"]).with_suffix(""), TITLE, NOTE)


hlf_job.run(main, globals().get("snakemake"))
