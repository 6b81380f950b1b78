"""Reliability diagram of each fine-tuned backbone, before and after calibration."""

import hlf_job
from hlf.files import read_table
from hlf.paper.certainty import calibrations
from hlf.paper.certainty_figures import reliability_diagram
from hlf.paper.gather import facts_of
from hlf.paper.style import save_figure


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    metric, scores, split, sr = (read_table(job.input[name]) for name in ("metric", "scores", "split", "sr"))
    facts, fitted = facts_of(job.settings, scores, sr, metric), calibrations(job.input["configs"])
    resamples, seed = job.settings["iqa.bootstrap"], job.settings["seed"]
    figure = reliability_diagram(metric, scores, split, fitted, facts, resamples, seed)
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
