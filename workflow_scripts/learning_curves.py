"""Losses of the fine-tunings by epoch (paper 4.2)."""

from typing import Any

import pandas as pd

import hlf_job
from hlf.files import read_table
from hlf.paper.figures import learning_curves
from hlf.paper.gather import facts_of
from hlf.paper.style import save_figure


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    scores, sr = (read_table(input[name]) for name in ("scores", "sr"))
    history = pd.concat([read_table(path) for path in input["histories"]])
    figure = learning_curves(history, facts_of(settings, scores, sr))
    save_figure(figure, output["pdf"], output["png"], settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
