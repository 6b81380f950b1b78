"""Numbers behind the findings on metrics and on fine-tuning: comparisons with intervals, or a reason for none."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hlf.errors import HlfError
from hlf.paper import expected, tuning
from hlf.paper.agreement import on_test_part
from hlf.paper.facts import OFFICIAL
from hlf.paper.findings_verdict import Comparison
from hlf.paper.tables import row_name
from hlf.stats.comparison import STATISTICS
from hlf.stats.intervals import absolute_interval
from hlf.stats.resampling import draw_groups, percentile_interval, resampled_correlations
from hlf.tuning.variants import BASELINE, alpha_of

if TYPE_CHECKING:
    import pandas as pd

    from hlf.stats.resampling import Resamples

NAN = math.nan
PAPER_ROWS = {**expected.TABLE2, **expected.TABLE3}


def compared(
    make: Callable[[], tuple[float, np.ndarray]], name: str, n: int, of: str = "pairs", **more: Any
) -> Comparison:
    """Comparison with a 95 % percentile interval.

    Args:
        make: gives the value and its values over resamples, shape (n,), NaN = undefined there; the sentence of its
            HlfError becomes the reason for lacking them.
        name: see `Comparison`, as are the others.
        n: see there.
        of: see there.
        more: further fields.
    """
    value, low, high, reason = NAN, NAN, NAN, ""
    try:
        value, drawn = make()
        low, high = percentile_interval(drawn)
    except HlfError as error:
        reason = str(error)
    return Comparison(name, value, low, high, n, of, reason=reason, **more)


class Rows:
    """All rows of Tables 2 and 3 on the test pairs, under the paper's names, with shared resamples.

    Attributes:
        pairs: how many.
        kinds: row name -> "FR" or "NR"; only rows with at least one value.
    """

    def __init__(
        self,
        iqa: "pd.DataFrame",
        metric: "pd.DataFrame",
        scores: "pd.DataFrame",
        split: "pd.DataFrame",
        n_boot: int,
        seed: int,
    ) -> None:
        """Tables `iqa`, `metric_scores`, `scores` and `split`; resamples over GT images, the run's seed."""
        import pandas as pd

        both = zip(metric["backbone"], metric["tuned"], strict=True)
        names = {
            "iqa": [expected.METRIC_NAMES.get(m, m) for m in iqa["metric"]],
            "metric": [row_name(str(b), bool(t), OFFICIAL) for b, t in both],
        }
        values = pd.concat(
            [
                iqa[["pair_id", "value", "kind"]].assign(metric=names["iqa"]),
                metric[["pair_id", "value"]].assign(metric=names["metric"], kind="FR"),
            ]
        )
        truth, wide = on_test_part(values, scores, split)
        kinds = dict(zip(values["metric"], values["kind"], strict=True))
        self.pairs, self._n_boot, self._seed = len(truth), n_boot, seed
        self._score, self._images = truth["score"].to_numpy(float), truth["image_id"].tolist()
        self._values = {str(name): wide[name].to_numpy(float) for name in wide}
        self.kinds = {name: str(kinds[name]) for name, column in self._values.items() if np.isfinite(column).any()}
        self._known: dict[tuple[str, str, bytes], tuple[float, np.ndarray]] = {}

    def absolute(self, name: str, statistic: str, both: np.ndarray) -> tuple[float, np.ndarray]:
        """|correlation| of a row with the score on some pairs, and resamples turned by the sign over all of these."""
        key = name, statistic, both.tobytes()
        if key not in self._known:
            a, y = self._values[name][both], self._score[both]
            signed = STATISTICS[statistic](a, y)
            turn = -1.0 if signed < 0 else 1.0
            drawn = resampled_correlations(a, y, self._draws.only(both), statistic == "srcc")
            self._known[key] = abs(signed), turn * drawn
        return self._known[key]

    @cached_property
    def _draws(self) -> "Resamples":
        """Drawn when first asked for: a test part of one image has none, and says so in its place."""
        return draw_groups(self._images, self._n_boot, self._seed)

    def contrast(
        self,
        name: str,
        first: Sequence[str],
        second: Sequence[str] = (),
        statistic: str = "srcc",
        **more: Any,
    ) -> Comparison:
        """Mean |correlation| of the first rows less that of the second ones (0 for none), on the pairs of all."""
        both = np.logical_and.reduce([np.isfinite(self._values[n]) for n in (*first, *second)])
        theirs = [[getattr(PAPER_ROWS[n], statistic) if n in PAPER_ROWS else NAN for n in p] for p in (first, second)]

        def make() -> tuple[float, np.ndarray]:
            """Difference of the two sides, and its resamples (n_boot,)."""
            values, drawn = [], []
            for part in (first, second):
                found = [self.absolute(n, statistic, both) for n in part] or [(0.0, np.zeros(self._n_boot))]
                values.append(float(np.mean([v for v, _ in found])))
                drawn.append(np.mean([d for _, d in found], axis=0))
            return values[0] - values[1], drawn[0] - drawn[1]

        paper = float(np.mean(theirs[0]) - (np.mean(theirs[1]) if second else 0.0))
        found = compared(make, name, int(both.sum()), paper=paper, **more)
        if second or found.reason:
            return found
        # as Tables 2 and 3 print the interval of one row
        low, high = absolute_interval(found.low, found.high)
        return replace(found, low=low, high=high)


def fold_gains(
    folds: "pd.DataFrame", scores: "pd.DataFrame", names: Sequence[str], n_boot: int, seed: int
) -> list[Comparison]:
    """SRCC after fine-tuning less before, mean over folds of all scored pairs (and over seeds), for each backbone.

    Args: table `metric_folds`, table `scores`, backbones, resamples over GT images, the run's seed.
    """
    joined = folds.merge(scores[["pair_id", "image_id", "score"]], on="pair_id")
    return [_fold_gain(joined[joined["backbone"] == b], b, n_boot, seed) for b in names if b in set(joined["backbone"])]


def _fold_gain(part: "pd.DataFrame", backbone: str, n_boot: int, seed: int) -> Comparison:
    def make() -> tuple[float, np.ndarray]:
        """Gain of the fine-tuning, mean over folds and seeds, and its resamples (n_boot,)."""
        draws = draw_groups(part["image_id"].tolist(), n_boot, seed)
        values: dict[bool, list[float]] = {True: [], False: []}
        drawn: dict[bool, list[np.ndarray]] = {True: [], False: []}
        for (tuned, _, _), group in part.reset_index(drop=True).groupby(["tuned", "fold", "seed"]):
            a, y = group["value"].to_numpy(float), group["score"].to_numpy(float)
            mask = np.isin(np.arange(len(part)), group.index)
            values[bool(tuned)].append(STATISTICS["srcc"](a, y))
            drawn[bool(tuned)].append(resampled_correlations(a, y, draws.only(mask), True))
        if not values[True] or not values[False]:
            raise HlfError(f"the folds of {backbone} hold no fine-tuning")
        means = {t: (np.mean(values[t]), np.mean(drawn[t], axis=0)) for t in (True, False)}
        return float(means[True][0] - means[False][0]), means[True][1] - means[False][1]

    return compared(make, expected.BACKBONE_NAMES.get(backbone, backbone), part["pair_id"].nunique())


def variant_changes(
    evaluation: "pd.DataFrame",
    variants: Sequence[str],
    base: str,
    columns: Sequence[str],
    n_boot: int,
    seed: int,
) -> list[Comparison]:
    """Mean of each variant less that of the base, as Table 4 has them, claimed on the better side of each measure.

    Args:
        evaluation: table `tuning_evaluation`; variants that it lacks give nothing.
        variants: names of variants.
        base: the variant compared with.
        columns: of Table 4; those that the run lacks give nothing.
        n_boot: resamples over GT images.
        seed: the run's seed.
    """
    there = set(evaluation["variant"])
    if base not in there:
        return []
    values, images = tuning.by_image(evaluation), sorted(evaluation["image_id"].unique())
    found = []
    for variant in (v for v in variants if v in there):
        for m in (m for m in tuning.measures(evaluation) if m.column in columns):
            before, after = (values[m.name, m.group][v].reindex(images).to_numpy(float) for v in (base, variant))
            try:
                one = tuning.change(before, after, draw_groups(images, n_boot, seed), m.lower_better)
            except HlfError as error:
                one = {"difference": NAN, "difference_low": NAN, "difference_high": NAN, "n": len(images)}
                one["status"] = str(error)
            value, low, high = (float(one[c]) for c in ("difference", "difference_low", "difference_high"))
            name = m.heading if base != BASELINE else f"{m.heading} ({alpha_of(variant):g})"
            reason = "" if one["status"] == "ok" else str(one["status"])
            paper = tuning.paper_difference(variant, m, base)
            found.append(
                Comparison(
                    name,
                    value,
                    low,
                    high,
                    int(one["n"]),
                    "images",
                    above=not m.lower_better,
                    paper=paper,
                    reason=reason,
                )
            )
    return found
