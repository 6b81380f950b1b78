"""Figure 3: the page on which people answer, from a real browser (paper 3.1)."""

from pathlib import Path

import hlf_job
from hlf.files import read_table
from hlf.paper.figure3 import figure3
from hlf.paper.gather import facts_of
from hlf.paper.style import save_figure
from hlf.study.server.screenshot import trial_page, typical_pair
from hlf.study.shown.bundle import read_bundle


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    pairs, sr = (read_table(job.input[name]) for name in ("pairs", "sr"))
    page = trial_page(read_bundle(Path(job.input["bundle"]).parent), typical_pair(pairs))
    figure = figure3(page, facts_of(job.settings, None, sr))
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
