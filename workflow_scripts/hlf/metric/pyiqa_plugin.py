"""The metrics inside pyiqa: `pyiqa.create_metric("hlf-dinov2", weights=...)`.

pyiqa looks a name up in its configuration table before it loads plugins, so in a fresh process the entry point alone
comes too late: call `hlf.register_pyiqa()` first. pyiqa's order is (target, reference), that is (SR, GT).
"""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from hlf.extras import needed_for
from hlf.metric.load import NAMES, load_metric

ARCHITECTURE = "HLF"


class PyiqaFidelity(nn.Module):
    """What pyiqa builds: (target, reference) batches in [0, 1] to (N,), lower is better.

    pyiqa switches gradients on for losses and off for scores, and reduces losses itself. So this gives the raw distance
    with gradients on, and the (calibrated) score of `HighLevelFidelity` with gradients off.
    """

    def __init__(
        self,
        backbone: str,
        weights: str | Path | None = None,
        zoo: str = "mini",
        zoo_folder: str | Path | None = None,
        **options: Any,
    ):
        """Options as those of `hlf.load_metric`; the device is pyiqa's."""
        super().__init__()
        self.metric = load_metric(backbone, weights, zoo=zoo, zoo_folder=zoo_folder, device="cpu", **options)

    def forward(self, target: Tensor, reference: Tensor) -> Tensor:
        """SR and GT (N, 3, H, W) to (N,); see the class."""
        import torch

        if torch.is_grad_enabled():
            return self.metric.distance(target, reference)
        return self.metric(target, reference)


def register_pyiqa() -> None:
    """Make `hlf-dinov2`, `hlf-clip`, `hlf-blip` and `hlf-pe` known to pyiqa; a second call changes nothing.

    `pyiqa.create_metric(name, weights=, zoo=, zoo_folder=, as_loss=, device=)` then gives them: full reference, lower
    is better, score range "0, 1".

    Raises:
        HlfError: pyiqa is not installed.
    """
    with needed_for("register_pyiqa", "pyiqa"):
        from pyiqa.default_model_configs import DEFAULT_CONFIGS
        from pyiqa.utils.registry import ARCH_REGISTRY

    ARCH_REGISTRY.register(PyiqaFidelity, name=ARCHITECTURE, override=True)
    for name, backbone in NAMES.items():
        DEFAULT_CONFIGS[name] = {
            "metric_opts": {"type": ARCHITECTURE, "backbone": backbone},
            "metric_mode": "FR",
            "lower_better": True,
            "score_range": "0, 1",
        }
