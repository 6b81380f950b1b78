"""LR, bicubic, each SR model and GT side by side, images chosen by rule."""

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import example_rows, facts_of
from hlf.paper.sheets import contact_sheet
from hlf.paper.style import save_figure


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    manifest, lr, sr, scores = (read_table(job.input[name]) for name in ("manifest", "lr", "sr", "scores"))
    rows = example_rows(manifest, lr, sr, job.results, per_level=2)
    figure = contact_sheet(rows, facts_of(job.settings, scores, sr))
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
