"""Dividing a stage's images into shards, and joining what the shards give."""

from typing import TYPE_CHECKING

from hlf.columns import TABLES, conform

if TYPE_CHECKING:
    import pandas as pd

# columns that order the rows of a joined table
ORDER = {
    "lr": ["image_id", "level"],
    "sr": ["model", "image_id", "level"],
    "similarity": ["pair_id"],
    "iqa": ["metric", "pair_id"],
    "metric_scores": ["backbone", "tuned", "pair_id"],
    "behaviour": ["backbone", "tuned", "group", "kind", "way", "number"],
    "tuning_sr": ["variant", "image_id", "level"],
    "tuning_evaluation": ["variant", "image_id", "level", "group", "measure"],
}


def part_of(table: "pd.DataFrame", shard: str, shards: int, by: str = "image_id") -> "pd.DataFrame":
    """Rows of shard number `shard` of `shards`: names are dealt out by their rank, so shards differ by one at most."""
    names = sorted(set(table[by]))[int(shard) :: shards]
    return table[table[by].isin(names)].reset_index(drop=True)


def of_role(table: "pd.DataFrame", manifest: "pd.DataFrame", role: str) -> "pd.DataFrame":
    """Rows of images with a role of table `manifest`."""
    names = manifest.loc[manifest["role"] == role, "image_id"]
    return table[table["image_id"].isin(names)].reset_index(drop=True)


def collect(tables: "list[pd.DataFrame]", name: str) -> "pd.DataFrame":
    """All rows in the fixed order of table `name`, whatever the shards they come from; no row where there is none."""
    import pandas as pd

    if not tables:
        return conform(pd.DataFrame(columns=list(TABLES[name])), name)
    joined = pd.concat(tables, ignore_index=True).sort_values(ORDER[name], kind="stable")
    return conform(joined, name)
