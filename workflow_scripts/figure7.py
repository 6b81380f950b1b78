"""Figure 7: LR, SeeSR, fine-tuned SeeSR and GT, what it left; rows chosen by rule (paper 5)."""

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.style import save_figure
from hlf.paper.tuning_figures import best_variant, figure7, largest_left


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    evaluation, images, scores = (read_table(job.input[name]) for name in ("evaluation", "images", "scores"))
    rows = largest_left(evaluation, images, best_variant(evaluation), job.settings["paper.tuned_rows"])
    weighted = images.rename(columns={"variant": "model"})
    figure = figure7(rows, job.results, facts_of(job.settings, scores, weighted))
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
