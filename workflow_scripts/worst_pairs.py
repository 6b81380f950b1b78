"""The pairs that most viewers call changed, side by side."""

from typing import Any

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.pairs import worst_pairs
from hlf.paper.sheets import pair_sheet
from hlf.paper.style import save_figure


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    metric, pairs, scores, sr = (read_table(input[name]) for name in ("metric", "pairs", "scores", "sr"))
    count = settings["paper.worst_pairs"]
    worst = worst_pairs(scores, pairs, metric, settings["metric.backbones"][0], count)
    figure = pair_sheet(worst, places.results, facts_of(settings, scores, sr, metric), count)
    save_figure(figure, output["pdf"], output["png"], settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
