"""Similarity of candidates and of chosen pairs (paper 3.1)."""

from typing import Any

import hlf_job
from hlf.files import read_table
from hlf.paper.figures import similarity_histogram
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
    similarity, pairs, strata, scores, sr = (
        read_table(input[name]) for name in ("similarity", "pairs", "strata", "scores", "sr")
    )
    figure = similarity_histogram(similarity, pairs, strata, facts_of(settings, scores, sr))
    save_figure(figure, output["pdf"], output["png"], settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
