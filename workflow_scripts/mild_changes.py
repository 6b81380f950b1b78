"""Mild changes against the median planted edit, as bars."""

import hlf_job
from hlf.files import read_table
from hlf.paper.behaviour_figures import invariance_bars
from hlf.paper.gather import facts_of
from hlf.paper.style import save_figure


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    behaviour, scores = (read_table(job.input[name]) for name in ("behaviour", "scores"))
    figure = invariance_bars(behaviour, facts_of(job.settings, scores, behaviour))
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
