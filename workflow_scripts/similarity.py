"""Similarity of candidates and of chosen pairs (paper 3.1)."""

import hlf_job
from hlf.files import read_table
from hlf.paper.figures import similarity_histogram
from hlf.paper.gather import facts_of
from hlf.paper.style import save_figure


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    similarity, pairs, strata, scores, sr = (
        read_table(job.input[name]) for name in ("similarity", "pairs", "strata", "scores", "sr")
    )
    figure = similarity_histogram(similarity, pairs, strata, facts_of(job.settings, scores, sr))
    save_figure(figure, job.output["pdf"], job.output["png"], job.settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
