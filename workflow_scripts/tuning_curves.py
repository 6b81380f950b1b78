"""Both parts of the loss by step, for every fine-tuning of SeeSR."""

from pathlib import Path

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.style import save_figure
from hlf.paper.tuning_figures import tuning_curves


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    histories = {Path(path).parent.name: read_table(path) for path in job.input["histories"]}
    figure = tuning_curves(histories, facts_of(job.settings, read_table(job.input["scores"])))
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
