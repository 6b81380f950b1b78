"""Votes of simulated people, who see content errors found by an independent reader (docs/design.md, section 5)."""

from pathlib import Path

import hlf_job
from hlf.device import one_thread
from hlf.files import read_table, write_table
from hlf.study.settings import Settings
from hlf.study.shown.bundle import read_shown
from hlf.study.simulated.content import content_errors, load_reader
from hlf.study.simulated.simulate import simulate_votes


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    pairs, content, shown = (job.input[name] for name in ("pairs", "content", "shown"))
    errors = content_errors(read_table(pairs), read_table(content), job.results, load_reader(job.mini))
    settings, run = job.group("study"), (job.settings["seed"], job.settings["run"])
    careless = settings.pop("careless")
    votes = simulate_votes(read_shown(Path(shown)), errors, Settings.from_dict(settings), careless, *run)
    write_table(errors, job.output["errors"])
    write_table(votes, job.output["votes"])


hlf_job.run(main, globals().get("snakemake"))
