"""KonIQ++ and JOINT in the form of every other measure: they look at the SR picture alone."""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from hlf.iqa.picture import Picture
from hlf.iqa.registry import Source
from hlf.version import __version__

if TYPE_CHECKING:
    import numpy as np


class Judge:
    """A network's outputs under the names of metrics.

    Args:
        group: koniqpp or joint, the beginning of every name.
        judge: of uint8 RGB (H, W, 3).
    """

    def __init__(self, group: str, judge: "Callable[[np.ndarray], dict[str, float]]") -> None:
        self.group, self.judge, self.version = group, judge, f"hlf {__version__}"

    def __call__(self, sr: Picture, gt: Picture) -> dict[str, float]:  # noqa: ARG002
        """All outputs, `<group>_<output>`; the GT is not looked at."""
        return {f"{self.group}_{name}": value for name, value in self.judge(sr.rgb).items()}


def load(group: str, source: Source) -> Judge:
    """KonIQ++ or JOINT with its weights.

    Args:
        group: koniqpp or joint.
        source: of weights.

    Raises:
        HlfError: missing or wrong weights.
    """
    if group == "koniqpp":
        from hlf.iqa.koniqpp import load_koniqpp

        koniqpp = load_koniqpp(source.zoo, source.folder, trusted=source.trust_koniqpp_file)
        return Judge(group, koniqpp)
    from hlf.iqa.joint import load_joint, shuffle_seed

    joint = load_joint(source.zoo, source.folder, empty_mask=source.joint_mask == "empty")
    # the picture itself is its id: workflow, command and library give one number whatever the file is called
    return Judge(group, lambda rgb: joint(rgb, shuffle_seed(source.seed, hashlib.sha256(rgb.tobytes()).hexdigest())))
