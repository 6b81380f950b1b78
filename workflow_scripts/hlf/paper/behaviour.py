"""Tables of how the metric behaves: planted edits, mild changes, and where the change map lies."""

from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.metric.behaviour import EDIT, MAP, MAP_SHARE, MILD, MILDS, SAME, UNRELATED
from hlf.paper.tables import need, table3_values
from hlf.scenes.edits import KINDS, SINGLE, TEXTURE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd

ALL = "all kinds"
ALARMS = 0.05  # share of texture-only edits that may be called changed, for `sensitivity_at_5`
CHANGED_KINDS = tuple(kind for kind in KINDS if kind != TEXTURE)
BEST = {"auc": "max", "sensitivity": "max", "sensitivity_at_5": "max"}
MAP_BEST = {"ratio": "max", "mass": "max", "hit": "max"}
TITLE = "Planted edits: does the metric tell a change of content from a change of texture?"
MILD_TITLE = "Mild changes: what the metric should not see"
MAP_TITLE = "Where did it change: the change map on planted edits"
MILD_NAMES = {
    "blur": f"Blur {MILDS['blur']} px", "noise": f"Noise {MILDS['noise']:g}/255", "jpeg": f"JPEG {MILDS['jpeg']}",
    **{way: f"Shift {by} px" for way, by in MILDS.items() if way.startswith("shift")},
}  # fmt: skip


def reading(threshold: float) -> str:
    """Note below the table of planted edits."""
    return (
        "Scenes drawn twice, with one thing changed (details, local structure, holistic) or with other texture only "
        "(grain, sharpening, contrast). AUC: chance that an edit of content has the higher value, with a 95 % "
        "bootstrap interval over the edits. Sensitivity and false alarms: edits of content, and of texture, with a "
        f"predicted share of viewers of {threshold:g} or more; untouched (zero-shot) values are no shares. Sensitivity "
        "at 5 %: at the threshold that at most 5 % of the texture-only edits reach."
    )


MILD_READING = (
    "Mean value under each mild change, divided by the model's median over all planted edits of content: 0 = not seen, "
    "1 = taken for a typical change. Blur: standard deviation in pixels; noise: standard deviation in grey levels; "
    "shift: to the right and down each, mirrored at the border. Same: a picture with itself. Unrelated: with another "
    "scene. Edit: that median, in the metric's own unit."
)
MAP_READING = (
    "Mass: mean share of the change map inside the edited box. Area: mean share of the picture that the box takes. "
    "Ratio: mass over area, 1 = chance, with a 95 % bootstrap interval over the edits; at most 1 / area. Peak inside: "
    "share of edits whose map has its maximum inside. Scenes whose pictograms take "
    f"{MAP_SHARE[0]:g} to {MAP_SHARE[1]:g} of the side. A map is as coarse as the backbone's patches and bilinear "
    "between them, so some mass lies beside a box that ends within a patch."
)


def behaviour_table(table: "pd.DataFrame", threshold: float, n_boot: int, seed: int) -> "pd.DataFrame":
    """One row per metric and kind of planted edit, each kind against all texture-only edits.

    Args:
        table: table `behaviour`.
        threshold: predicted share of viewers from which on a pair counts as changed.
        n_boot: bootstrap resamples over edits.
        seed: the run's seed; all rows share the resamples.

    Returns:
        Columns metric, kind, n (edits of content), auc, auc_low, auc_high, sensitivity, false_alarms, sensitivity_at_5.

    Raises:
        HlfError: no planted edit, or none of texture.
    """
    import pandas as pd

    rows = []
    for name, part in by_metric(table, EDIT):
        still = part[part["kind"] == TEXTURE]
        for kind in (*CHANGED_KINDS, ALL):
            moved = part[part["kind"] == kind] if kind != ALL else part[part["kind"] != TEXTURE]
            rows.append({"metric": name, "kind": kind, **_detection(moved, still, threshold, n_boot, seed)})
    return pd.DataFrame(rows)


def _detection(
    moved: "pd.DataFrame", still: "pd.DataFrame", threshold: float, n_boot: int, seed: int
) -> dict[str, float]:
    import pandas as pd

    from hlf import stats

    both = pd.concat([moved, still])
    values, changed = both["value"].to_numpy(float), is_changed(both)
    low, high = stats.auc_interval(values, changed, n_boot, seed)
    return {
        "n": len(moved),
        "auc": stats.auc(values, changed), "auc_low": low, "auc_high": high,
        "sensitivity": float((moved["share"] >= threshold).mean()),
        "false_alarms": float((still["share"] >= threshold).mean()),
        "sensitivity_at_5": stats.sensitivity_at(values, changed, ALARMS),
    }  # fmt: skip


def is_changed(part: "pd.DataFrame") -> "np.ndarray":
    """Right answers of planted edits, 1.0 or 0.0, shape (n,)."""
    import numpy as np

    return np.asarray(part["kind"] != TEXTURE, dtype=np.float64)


def invariance_table(table: "pd.DataFrame") -> "pd.DataFrame":
    """One row per metric: its mean value under each mild change over its median planted edit of content.

    Args: table `behaviour`. Returns: columns metric, n (scenes), edit (raw), same, one per mild change, unrelated.
    Raises: HlfError: no planted edit or no mild change.
    """
    import pandas as pd

    edits = {name: _median_edit(part) for name, part in by_metric(table, EDIT)}
    rows = []
    for name, part in by_metric(table, MILD):
        means = part.groupby("way")["value"].mean() / edits[name]
        row = {"metric": name, "n": int(part["number"].nunique()), "edit": edits[name]}
        rows.append(row | {way: float(means[way]) for way in (SAME, *MILDS, UNRELATED)})
    return pd.DataFrame(rows)


def _median_edit(part: "pd.DataFrame") -> float:
    value = float(part.loc[part["kind"] != TEXTURE, "value"].median())
    if not value > 0:
        raise HlfError(f"the median value of planted edits is {value}, so mild changes cannot be compared with it")
    return value


def map_table(table: "pd.DataFrame", n_boot: int, seed: int) -> "pd.DataFrame":
    """One row per metric and way of a single-object edit, then all ways: the map's mass in the box against chance.

    Args: as of `behaviour_table`. Returns: columns metric, way, n, ratio, ratio_low, ratio_high, mass, area, hit.
    Raises: HlfError: no edit for the map whose box the backbone saw.
    """
    import pandas as pd

    rows = []
    for name, part in by_metric(table, MAP):
        seen = part[part["area"].notna()]
        for way in (*(w for w in SINGLE if (seen["way"] == w).any()), ALL):
            some = seen if way == ALL else seen[seen["way"] == way]
            rows.append({"metric": name, "way": way, "n": len(some), **_ratio(some, n_boot, seed)})
    return pd.DataFrame(rows)


def _ratio(part: "pd.DataFrame", n_boot: int, seed: int) -> dict[str, float]:
    from hlf import stats

    mass, area = (part[c].to_numpy(float) for c in ("mass", "area"))
    low = high = float("nan")
    if len(part) > 1:
        low, high = stats.bootstrap_by_group(_over, mass, area, list(part["pair_id"]), n_boot, seed)
    return {
        "ratio": _over(mass, area), "ratio_low": low, "ratio_high": high, "mass": float(mass.mean()),
        "area": float(area.mean()), "hit": float(part["hit"].mean()),
    }  # fmt: skip


def _over(mass: "np.ndarray", area: "np.ndarray") -> float:
    return float(mass.mean() / area.mean())


def by_metric(table: "pd.DataFrame", group: str) -> "Iterator[tuple[str, pd.DataFrame]]":
    """Rows of a group by the metric's name as in Table 3, in its order, with a `pair_id` for each pair."""
    need(table, ("group", "kind", "way", "number", "value", "share"), "behaviour")
    some = table[table["group"] == group]
    if some.empty:
        raise HlfError(f"table 'behaviour' holds no pair of group '{group}'; make it again with metric.planted above 0")
    names = some["kind"] + " " + some["way"] + " " + some["number"].astype(str)
    for name, part in table3_values(some.assign(pair_id=names)).groupby("metric", sort=False):
        yield str(name), part
