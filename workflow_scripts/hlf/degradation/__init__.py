"""Low-resolution images: the BSRGAN degradation at scale 4 (paper section 3.1).

`degrade` is all that training code needs; `draw_plan` and `apply_plan` are its two halves, and a plan is plain JSON
from which the same LR image can be made again. `hlf.degradation.run` works through a manifest.
"""

from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError

if TYPE_CHECKING:
    import numpy as np


def degrade(
    gt: "np.ndarray", rng: "np.random.Generator", level: float = 1.0, variant: str = "bsrgan"
) -> "tuple[np.ndarray, list[dict[str, Any]]]":
    """Low-resolution version of one image, with one random degradation.

    Fast enough for use as augmentation inside a training loader. Source: official BSRGAN repository,
    `degradation_bsrgan` on a whole image.

    Args:
        gt: float32 RGB (H, W, 3) in [0, 1], both sides at least 16 pixels; sides that are not multiples of 4 lose
            their last rows and columns.
        rng: numpy generator; equal generators give equal results.
        level: strength in (0, 1]; 1.0 is the full degradation (see `hlf.degradation.strength`).
        variant: `bsrgan` or `bsrgan_plus`.

    Returns:
        LR float32 (H // 4, W // 4, 3) in [0, 1], multiples of 1/255, and the plan that made it.

    Raises:
        HlfError: wrong type, shape or size of `gt`, unknown variant, level out of range.

    >>> import numpy as np
    >>> lr, plan = degrade(np.zeros((64, 48, 3), np.float32), np.random.default_rng(1), level=0.3)
    >>> lr.shape, plan[-1]["op"]
    ((16, 12, 3), 'jpeg')
    """
    import numpy as np

    from hlf.degradation.apply import apply_plan
    from hlf.degradation.plan import draw_plan

    if not isinstance(gt, np.ndarray) or gt.ndim != 3 or gt.shape[2] != 3 or gt.dtype != np.float32:
        got = f"{gt.shape} of {gt.dtype}" if isinstance(gt, np.ndarray) else type(gt).__name__
        raise HlfError(f"degrade: expected a float32 array (H, W, 3) in [0, 1], got {got}; see hlf.images.to_float")
    plan = draw_plan(rng, gt.shape[0], gt.shape[1], level, variant)
    return apply_plan(gt, plan), plan
