"""What measures a hot path: the project's way and a stated baseline, by turns, so that a busy machine hits both alike.

Cold: each way in a process of its own, from its start to the end of its first call, imports and weights included.
Warm: further calls of both ways in one process that has called each of them once. The clock is the processor's, of the
process and of those it waited for; of a server, the server's own. On a machine with other work it is the steadier one.
"""

import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [path for path in (str(ROOT / "workflow_scripts"),) if path not in sys.path]

from hlf.errors import HlfError  # noqa: E402

WAYS = ("ours", "baseline")
COLD = 1  # fresh processes of each way; the clock of the processor needs no more
# one thread, as in every job; another number changes speed and last bits
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

Call = Callable[[], Any]
Way = Callable[[Path], AbstractContextManager[Call]]


@dataclass(frozen=True)
class HotPath:
    """One line of the table.

    Attributes:
        name: what ONLY and --only call it.
        title: what is done, in words for the table.
        against: the baseline, in words.
        unit: of what a call makes `items`.
        items: of one call.
        prepare: writes into a folder what both ways read; nobody's time.
        ours: enters with the folder and gives a call; what it imports and loads is part of the cold time.
        baseline: likewise.
        apart: largest difference of what the two calls return; None where there is nothing to compare.
        tolerance: largest difference that rounding explains; beyond it the two do not do the same work.
        floor: the baseline is the least that the work can take (a part of it), not another way of doing it.
        server: a call asks a process that its way keeps running, and the processor time of that one is what counts.
        rounds: warm calls of each way.
    """

    name: str
    title: str
    against: str
    unit: str
    items: int
    prepare: Callable[[Path], None]
    ours: Way
    baseline: Way
    apart: Callable[[Any, Any], float] | None = None
    tolerance: float = 0.0
    floor: bool = False
    server: bool = False
    rounds: int = 5


@dataclass(frozen=True)
class Measured:
    """Seconds of one hot path, of each cold start and each warm call.

    Attributes:
        path: what was measured.
        cold: by way, of a fresh process and its first call.
        warm: by way, of a call.
        apart: largest difference of the results, None where nothing is compared.
    """

    path: HotPath
    cold: dict[str, list[float]]
    warm: dict[str, list[float]]
    apart: float | None

    def ratio(self, kind: str) -> float:
        """Median over rounds of the baseline's time over ours: above 1 ours is the faster one."""
        times: dict[str, list[float]] = getattr(self, kind)
        return median(theirs / own for own, theirs in zip(times["ours"], times["baseline"], strict=True))

    def seconds(self, kind: str, way: str) -> float:
        """Median time: of a whole start (cold), of one item (warm)."""
        times: dict[str, list[float]] = getattr(self, kind)
        return median(times[way]) / (self.path.items if kind == "warm" else 1)


def measure(path: HotPath, module: str) -> Measured:
    """Measure one hot path.

    Args:
        path: what to measure.
        module: name of the module beside this one whose PATHS hold it: fresh processes find it there.

    Raises:
        HlfError: a process failed, or the two ways do not give the same.
    """
    with tempfile.TemporaryDirectory(prefix="hlf-bench-") as name:
        folder = Path(name)
        path.prepare(folder)
        cold: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(COLD):
            for way in WAYS:
                cold[way].append(_clocked(False, partial(_process, path, module, way, folder)))
        _process(path, module, "warm", folder)
        told = json.loads((folder / "warm.json").read_text())
    if told["apart"] is not None and not told["apart"] <= path.tolerance:
        raise HlfError(
            f"benchmark '{path.name}': results of the two ways differ by {told['apart']:.3g}, expected at most "
            f"{path.tolerance:g}; what is compared is not the same work, so mend benchmarks/{module}.py or the library"
        )
    return Measured(path, cold, told["warm"], told["apart"])


def _process(path: HotPath, module: str, way: str, folder: Path) -> None:
    """One way, or both by turns, in a process of its own; HlfError when it fails."""
    command = [sys.executable, str(Path(__file__).resolve()), module, path.name, way, str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **ONE_THREAD}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise HlfError(f"benchmark '{path.name}' ({way}) failed: {reason}; to see all of it: {' '.join(command[1:])}")


def _clocked(server: bool, call: Call) -> float:
    """Seconds of a call."""
    begun = _now(server)
    call()
    return _now(server) - begun


def _now(server: bool) -> float:
    """Seconds of the processor by running children, or by this process and the children that have ended."""
    if server:
        import psutil

        return sum(sum(child.cpu_times()[:2]) for child in psutil.Process().children(recursive=True))
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def by_turns(path: HotPath, folder: Path) -> dict[str, Any]:
    """Warm times of both ways by name, and how far their first results lie apart."""
    with path.ours(folder) as ours, path.baseline(folder) as baseline:
        first = ours(), baseline()
        apart = None if path.apart is None else float(path.apart(*first))
        warm: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(path.rounds):
            for way, call in zip(WAYS, (ours, baseline), strict=True):
                warm[way].append(_clocked(path.server, call))
    return {"warm": warm, "apart": apart}


def find(module: str, name: str) -> HotPath:
    """Hot path of a module's PATHS; HlfError when it holds none of that name."""
    for path in importlib.import_module(module).PATHS:
        if path.name == name:
            found: HotPath = path
            return found
    raise HlfError(f"benchmarks/{module}.py holds no hot path '{name}' in its PATHS; see PLACES in benchmarks/table.py")


def main(module: str, name: str, way: str, where: str) -> None:
    """Body of a process: one call of a way, or `warm`, which writes warm.json into the folder."""
    path, folder = find(module, name), Path(where)
    if way == "warm":
        (folder / "warm.json").write_text(json.dumps(by_turns(path, folder)))
        return
    with getattr(path, way)(folder) as call:
        call()


if __name__ == "__main__":
    # one module under one name: what the hot paths' modules import as `frame` must be this very file
    importlib.import_module("frame").main(*sys.argv[1:5])
