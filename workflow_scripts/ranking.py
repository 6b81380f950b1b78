"""All rows of Tables 2 and 3 with their intervals, and the human ceiling (paper 4)."""

import hlf_job
from hlf.files import read_table
from hlf.paper.certainty_figures import ranking
from hlf.paper.gather import facts_of
from hlf.paper.style import save_figure


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    names = ("table2", "table3", "ceiling", "scores", "sr")
    table2, table3, ceiling, scores, sr = (read_table(job.input[name]) for name in names)
    figure = ranking(table2, table3, ceiling, facts_of(job.settings, scores, sr))
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
