"""Losses of the fine-tunings by epoch (paper 4.2)."""

import pandas as pd

import hlf_job
from hlf.files import read_table
from hlf.paper.figures import learning_curves
from hlf.paper.gather import facts_of
from hlf.paper.style import save_figure


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    scores, sr = (read_table(job.input[name]) for name in ("scores", "sr"))
    history = pd.concat([read_table(path) for path in job.input["histories"]])
    figure = learning_curves(history, facts_of(job.settings, scores, sr))
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
