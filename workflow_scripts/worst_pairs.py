"""The pairs that most viewers call changed, side by side."""

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.pairs import worst_pairs
from hlf.paper.sheets import pair_sheet
from hlf.paper.style import save_figure


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    metric, pairs, scores, sr = (read_table(job.input[name]) for name in ("metric", "pairs", "scores", "sr"))
    count = job.settings["paper.worst_pairs"]
    worst = worst_pairs(scores, pairs, metric, job.settings["metric.finetune"][0], count)
    figure = pair_sheet(worst, job.results, facts_of(job.settings, scores, sr, metric), count)
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
