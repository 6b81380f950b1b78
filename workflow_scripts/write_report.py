"""One page that shows and explains everything, and opens offline."""

import hlf_job
from hlf.files import read_table
from hlf.paper.compose import compose
from hlf.paper.gather import facts_of
from hlf.paper.report import write_report


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    names = ("manifest", "rejected", "lr", "sr", "pairs", "votes", "scores", "iqa", "metric")
    tables = {name: read_table(job.input[name]) for name in names}
    facts = facts_of(job.settings, tables["scores"], tables["sr"], tables["metric"])
    files = job.input["tables"], job.input["figures"]
    report = compose(tables, *files, facts, job.settings, job.results, job.input["costs"])
    write_report(job.output["html"], facts, report)


hlf_job.run(main, globals().get("snakemake"))
