"""Score against each measure of Table 2 on the test part."""

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.metric_figures import metric_scatter_panel
from hlf.paper.style import save_figure
from hlf.paper.tables import table2_values


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    iqa, scores, split, sr = (read_table(job.input[name]) for name in ("iqa", "scores", "split", "sr"))
    figure = metric_scatter_panel(table2_values(iqa), scores, split, facts_of(job.settings, scores, sr))
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
