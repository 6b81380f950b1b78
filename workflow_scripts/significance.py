"""Which rows of Table 2 differ: matrix of paired comparisons."""

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.metric_figures import significance_matrix
from hlf.paper.style import save_figure
from hlf.paper.tables import table2_values


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    comparisons, iqa, scores, sr = (read_table(job.input[name]) for name in ("comparisons", "iqa", "scores", "sr"))
    order = list(dict.fromkeys(table2_values(iqa)["metric"]))
    figure = significance_matrix(comparisons, order, facts_of(job.settings, scores, sr))
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
