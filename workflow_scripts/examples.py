"""LR, bicubic, each SR model and GT side by side, images chosen by rule."""

from typing import Any

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import example_rows, facts_of
from hlf.paper.sheets import contact_sheet
from hlf.paper.style import save_figure


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    manifest, lr, sr, scores = (read_table(input[name]) for name in ("manifest", "lr", "sr", "scores"))
    rows = example_rows(manifest, lr, sr, places.results, per_level=2)
    figure = contact_sheet(rows, facts_of(settings, scores, sr))
    save_figure(figure, output["pdf"], output["png"], settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
