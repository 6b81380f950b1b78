"""What each step of the run took, and what the paper's numbers would take: for planning, beside the results."""

from pathlib import Path

import hlf_job
from hlf.costs.benchmarks import read_benchmarks
from hlf.costs.sheet import cost_sheet, made_items, size_of
from hlf.paper.costs import write_sheet
from hlf.paper.gather import facts_of


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    run, paper = (list(map(size_of, job.settings[name])) for name in ("sizes", "paper_sizes"))
    benchmarks, made = read_benchmarks(job.results / "benchmarks"), made_items(job.results / "timing")
    table = cost_sheet(benchmarks, made, run, paper)
    write_sheet(table, facts_of(job.settings, None), Path(job.output["csv"]))


hlf_job.run(main, globals().get("snakemake"))
