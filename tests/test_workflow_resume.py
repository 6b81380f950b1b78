"""Killed at five moments, resumed by the same command on other shards and cores: same bytes, nothing done twice."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from workflow_helpers import TINY, command, copy_project, result_bytes, snakemake

pytestmark = pytest.mark.workflow

# what must exist before each kill: early, in the middle of a stage, and between stages
MOMENTS = (
    ("degradation/0.3/*.png", 4),
    ("sr/bsrgan/0.3/*.png", 3),
    ("sr/swinir/1.0/*.png", 2),
    ("sampling/shards/*.parquet", 1),
    ("metric/*/zero_shot.parquet", 1),
)
SHARDS = "degradation: {shards: 2}\nsr: {shards: {stablesr: 1, seesr: 1, pasd: 2, default: 2}}\niqa: {shards: 2}\n"


def kill_tree(process: subprocess.Popen) -> None:
    """kill -9 of Snakemake and every process below it."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for member in family:
        try:
            member.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    process.wait(30)


def finished(project: Path) -> dict[Path, int]:
    """Images with a record of their making, and when they were written."""
    images = [p for p in (project / "results/tiny").rglob("*.png") if (p.parent / ".work" / f"{p.stem}.json").is_file()]
    return {p: p.stat().st_mtime_ns for p in images}


def test_killed_five_times_and_sharded_otherwise_gives_the_same_bytes(
    done_bytes: dict[str, bytes], tmp_path: Path
) -> None:
    project = copy_project(tmp_path / "project")
    (project / "shards.yaml").write_text(SHARDS)
    configs = (TINY, "shards.yaml")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    kept: dict[Path, int] = {}
    for pattern, count in MOMENTS:
        with (project / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                command("--cores", "2", "all", configs=configs), cwd=project, env=environment, stdout=log, stderr=log
            )
            end = time.monotonic() + 900
            while len(list((project / "results/tiny").glob(pattern))) < count:
                assert process.poll() is None, (project / "log.txt").read_text()[-4000:]
                assert time.monotonic() < end, f"{pattern} did not appear"
                time.sleep(0.05)
            kill_tree(process)
        kept |= {p: t for p, t in finished(project).items() if p not in kept}
    text = snakemake(project, "--cores", "1", "all", configs=configs)
    assert text.endswith("exit code 0"), text[-4000:]
    redone = [str(p) for p, t in kept.items() if p.stat().st_mtime_ns != t]
    assert redone == []
    expected, got = done_bytes, result_bytes(project)
    assert set(got) == set(expected)
    assert [name for name in expected if got[name] != expected[name]] == []
    left = list((project / "results/tiny").rglob(".*.tmp*"))
    print(f"{len(kept)} images kept over five kills")
    assert left == []
