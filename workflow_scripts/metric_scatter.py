"""HLF against the score of each test pair (paper 4.2)."""

from typing import Any

import hlf_job
from hlf.files import read_table
from hlf.paper.figures import figure_metric_scatter
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
    metric, scores, split, sr = (read_table(input[name]) for name in ("metric", "scores", "split", "sr"))
    figure = figure_metric_scatter(metric, scores, split, facts_of(settings, scores, sr, metric))
    save_figure(figure, output["pdf"], output["png"], settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
