"""Figure of the votes: how many per pair, of whom, and in which order (paper 3.1)."""

import hlf_job
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.paper.study_figures import study_votes
from hlf.paper.style import save_figure


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    votes, scores, sr = (read_table(job.input[name]) for name in ("votes", "scores", "sr"))
    facts = facts_of(job.settings, scores, sr)
    figure = study_votes(votes, scores, facts, job.settings["iqa.bootstrap"], job.settings["seed"])
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
