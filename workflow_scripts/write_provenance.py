"""Where the results of a run come from: code, configuration, packages, weights, machines, time and memory."""

import hlf_job
from hlf.files import read_table, write_json
from hlf.paper.gather import facts_of
from hlf.provenance import provenance


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    facts = facts_of(job.settings, *(read_table(job.input[name]) for name in ("scores", "sr", "metric")))
    zoos = {"mini": job.mini, job.settings["zoo"]: job.zoo}
    cache = hlf_job.ROOT / ".snakemake" / "hlf_weights.json"
    found = provenance(facts, job.settings["config"], job.results, hlf_job.ROOT, zoos, cache)
    write_json(job.output["file"], found)


hlf_job.run(main, globals().get("snakemake"))
