"""KonIQ++ and JOINT in the form of every other measure: they look at the SR picture alone."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from hlf import __version__
from hlf.iqa.picture import Picture
from hlf.iqa.registry import Source

if TYPE_CHECKING:
    import numpy as np


class Judge:
    """A network's outputs under the names of metrics.

    Args:
        group: koniqpp or joint, the beginning of every name.
        judge: of uint8 RGB (H, W, 3) and the name of the pair.
    """

    def __init__(self, group: str, judge: "Callable[[np.ndarray, str], dict[str, float]]") -> None:
        self.group, self.judge, self.version = group, judge, f"hlf {__version__}"

    def __call__(self, sr: Picture, gt: Picture, pair_id: str) -> dict[str, float]:  # noqa: ARG002
        """All outputs, `<group>_<output>`; the GT is not looked at."""
        return {f"{self.group}_{name}": value for name, value in self.judge(sr.rgb, pair_id).items()}


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
        return Judge(group, lambda rgb, _: koniqpp(rgb))
    from hlf.iqa.joint import load_joint, shuffle_seed

    joint = load_joint(source.zoo, source.folder, empty_mask=source.joint_mask == "empty")
    return Judge(group, lambda rgb, pair_id: joint(rgb, shuffle_seed(source.seed, pair_id)))
