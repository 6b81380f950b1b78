"""High-level fidelity (HLF) of super-resolved images: degradation, SR models, study, metrics, tables.

The library behind the Snakemake workflow in the repository root. It knows nothing of Snakemake; importing it is cheap,
because every module imports its heavy packages (torch, open_clip, ...) inside the functions that need them, and the
names below load their modules when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from hlf.version import __version__

if TYPE_CHECKING:
    from hlf.errors import HlfError
    from hlf.metric.fidelity import HighLevelFidelity
    from hlf.metric.load import load_metric, score
    from hlf.metric.pyiqa_plugin import register_pyiqa

__all__ = ["HighLevelFidelity", "HlfError", "__version__", "load_metric", "register_pyiqa", "score"]

_HOMES = {
    "HighLevelFidelity": "hlf.metric.fidelity",
    "HlfError": "hlf.errors",
    "load_metric": "hlf.metric.load",
    "register_pyiqa": "hlf.metric.pyiqa_plugin",
    "score": "hlf.metric.load",
}


def __getattr__(name: str) -> Any:
    """The public names, each from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module 'hlf' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
