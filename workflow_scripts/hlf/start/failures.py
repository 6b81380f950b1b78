"""Why jobs of a run failed, to be said once more at its end: where others went on, their lines bury it."""

import re
from collections.abc import Iterable
from pathlib import Path

# as workflow_scripts/hlf_job.py writes it
ERROR = re.compile(r"^\S+ \S+ ERROR (.+)$", re.MULTILINE)


def sentences(logs: Iterable[Path], since: float) -> list[str]:
    """The last error of each log, in the order of the logs, each sentence once.

    Args:
        logs: log files of jobs; one that is missing tells nothing.
        since: seconds since the epoch; a log last written before is that of another run.

    Returns:
        "<rule>: <sentence>"; of a defect, whose error is a traceback, "<rule> failed: <its last line>".
    """
    found = []
    for path in logs:
        if not path.is_file() or path.stat().st_mtime < since:
            continue
        text = path.read_text(encoding="utf8", errors="replace")
        if errors := ERROR.findall(text):
            traceback = errors[-1].endswith("failed:")
            found.append(f"{errors[-1]} {text.split(chr(10))[-2].strip()}" if traceback else errors[-1])
    return list(dict.fromkeys(found))
