"""Figure 1: quality against fidelity of each SR model, and an example of each quadrant, chosen by rule (paper 1)."""

import hlf_job
from hlf.files import read_table
from hlf.iqa.registry import get_metric
from hlf.paper.expected import METRIC_NAMES
from hlf.paper.gather import facts_of
from hlf.paper.quality_figure import figure1
from hlf.paper.style import save_figure


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    iqa, scores, pairs, sr = (read_table(job.input[name]) for name in ("iqa", "scores", "pairs", "sr"))
    name = get_metric(job.settings["paper.quality_measure"]).name
    quality = iqa.loc[iqa["metric"] == name, ["pair_id", "value", "lower_better"]]
    facts = facts_of(job.settings, scores, sr)
    figure = figure1(quality, scores, pairs, job.results, facts, METRIC_NAMES.get(name, name))
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
