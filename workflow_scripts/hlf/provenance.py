"""Where the results of a run come from: code, configuration, packages, weights, machines, time and memory.

`results/<run>/provenance.json` holds times, so it is no result that has the same bytes on every run.
"""

import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf import needs
from hlf.costs.benchmarks import gpu_file, read_benchmarks
from hlf.digest import file_hashes
from hlf.errors import HlfError
from hlf.files import read_json, sha256
from hlf.machine import machine
from hlf.versions import package_versions
from hlf.zoo.registry import entry, weight_paths

if TYPE_CHECKING:
    import pandas as pd

    from hlf.paper.facts import Facts

FORMAT = 1  # of the file


def provenance(
    facts: "Facts",
    config: dict[str, Any],
    results: Path,
    root: Path,
    zoos: dict[str, Path],
    cache: Path,
) -> dict[str, Any]:
    """Content of provenance.json.

    Args:
        facts: of the whole run.
        config: the merged configuration as `hlf.config.shown` gives it.
        results: results/<run>, whose benchmarks and tables are read.
        root: folder of the Snakefile.
        zoos: folder of each zoo by its name.
        cache: file that remembers hashes of weight files, see `digest.file_hashes`.

    Returns:
        JSON values; `docs/release.md` tells the keys.
    """
    notes = job_notes(results / "benchmarks")
    return {
        "format": FORMAT,
        "run": facts.run,
        "scale": facts.scale,
        "zoo": facts.zoo,
        "votes": facts.votes,
        "pairs": facts.n_pairs,
        "stamp": facts.stamp(),
        "seed": facts.seed,
        "config_hash": facts.config_hash,
        "config": config,
        "code": git_state(root),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": package_versions(),
        "weights": weights(config, zoos, cache),
        "tables": {p.name: sha256(p) for p in sorted((results / "tables").glob("*.csv"))},
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "written_on": machine(),
        "machines": _machines(notes.values()),
        "rules": rules(read_benchmarks(results / "benchmarks")),
        "jobs": [_job(name, note) for name, note in notes.items()],
    }


def git_state(root: Path) -> dict[str, Any]:
    """The commit that a checkout stands at, and whether its files differ from it.

    Args:
        root: folder of the Snakefile.

    Returns:
        commit and changed (names of tracked files that differ, sorted, without results); or commit None and `why`, one
        sentence: no git, no checkout, or a Snakefile that the repository around it does not hold.
    """
    try:
        _git(root, "ls-files", "--error-unmatch", "Snakefile")
        commit = _git(root, "rev-parse", "HEAD").strip()
        names = _git(root, "diff", "HEAD", "--name-only", "--relative", "--no-renames", "-z")
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or str(error)
        reason = next(iter(told.strip().splitlines()), type(error).__name__)
        return {
            "commit": None,
            "why": f"the commit is not known: {root.name}/ is no checkout that git reads ({reason})",
        }
    return {"commit": commit, "changed": sorted(name for name in names.split("\0") if name)}


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def used_entries(config: dict[str, Any]) -> list[tuple[str, str]]:
    """Zoo and name of every entry that a run with this configuration may read, sorted.

    Args:
        config: merged configuration, also as `hlf.config.shown` gives it.
    """
    models = [*config["sr"]["models"], *config["sr"]["baselines"]]
    backbones = {*config["metric"]["backbones"], config["sampling"]["backbone"]}
    names = {one for model in models for one in needs.of_model(config, model)}
    names |= {needs.of_backbone(config, name) for name in backbones}
    names |= {one for name in config["iqa"]["metrics"] for one in needs.of_measure(config, name)}
    if config["tuning"]["variants"]:
        names |= {*needs.of_tuning(config), *needs.of_evaluation(config)}
    reader = {("mini", "reader")} if config["images"]["source"] == "scenes" else set()
    return sorted({(config["zoo"]["use"], name) for name in names} | reader)


def weights(config: dict[str, Any], zoos: dict[str, Path], cache: Path) -> list[dict[str, Any]]:
    """Every weight file of the zoos behind a run: entry, file, bytes, SHA-256, licence, source, by file.

    Args:
        config: see `used_entries`.
        zoos: folder of each zoo by its name.
        cache: see `digest.file_hashes`.

    Returns:
        A row per file and entry; bytes None and sha256 "" for a file that the run did without (Table 2 says so).
    """
    rows = []
    for zoo, name in used_entries(config):
        known = entry(zoo, name)
        for path in weight_paths(zoo, zoos[zoo], name):
            there = path.is_file()
            row: dict[str, Any] = {"zoo": zoo, "entry": name, "file": path.relative_to(zoos[zoo]).as_posix()}
            row |= {"bytes": path.stat().st_size if there else None, "sha256": ""}
            if there:
                row["sha256"] = file_hashes([path], cache)[path]
            rows.append({**row, "licence": known.licence, "source": known.source})
    return sorted(rows, key=lambda row: (row["zoo"], row["file"], row["entry"]))


def job_notes(folder: Path) -> dict[str, dict[str, Any]]:
    """What each job noted beside its benchmark file (`hlf_job`), by its name such as "super_resolve/pasd/000".

    A note that cannot be read is left out: it tells of time and memory only.
    """
    found = {}
    for path in sorted(folder.rglob("*.tsv")):
        try:
            note = read_json(gpu_file(path))
        except HlfError:
            continue
        if isinstance(note, dict) and "machine" in note:
            found[path.relative_to(folder).as_posix().removesuffix(".tsv")] = note
    return found


def _job(name: str, note: dict[str, Any]) -> dict[str, Any]:
    """A job's own time, memory and device; its machine stands in `machines`."""
    return {"job": name, "host": note["machine"]["host"], **{k: v for k, v in note.items() if k != "machine"}}


def _machines(notes: "Iterable[dict[str, Any]]") -> list[dict[str, Any]]:
    """Machines that jobs ran on, by host; of a host the facts of the job that tells most, with its GPUs."""
    found: dict[str, dict[str, Any]] = {}
    for note in notes:
        facts = note["machine"]
        known = found.get(facts["host"], {})
        found[facts["host"]] = facts if len(facts) >= len(known) else known
    return [found[host] for host in sorted(found)]


def rules(benchmarks: "pd.DataFrame") -> list[dict[str, Any]]:
    """Time and memory of each rule, or of each model of it: sums and maxima over its jobs.

    Args:
        benchmarks: of `costs.benchmarks.read_benchmarks`.

    Returns:
        rule, model, jobs, seconds (sum), longest (seconds), max_rss_mb and gpu_mb (largest); None where not known.
    """
    rows = []
    for (step, model), own in benchmarks.groupby(["step", "model"]):
        largest = {name: _number(own[name].max()) for name in ("max_rss_mb", "gpu_mb")}
        seconds = {"seconds": _number(own["seconds"].sum()), "longest": _number(own["seconds"].max())}
        rows.append({"rule": step, "model": model, "jobs": len(own), **seconds, **largest})
    return rows


def _number(value: float) -> float | None:
    return None if value != value else round(float(value), 2)
