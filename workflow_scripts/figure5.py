"""Figure 5: scheme of the metric (paper 4.2)."""

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.scheme import figure5
from hlf.paper.style import save_figure


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    scores, sr = (read_table(job.input[name]) for name in ("scores", "sr"))
    figure = figure5(facts_of(job.settings, scores, sr))
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
