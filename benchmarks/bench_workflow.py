"""Speed of Snakemake on the mini scale: planning all of it, and a rerun with nothing to do; hot paths of `make bench`.

The floor is Snakemake itself: its start on a Snakefile with one empty rule. Cold: no digest of code and weights is
remembered from an earlier start, as after an edit. Finished results are stand-ins, as in bench_paper_plan.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench_paper_plan import run, write_outputs
from frame import Call, HotPath

EMPTY = "rule all:\n    input: []\n"
REMEMBERED = ("hlf_code.json", "hlf_weights.json")  # in .snakemake


def prepare(finished: bool, folder: Path) -> None:
    """A copy of the project, once planned or with finished results, and the empty Snakefile."""
    from workflow_helpers import copy_project

    project = copy_project(folder / "project")
    (folder / "empty").mkdir()
    (folder / "empty/Snakefile").write_text(EMPTY)
    if finished:
        write_outputs(project)
        run(project, "--touch", "--cores", "2", "all")
    else:
        run(project, "-n", "all")


@contextmanager
def ours(arguments: tuple[str, ...], expected: str, folder: Path) -> Iterator[Call]:
    """Snakemake on the project, which must say `expected`."""
    project = folder / "project"
    for name in REMEMBERED:
        (project / ".snakemake" / name).unlink(missing_ok=True)

    def call() -> None:
        text, _ = run(project, *arguments)
        if expected not in text:
            raise RuntimeError(f"expected '{expected}' of snakemake {' '.join(arguments)}, got {text[-500:]}")

    yield call


@contextmanager
def empty(arguments: tuple[str, ...], folder: Path) -> Iterator[Call]:
    """Snakemake on a Snakefile with one empty rule."""
    yield lambda: run(folder / "empty", *arguments)


def path(name: str, title: str, finished: bool, expected: str, *arguments: str) -> HotPath:
    """Hot path of one command."""
    ways = partial(ours, arguments, expected), partial(empty, arguments)
    against = "Snakemake on an empty Snakefile"
    return HotPath(name, title, against, "start", 1, partial(prepare, finished), *ways, floor=True, rounds=3)


PATHS = [
    path("dag", "snakemake -n all, mini scale", False, "finetune_sr", "-n", "all"),
    path("rerun", "snakemake all with nothing to do, mini scale", True, "Nothing to be done", "--cores", "2", "all"),
]
