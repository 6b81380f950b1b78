"""From the raw distance to people: which share of viewers would say that the content changed (paper 3.1, 4.2).

Fine-tuning regresses 1 - cosine on that share, but squared error over few pairs leaves it too high or too low in parts
of the scale. A monotone map repairs this and keeps every ranking. Our choice; the paper has no calibration.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from hlf.errors import HlfError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

KINDS = ("logistic", "isotonic", "none")
MIN_PAIRS = 5
# smallest distance told from 0: a cosine of float32 embeddings carries rounding of this size
NOISE = 1e-6
# bounds of the slope k: near 0 where scores do not rise with distance, finite where votes are parted without an error
SLOPES = (0.05, 50.0)
# bound of k log c, the fitted offset; logits of shares in float64 stay inside
OFFSET = 30.0


@dataclass(frozen=True)
class Calibration:
    """Monotone map of the raw distance s >= 0 to a share in [0, 1]; 0 stays 0, so equal pictures score 0.

    Attributes:
        kind: "logistic": 1 / (1 + (s / c)^-k), the log-logistic psychometric function; "isotonic": linear between
            knots, constant behind the last; "none": s, cut at 1.
        c: raw distance at which half the viewers say "changed" (logistic).
        k: slope in log distance (logistic).
        knots: (s, share) in rising order, the first (0, 0) (isotonic).
    """

    kind: str = "logistic"
    c: float = 1.0
    k: float = 1.0
    knots: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise HlfError(f"calibration kind '{self.kind}' is unknown, expected one of {', '.join(KINDS)}")
        if self.kind == "logistic" and not (0 < self.c < math.inf and 0 < self.k < math.inf):
            raise HlfError(f"a logistic calibration needs finite c > 0 and k > 0, got c={self.c}, k={self.k}")
        if self.kind == "isotonic" and not _rising(self.knots):
            raise HlfError(
                "an isotonic calibration needs knots (s, share) from (0, 0) with rising s and share in [0, 1], "
                f"got {self.knots[:4]}"
            )

    @overload
    def __call__(self, raw: "Tensor") -> "Tensor": ...
    @overload
    def __call__(self, raw: "np.ndarray") -> "np.ndarray": ...
    @overload
    def __call__(self, raw: float) -> float: ...
    def __call__(self, raw: "Tensor | np.ndarray | float") -> "Tensor | np.ndarray | float":
        """Share of viewers, in [0, 1], of the raw distances, in the type and shape they come in.

        Args:
            raw: 1 - cosine, >= 0; a negative value is rounding and counts as 0. Tensor (differentiable, the gradient
                finite everywhere), array or number.

        >>> Calibration("logistic", c=0.2, k=2.0)(0.2), Calibration("logistic", c=0.2, k=2.0)(0.0)
        (0.5, 0.0)
        """
        import numpy as np
        import torch

        if isinstance(raw, torch.Tensor):
            return self._share(raw)
        values = np.asarray(raw)
        values = values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float64)
        found: np.ndarray = self._share(torch.from_numpy(np.ascontiguousarray(values))).numpy()
        return float(found.reshape(())) if np.ndim(raw) == 0 else found.reshape(values.shape)

    def _share(self, raw: "Tensor") -> "Tensor":
        import torch

        # half precision has no number between 0 and 6e-8
        s = raw.float() if raw.dtype in (torch.float16, torch.bfloat16) else raw
        if self.kind == "logistic":
            share = _log_logistic(s, self.c, self.k)
        elif self.kind == "isotonic":
            share = _piecewise(s, self.knots)
        else:
            share = s.clamp(0, 1)
        return share.to(raw.dtype)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a config.json, only those of the kind."""
        if self.kind == "logistic":
            return {"kind": self.kind, "c": self.c, "k": self.k}
        if self.kind == "isotonic":
            return {"kind": self.kind, "knots": [[float(s), float(share)] for s, share in self.knots]}
        return {"kind": self.kind}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "Calibration":
        """The reverse of `to_dict`; HlfError when the values are none of a calibration."""
        try:
            kind = str(values["kind"])
            if kind == "logistic":
                return Calibration(kind, float(values["c"]), float(values["k"]))
            knots = tuple((float(s), float(share)) for s, share in values["knots"]) if kind == "isotonic" else ()
        except (KeyError, TypeError, ValueError) as error:
            raise HlfError(f"expected a calibration with its kind and numbers, got {values} ({error!r})") from error
        return Calibration(kind, knots=knots)


def fit_calibration(
    raw: "np.ndarray | Sequence[float]", score: "np.ndarray | Sequence[float]", kind: str = "logistic"
) -> Calibration:
    """Fit the map from raw distances to human scores, on pairs that the metric was not tested on.

    "logistic" maximises the binomial likelihood: votes are yes or no, so their variance is that of a share, and in
    log distance it is a logistic regression, convex, whose mean prediction equals the mean score. A pair of distance 0
    gets 0 whatever c and k are, so it takes no part. "isotonic" is least squares; among all monotone maps the binomial
    likelihood has the same optimum. Scores that do not rise with distance give an all but constant map.

    Args:
        raw: 1 - cosine of each pair, shape (n,), >= 0.
        score: share of "changed" votes of each pair, shape (n,), in [0, 1].
        kind: one of KINDS; "none" fits nothing.

    Raises:
        HlfError: unequal lengths, fewer than 5 pairs, NaN, values out of range, all distances or all scores equal.
    """
    import numpy as np

    if kind not in ("logistic", "isotonic"):
        return Calibration(kind)
    s, y = np.asarray(raw, dtype=np.float64), np.asarray(score, dtype=np.float64)
    _check(s, y)
    s, y = s[s > NOISE], y[s > NOISE]
    if kind == "isotonic":
        return Calibration(kind, knots=_isotonic_knots(s, y))
    c, k = _logistic_parameters(s, y)
    return Calibration(kind, c, k)


def _check(s: "np.ndarray", y: "np.ndarray") -> None:
    import numpy as np

    if s.ndim != 1 or s.shape != y.shape or len(s) < MIN_PAIRS:
        raise HlfError(
            f"a calibration needs at least {MIN_PAIRS} pairs of distance and score, got {s.shape} and {y.shape}"
        )
    for name, values, high in (("distances", s, 2 + NOISE), ("scores", y, 1.0)):
        if not np.isfinite(values).all():
            raise HlfError(f"a calibration needs finite {name}, got {(~np.isfinite(values)).sum()} that are not")
        if values.min() < -NOISE or values.max() > high:
            raise HlfError(f"{name} to calibrate lie in [0, {high:.0f}], got {values.min():.4g} to {values.max():.4g}")
        apart = values[s > NOISE]
        if not apart.size or np.ptp(apart) <= NOISE:
            raise HlfError(
                f"a calibration needs {name} that differ, got {values.max():.4g} for all {len(apart)} pairs whose "
                "pictures are not equal"
            )


def _logistic_parameters(s: "np.ndarray", y: "np.ndarray") -> tuple[float, float]:
    """Maximum of the mean binomial likelihood: logit share = offset + k log s, so c = exp(-offset / k)."""
    import numpy as np
    from scipy.optimize import minimize
    from scipy.special import expit

    x = np.log(s)
    middle = float(x.mean())  # a centred regressor, or offset and slope would hang together

    def loss(parameters: "np.ndarray") -> "tuple[float, np.ndarray]":
        """Binomial log-loss of offset and slope, and its gradient (2,)."""
        offset, k = parameters
        z = offset + k * (x - middle)
        wrong = expit(z) - y
        return float(np.mean(np.logaddexp(0, z) - y * z)), np.array([wrong.mean(), (wrong * (x - middle)).mean()])

    found = minimize(
        loss, [0.0, 1.0], jac=True, method="L-BFGS-B", bounds=[(-OFFSET, OFFSET), SLOPES],
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1000},
    )  # fmt: skip
    offset, k = (float(v) for v in found.x)
    return math.exp(middle - offset / k), k


def _isotonic_knots(s: "np.ndarray", y: "np.ndarray") -> tuple[tuple[float, float], ...]:
    """(0, 0) and the ends of every level of the isotonic fit."""
    import numpy as np
    from scipy.optimize import isotonic_regression

    # equal distances have one share; distances closer than their rounding would make a cliff
    places, index, counts = np.unique(s.round(6), return_inverse=True, return_counts=True)
    means = np.bincount(index, weights=y) / counts
    share = np.clip(isotonic_regression(means, weights=counts.astype(np.float64)).x, 0, 1)
    edge = np.ones(len(share), dtype=bool)
    edge[1:-1] = (np.diff(share)[:-1] != 0) | (np.diff(share)[1:] != 0)
    knots = zip(places[edge].tolist(), share[edge].tolist(), strict=True)
    return ((0.0, 0.0), *knots)


def _rising(knots: tuple[tuple[float, float], ...]) -> bool:
    if len(knots) < 2 or knots[0] != (0.0, 0.0):
        return False
    steps = itertools.pairwise(knots)
    return all(a[0] < b[0] < math.inf and a[1] <= b[1] <= 1 for a, b in steps)


def _log_logistic(s: "Tensor", c: float, k: float) -> "Tensor":
    import torch

    tiny = 1e-12  # below it the value is 0 in any case that occurs, and its logarithm has no derivative at 0
    share = torch.sigmoid(k * (torch.log(s.clamp(min=tiny)) - math.log(c)))
    return torch.where(s > tiny, share, s.clamp(0, 0))


def _piecewise(s: "Tensor", knots: tuple[tuple[float, float], ...]) -> "Tensor":
    import torch

    x, y = (s.new_tensor(column) for column in zip(*knots, strict=True))
    place = s.clamp(0, knots[-1][0])
    right = torch.searchsorted(x, place.detach().contiguous()).clamp(1, len(knots) - 1)
    share = (place - x[right - 1]) / (x[right] - x[right - 1])
    return (y[right - 1] + share * (y[right] - y[right - 1])).clamp(0, 1)
