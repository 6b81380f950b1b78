"""One page that shows and explains everything, and opens offline."""

from typing import Any

import hlf_job
from hlf.files import read_table
from hlf.paper.compose import compose
from hlf.paper.gather import facts_of
from hlf.paper.report import write_report


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    names = ("manifest", "rejected", "lr", "sr", "strata", "pairs", "votes", "scores", "iqa", "metric")
    tables = {name: read_table(input[name]) for name in names}
    facts = facts_of(settings, tables["scores"], tables["sr"], tables["metric"])
    report = compose(tables, input["tables"], input["figures"], settings)
    write_report(output["html"], facts, report, places.results)


hlf_job.run(main, globals().get("snakemake"))
