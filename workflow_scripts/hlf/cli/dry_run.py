"""Asks Snakemake what it would run and writes that as JSON; a program of its own, and all of hlf that knows Snakemake.

python dry_run.py OUTPUT ARGUMENT...: `snakemake -n ARGUMENT...` in the current folder. What a dry run prints is for
people: a rule with a message is not even named. Its log records hold everything, in the form that Snakemake keeps for
its logger plugins. The exit code and the printed text are those of Snakemake.
"""

import json
import logging
import re
import sys
from pathlib import Path
from typing import Any


class Jobs(logging.Handler):
    """Keeps what is logged of each job."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note a job."""
        if str(getattr(record, "event", "")) == "job_info":
            job = vars(record)
            self.found.append(
                {
                    "rule": job["rule_name"],
                    "wildcards": dict(job["wildcards"] or {}),
                    "input": _names(job["input"]),
                    "output": _names(job["output"]),
                    "log": _names(job["log"]),
                    "benchmark": _names([job["benchmark"]])[0] if job["benchmark"] else "",
                    "threads": int(job["threads"]),
                    "gpus": _whole(job["resources"].get("gpu", 0)),
                    "mem_mb": _whole(job["resources"].get("mem_mb", 0)),
                }
            )


def _names(files: Any) -> list[str]:
    """Paths without what is said of them in brackets, such as "(temp)"."""
    return [re.sub(r" \([a-z ,]+\)$", "", str(file)) for file in files or ()]


def _whole(value: Any) -> int:
    """A resource as a number; 0 for one that is not known before the job starts."""
    return int(value) if isinstance(value, int | float) else 0


def main(output: str, *arguments: str) -> None:
    """Dry run; leaves with Snakemake's exit code."""
    from snakemake.cli import main as snakemake

    jobs = Jobs()
    # the records also reach the root logger; Snakemake's own takes off all handlers when it starts
    logging.getLogger().addHandler(jobs)
    try:
        snakemake(["--dry-run", *arguments])
    finally:
        Path(output).write_text(json.dumps(jobs.found), encoding="utf8")


if __name__ == "__main__":
    main(*sys.argv[1:])
