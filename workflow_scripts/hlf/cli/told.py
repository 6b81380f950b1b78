"""What commands about pairs of pictures tell: on stderr what went wrong, on stdout the means."""

import math
import sys
from collections.abc import Sequence

SHOWN = 5  # sentences of one kind: a folder of GT pictures may hold hundreds that nobody asked about


def tell_some(sentences: Sequence[str], what: str) -> None:
    """The first few sentences on stderr, and how many more there are.

    Args:
        sentences: of one kind.
        what: of which there are more, such as "values failed".
    """
    for sentence in sentences[:SHOWN]:
        print(f"hlf: {sentence}", file=sys.stderr)
    if len(sentences) > SHOWN:
        print(f"hlf: and {len(sentences) - SHOWN} more {what}", file=sys.stderr)


def mean_line(
    metric: str, mean: float, n: int, lower_better: bool, low: float = math.nan, high: float = math.nan
) -> str:
    """One metric's mean over its pictures, with its 95 % interval where there is one."""
    interval = "" if math.isnan(low) else f" (95 %: {low:.4f} to {high:.4f})"
    return f"{metric}: mean {mean:.4f}{interval} of {n} pictures, {'lower' if lower_better else 'higher'} is better"
