"""Figure 5: scheme of the metric (paper 4.2)."""

from typing import Any

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.scheme import figure5
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
    figure = figure5(facts_of(settings, scores, sr))
    save_figure(figure, output["pdf"], output["png"], settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
