"""Who holds a folder: processes that work in it, noted because Snakemake's lock does not say whose it is.

The lock outlives a killed run and would refuse the same command. It is removed when every noted process is of this
machine and gone (docs/design.md, "Resume").
"""

import json
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def this_process() -> dict[str, Any]:
    """Identity of the running process: host, pid and started (seconds since 1970; a number is given out again)."""
    import psutil

    process = psutil.Process()
    return {"host": platform.node(), "pid": process.pid, "started": process.create_time()}


def lives(note: Path) -> bool | None:
    """Whether a noted process is running; None for one of another machine, which cannot be asked.

    Args:
        note: file that `note_process` wrote.
    """
    import psutil

    process = json.loads(note.read_text(encoding="utf8"))
    if process["host"] != platform.node():
        return None
    try:
        return bool(psutil.Process(process["pid"]).create_time() == process["started"])
    except psutil.NoSuchProcess:
        return False


def note_process(folder: Path) -> None:
    """Note this process as one that works here, in a file of its own below `folder`, which is made when needed."""
    folder.mkdir(exist_ok=True)
    me = this_process()
    (folder / f"{me['host']}-{me['pid']}.json").write_text(json.dumps(me), encoding="utf8")


def remove_stale(locks: Iterable[Path], folder: Path) -> None:
    """Remove the locks of killed runs of this machine; they stay while a run is alive, or may be on another machine.

    Args:
        locks: files of Snakemake's lock; without any, no run is going on anywhere.
        folder: of the notes.
    """
    locks = list(locks)
    holders = {note: lives(note) for note in folder.glob("*.json")}
    if not locks or (holders and set(holders.values()) == {False}):
        for path in [*locks, *(note for note, alive in holders.items() if not alive)]:
            path.unlink(missing_ok=True)
