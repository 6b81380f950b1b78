"""What a degradation level below 1 means: the only place of that reading."""

import math
from dataclasses import dataclass

from hlf.errors import HlfError

MILDEST_QUALITY = 95  # upper end of BSRGAN's JPEG qualities, the quality that level 0 would tend to


@dataclass(frozen=True)
class Strength:
    """Scales what was drawn for the full BSRGAN degradation to a level f in (0, 1].

    The paper (section 3.1) says that images were downscaled by 4 "with different levels of degradation following
    BSRGAN"; what the level multiplies is not published. This project's reading keeps the structure of BSRGAN (order,
    number and kind of operations) and makes each operation milder:

    * blur: standard deviations of isotropic and shifted kernels, and covariance eigenvalues of oriented kernels, x f;
    * noise: standard deviation x f, so the covariance between channels x f^2;
    * JPEG: quality 95 - (95 - q) f, rounded;
    * intermediate resize: reduction factor 1 + (F - 1) f.

    Level 1.0 is the official pipeline untouched: every method then returns its argument exactly.

    Args:
        level: f; 1.0 is the full degradation. HlfError when it is not in (0, 1].
    """

    level: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.level) and 0.0 < self.level <= 1.0):
            raise HlfError(f"degradation level is {self.level}, expected above 0 and at most 1 (degradation.levels)")

    def blur(self, width: float) -> float:
        """Standard deviation of an isotropic or shifted kernel, or covariance eigenvalue of an oriented one."""
        return width * self.level

    def noise(self, sd: float) -> float:
        """Standard deviation of noise, on any scale."""
        return sd * self.level

    def quality(self, quality: int) -> int:
        """JPEG quality."""
        return round(MILDEST_QUALITY - (MILDEST_QUALITY - quality) * self.level)

    def factor(self, factor: float) -> float:
        """How many times smaller (or larger) an intermediate resize makes the picture, at least 1."""
        return 1.0 + (factor - 1.0) * self.level
