"""What a job ran on and what it took of it: facts of this machine, peak memory of this process."""

import os
import platform
import sys
from pathlib import Path
from typing import Any

MB = 2**20


def machine() -> dict[str, Any]:
    """Facts of this machine as JSON values.

    Returns:
        host, system (kernel and processor family), distribution, cpu (model), cores (that this process may use),
        memory_mb, and gpus and gpu_driver where this process has used a GPU: asking for them without need would load
        torch and take a context on the device.
    """
    facts: dict[str, Any] = {
        "host": platform.node(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "distribution": _distribution(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_mb": _memory(),
    }
    torch = _used_cuda()
    if torch is None:
        return facts
    cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    facts["gpus"] = [{"name": card.name, "memory_mb": card.total_memory // MB} for card in cards]
    return {**facts, "gpu_driver": _driver(), "cuda": str(torch.version.cuda)}


def peak_memory() -> float:
    """Largest memory in MB that this process, or the largest of the processes it waited for, has held at once."""
    import resource

    taken = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return max(taken) / (MB if sys.platform == "darwin" else 1024)  # bytes there, kB elsewhere


def processor_seconds() -> float:
    """Seconds that cores have worked for this process and those it waited for: the same on a busy machine."""
    import resource

    taken = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in taken)


def peak_gpu_memory() -> float | None:
    """Largest memory in MB that torch has reserved on one GPU in this process; None where it has used none.

    What the driver itself keeps for a process, some hundred MB, is not in it.
    """
    torch = _used_cuda()
    if torch is None:
        return None
    return max(torch.cuda.max_memory_reserved(i) for i in range(torch.cuda.device_count())) / MB


def _used_cuda() -> Any:
    """Module torch where this process has used a GPU through it, else None; never imports it."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_initialized() else None


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:  # not Linux, or a container without the file
        return platform.platform()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf8", errors="replace").splitlines()
    except OSError:  # not Linux
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model")))
    return next(named, "") or platform.processor() or platform.machine()


def _memory() -> int | None:
    """Physical memory in MB, None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MB
    except (ValueError, OSError):
        return None


def _driver() -> str:
    """Version of NVIDIA's kernel driver, "" where the system does not tell."""
    try:
        first = Path("/proc/driver/nvidia/version").read_text(encoding="utf8", errors="replace").splitlines()[0]
    except (OSError, IndexError):
        return ""
    words = first.split()
    return next((w for w in words if w[0].isdigit() and "." in w), "")
