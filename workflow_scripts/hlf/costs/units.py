"""Measured cost of one item of each step, from measured.yaml: the one home of what a job is expected to need."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hlf.errors import HlfError

MEASURED = Path(__file__).with_name("measured.yaml")


@dataclass(frozen=True)
class Unit:
    """Cost of a step, or of one model in it.

    Attributes:
        item: what is counted, such as "LR image".
        seconds: wall time per item on the machine of `device`.
        start: seconds of a job before its first item: imports, weights from disk.
        mem_mb: largest memory of a job in MB, GPU excluded.
        gpu_mb: largest memory of the GPU in MB; 0 for steps that use none.
        disk_kb: kB written per item and kept.
        device: machine that it was measured on.
        command: what measures it again.
        job_kb: kB written per job and kept, whatever its items: the files of a model.
        work_mb: MB of checkpoints on disk while a job runs; they go when it is done.
    """

    item: str
    seconds: float
    start: float
    mem_mb: int
    gpu_mb: int
    disk_kb: float
    device: str
    command: str
    job_kb: float = 0.0
    work_mb: float = 0.0


@cache
def units(zoo: str) -> dict[tuple[str, str], Unit]:
    """All units of a zoo by (step, model); the model is "" where a step knows none.

    Args:
        zoo: "mini" or "official", whose networks were measured.

    Raises:
        HlfError: no measurements of that zoo.
    """
    import yaml

    measured: dict[str, Any] = yaml.safe_load(MEASURED.read_text(encoding="utf8"))
    if zoo not in measured:
        raise HlfError(f"{MEASURED.name} holds no costs of the zoo '{zoo}', known are {', '.join(measured)}")
    found = {}
    for machine in measured[zoo]:
        for name, values in machine["steps"].items():
            step, _, model = name.partition("/")
            found[step, model] = Unit(**values, device=machine["device"], command=machine["command"])
    return found


def find_unit(zoo: str, step: str, model: str = "") -> Unit | None:
    """Cost of one step of one zoo, of its model `model` where that has its own; None where nothing was measured."""
    known = units(zoo)
    return known.get((step, model)) or known.get((step, ""))


def unit(zoo: str, step: str, model: str = "") -> Unit:
    """The same, for those that cannot do without.

    Raises:
        HlfError: the step was never measured.
    """
    found = find_unit(zoo, step, model)
    if found is None:
        raise HlfError(f"no cost of step '{step}' of the zoo '{zoo}' stands in {MEASURED.name}; measure it")
    return found
