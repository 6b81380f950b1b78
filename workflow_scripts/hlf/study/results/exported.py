"""Reading an export folder: into the pipeline's table `votes`, and into the data set format of SUREAL."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.columns import conform
from hlf.errors import HlfError
from hlf.files import read_table, write_json
from hlf.study.votes import check_votes

if TYPE_CHECKING:
    import pandas as pd

# columns of the export's table `votes` that are read again
NEEDED = ("participant", "pair", "answer", "is_trap", "trap_answer", "source", "order_index", "rt_active_ms", "valid")


def read_export(folder: str | Path, pairs: "pd.DataFrame", run: str) -> "pd.DataFrame":
    """Table `votes` of the pipeline from an export folder, with the screening that the export holds.

    Args:
        folder: written by `export.write_export`.
        pairs: table `pairs` of the run; votes for other pairs are refused.
        run: name of the run, written into the rows.

    Returns:
        Table `votes`, sorted by participant and order_index; `valid` as in the export, whose rules may leave out more
        people than the trap rule.

    Raises:
        HlfError: no export there, and as `votes.read_votes`.
    """
    path = Path(folder) / "votes.parquet"
    table = _votes(path)
    valid = table["valid"].astype(bool)
    text = table[list(NEEDED[:-1])].rename(columns={"pair": "pair_id"})
    text = text.astype(dict.fromkeys(("answer", "trap_answer", "order_index"), "int64")).astype(str)
    text["rt_active_ms"] = ["" if missing else f"{time:.0f}" for time, missing in _times(table)]
    checked = check_votes(text, pairs, run, path).assign(valid=valid)
    return conform(checked.sort_values(["participant", "order_index", "pair_id"]), "votes")


def _times(table: "pd.DataFrame") -> "zip[tuple[float, bool]]":
    """Reaction times, and whether each is missing."""
    times = table["rt_active_ms"].astype("float64")
    return zip(times, times.isna(), strict=True)


def _votes(path: Path) -> "pd.DataFrame":
    """The export's table `votes`, HlfError when it is not there, not ours or empty."""
    table = read_table(path)
    missing = [c for c in NEEDED if c not in table]
    if missing:
        raise HlfError(f"{path} lacks columns {missing}; give a folder that `hlf study export` wrote")
    if table.empty:
        raise HlfError(f"{path} holds no vote; collect votes first")
    return table


def to_sureal(folder: str | Path, path: str | Path, only_valid: bool = True) -> dict[str, Any]:
    """Write an export as a SUREAL data set (JSON), which its models of graded opinions can read.

    One reference for every GT image and one distorted "video" for every pair with votes; its opinions are 0 or 1 by
    person, 1 = "the content changed", so higher is worse, and people who did not see a pair are left out of it. Paths
    are those of the pipeline. SUREAL's models assume graded scores (docs of `stats.latent`); this is for comparison.

    Args:
        folder: written by `export.write_export`.
        path: JSON file to write.
        only_valid: leave out the votes of people whom the screening excludes.

    Returns:
        What was written: dataset_name, ref_videos (content_id, content_name, path) and dis_videos (content_id,
        asset_id, os, path), numbered from 0 in order of their names.

    Raises:
        HlfError: no export there, or no vote that counts.
    """
    votes = _votes(Path(folder) / "votes.parquet")
    used = votes[~votes["is_trap"] & (votes["valid"] | (not only_valid))].sort_values(["pair", "participant"])
    if used.empty:
        raise HlfError(f"{folder} holds no vote that counts; there is nothing to convert")
    contents = {name: number for number, name in enumerate(sorted(set(used["gt_file"])))}
    dataset = {
        "dataset_name": f"{used['study'].iloc[0]}_{used['source'].iloc[0]}",
        "ref_videos": [{"content_id": i, "content_name": Path(n).stem, "path": n} for n, i in contents.items()],
        "dis_videos": [
            {
                "content_id": contents[own["gt_file"].iloc[0]],
                "asset_id": number,
                "os": {str(p): int(a) for p, a in zip(own["participant"], own["answer"], strict=True)},
                "path": str(own["sr_file"].iloc[0]),
            }
            for number, (_, own) in enumerate(used.groupby("pair", sort=True))
        ],
    }
    write_json(path, dataset)
    return dataset
