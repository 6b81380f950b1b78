"""HLF against the score of each test pair (paper 4.2)."""

import hlf_job
from hlf.files import read_table
from hlf.paper.figures import figure_metric_scatter
from hlf.paper.gather import facts_of
from hlf.paper.style import save_figure


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    metric, scores, split, sr = (read_table(job.input[name]) for name in ("metric", "scores", "split", "sr"))
    figure = figure_metric_scatter(metric, scores, split, facts_of(job.settings, scores, sr, metric))
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
