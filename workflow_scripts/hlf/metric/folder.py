"""Command `hlf score`: pairs of pictures in, one row per picture and metric out, and a summary with intervals."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.iqa.folder import COLUMNS, Pairing, measure_pairing

if TYPE_CHECKING:
    import pandas as pd

    from hlf.iqa.registry import Source
    from hlf.metric.fidelity import HighLevelFidelity

SCORE_COLUMNS = [*COLUMNS, "device"]
SUMMARY_COLUMNS = ["metric", "n", "mean", "low", "high", "lower_better", "failed", "unmatched", "zoo", "weights_sha256"]
RESAMPLES = 2000  # of the bootstrap; more change the second digit of an interval's ends only
UNMATCHED, FAILED = "unmatched: ", "failed: "


def score_pairing(
    pairing: Pairing,
    names: Sequence[str],
    metrics: "Mapping[str, HighLevelFidelity]",
    source: "Source",
    batch_size: int,
) -> "pd.DataFrame":
    """Table with SCORE_COLUMNS: by metric as given and by pair, then the pictures without a partner.

    A pair that could not be scored has value NaN and status "failed: why", a lonely picture "unmatched: ...".
    Values depend on the two pictures only, so order, other pairs and file names change nothing but last digits.

    Args:
        pairing: from `find_pairs`.
        names: metrics to compute: keys of `metrics`, or measures of `hlf.iqa.registry`, which run on the CPU.
        metrics: loaded HLF metrics by name.
        source: of the measures' weights.
        batch_size: pictures per forward of the HLF metrics.

    Raises:
        HlfError: a metric named twice or unknown, wrong weights.
    """
    import pandas as pd

    if len(set(names)) < len(names):
        raise HlfError(f"a metric is named twice ({', '.join(names)}); name each once")
    measured = [name for name in names if name not in metrics]
    tables = {name: _rows(pairing, name, metric, batch_size) for name, metric in metrics.items() if name in names}
    if measured:
        rest = measure_pairing(pairing, measured, source).assign(device="cpu")
        tables |= {str(name): table for name, table in rest.groupby("metric")}
    lonely = pairing.lonely()
    parts = [part for name in names for part in (tables[name], _lonely_rows(tables[name], lonely))]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)[SCORE_COLUMNS]


def _rows(pairing: Pairing, name: str, metric: "HighLevelFidelity", batch_size: int) -> "pd.DataFrame":
    """Rows of one HLF metric."""
    import pandas as pd

    from hlf.metric.batches import raw_scores
    from hlf.metric.card import convention
    from hlf.version import __version__

    names = pairing.names
    raw = raw_scores(metric, [pairing.images[n] for n in names], [pairing.refs[n] for n in names], batch_size)
    good = [value for value in raw if isinstance(value, float)]
    scores = iter(metric.to_score(good).tolist())
    description = metric.backbone.description
    rows = [
        (str(pairing.images[n]), str(pairing.refs[n]), float("nan"), f"{FAILED}{value}")
        if isinstance(value, HlfError)
        else (str(pairing.images[n]), str(pairing.refs[n]), next(scores), "ok")
        for n, value in zip(names, raw, strict=True)
    ]
    return pd.DataFrame(rows, columns=["image", "ref", "value", "status"]).assign(
        metric=name,
        lower_better=True,
        convention=convention(description, metric.calibration if metric.calibrated else None, metric.origin.tuned),
        zoo=description.zoo,
        weights_sha256=metric.origin.weights_sha256,
        version=f"hlf {__version__}",
        device=metric.device.type,
    )


def _lonely_rows(table: "pd.DataFrame", lonely: list[tuple[str, str, str]]) -> "pd.DataFrame":
    """Rows of the pictures without a partner, for the metric of `table`."""
    import pandas as pd

    known = {name: table[name].iloc[0] for name in SCORE_COLUMNS}
    rows = [
        {**known, "image": image, "ref": ref, "value": float("nan"), "status": f"{UNMATCHED}{sentence}"}
        for image, ref, sentence in lonely
    ]
    return pd.DataFrame(rows, columns=SCORE_COLUMNS)


def summarise(table: "pd.DataFrame", seed: int) -> "pd.DataFrame":
    """Mean of every metric with its 95 % bootstrap interval over GT pictures, and what is missing from it.

    Args:
        table: from `score_pairing`.
        seed: of the resamples.

    Returns:
        SUMMARY_COLUMNS, a row per metric; low and high are NaN where fewer than two GT pictures were scored.
    """
    import pandas as pd

    rows = []
    for name in table["metric"].unique():
        own = table[table["metric"] == name]
        good, lonely = own[own["status"] == "ok"], own["status"].str.startswith(UNMATCHED)
        low, high = _interval(good, seed)
        rows.append(
            {
                "metric": name, "n": len(good), "mean": good["value"].mean(), "low": low, "high": high,
                "lower_better": own["lower_better"].iloc[0], "failed": len(own) - len(good) - int(lonely.sum()),
                "unmatched": int(lonely.sum()), "zoo": own["zoo"].iloc[0],
                "weights_sha256": own["weights_sha256"].iloc[0],
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def _interval(good: "pd.DataFrame", seed: int) -> tuple[float, float]:
    from hlf.stats import bootstrap_by_group

    if good["ref"].nunique() < 2:
        return float("nan"), float("nan")
    values = good["value"].to_numpy()
    return bootstrap_by_group(lambda a, _: float(a.mean()), values, values, good["ref"].tolist(), RESAMPLES, seed)
