"""Figure 1: quality against fidelity of each SR model, and an example of each quadrant, chosen by rule (paper 1)."""

import hlf_job
from hlf.files import read_table
from hlf.iqa.registry import get_metric
from hlf.paper.expected import METRIC_NAMES
from hlf.paper.gather import facts_of
from hlf.paper.quality_figure import figure1, unmeasured
from hlf.paper.style import save_figure


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    iqa, scores, pairs, sr = (read_table(job.input[name]) for name in ("iqa", "scores", "pairs", "sr"))
    name = get_metric(job.settings["paper.quality_measure"]).name
    quality, facts = iqa[iqa["metric"] == name], facts_of(job.settings, scores, sr)
    title = METRIC_NAMES.get(name, name)
    figure = (
        figure1(quality[["pair_id", "value", "lower_better"]], scores, pairs, job.results, facts, title)
        if quality["value"].notna().any()
        else unmeasured(facts, title, str(quality["status"].iloc[0]))
    )
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
