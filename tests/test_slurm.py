"""The tiny configuration through a real Slurm: killed, refused while its jobs go on, resumed; same bytes as here.

Pictures, three of the SR models and one of the fine-tuned backbones are those of the finished run: one job of each kind
tells as much as seven.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from slurm_node import Node, slurm_node
from workflow_helpers import TINY, arguments, result_bytes

pytestmark = pytest.mark.workflow

# asks for GPUs and computes on the CPU, where the machine has none
OVERLAY = "resources: {device: auto}\nsr: {shards: {stablesr: 1, seesr: 1, pasd: 2, default: 1}}\n"
CONFIGS = (TINY, "slurm.yaml")
# the profile as shipped, for a Slurm without accounting, which is asked more often than is polite
OPTIONS = (
    "--workflow-profile", "profiles/slurm", "--jobs", "5", "--latency-wait", "20",
    "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2",
)  # fmt: skip
LIMIT = 1800.0  # a busy machine takes its time
# Snakemake, but for the seconds between two looks at its jobs, to which the executor adds ten after each look in vain
WATCHFUL = """
import sys
from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor

Executor.next_seconds_between_status_checks = property(lambda _: 2, lambda *_: None)
main(sys.argv[1:])
"""
# made through Slurm first, up to these targets, and with a kill between; then the second ones and all that is missing
FIRST = (
    "sr/bsrgan", "sr/pasd", "sr/bicubic", "sr/sr.parquet", "sr/baselines.parquet", "sampling", "study", "iqa", "tables",
    "figures",
)  # fmt: skip
TARGETS = ("table2", "sr_models")
SECOND = ("metric/dinov2", "metric/vit/zero_shot.parquet", "tuning/seesr-hlf0.1", "report.html")
GPU_STEPS = {
    "super_resolve", "embed_pairs", "score_zero_shot", "finetune_metric", "score_tuned", "crossvalidate_metric",
    "leave_models_out", "probe_metric", "change_examples", "finetune_sr", "upscale_variant", "evaluate_variant",
}  # fmt: skip


def started(project: Path, node: Node, *targets: str) -> subprocess.Popen:
    """Snakemake on its way, its output in log.txt."""
    environment = {**node.environment, "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", WATCHFUL, *arguments(*targets, *OPTIONS, configs=CONFIGS)]
    with (project / "log.txt").open("ab") as log:
        return subprocess.Popen(words, cwd=project, env=environment, stdout=log, stderr=log)


def said(project: Path) -> str:
    return (project / "log.txt").read_text(encoding="utf8")


def ended(process: subprocess.Popen, project: Path) -> int:
    """Exit code of a run that ends by itself."""
    try:
        return process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"no end after {LIMIT} s\n{said(project)[-6000:]}") from None


def images(project: Path) -> dict[Path, int]:
    """Finished images, those with a record of their making, and when they were written."""
    found = (project / "results/tiny").rglob("*.png")
    return {p: p.stat().st_mtime_ns for p in found if (p.parent / ".work" / f"{p.stem}.json").is_file()}


def remove(project: Path, names: tuple[str, ...]) -> None:
    for path in (project / "results/tiny" / name for name in names):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def rule_of(job: dict[str, str]) -> str:
    return job["Comment"].removeprefix("rule_").partition("_wildcards_")[0]


@pytest.fixture(scope="module")
def cluster():
    with slurm_node() as node:
        yield node


@pytest.fixture(scope="module")
def run(cluster: Node, kept: Path, tmp_path_factory):
    """A project that went through Slurm, killed once: folder, what was finished at the kill, what the refusal said."""
    project = Path(shutil.copytree(kept, tmp_path_factory.mktemp("slurm") / "project"))
    remove(project, FIRST)
    (project / "slurm.yaml").write_text(OVERLAY)
    profile = project / "profiles/slurm/profile.yaml"
    profile.write_text(profile.read_text().replace('gpu_model: ""', "gpu_model: stand_in"))
    first = started(project, cluster, *TARGETS)
    end = time.monotonic() + LIMIT
    while len(list((project / "results/tiny/sr/pasd").glob("*/*.png"))) < 2:
        assert first.poll() is None and time.monotonic() < end, said(project)[-6000:]
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.wait(30)
    orphans = {job["JobID"] for job in cluster.working()}
    assert orphans
    assert ended(started(project, cluster, *TARGETS), project) == 1
    refused = said(project)
    told = re.search(r"end them: (scancel( \d+)+)\s", refused)
    assert told, refused[-3000:]
    finished = images(project)
    cluster.run(*told[1].split())
    cancelled = {job["JobID"] for job in cluster.jobs() if job["State"] in ("CANCELLED", "COMPLETING")}
    assert cancelled <= orphans
    assert ended(started(project, cluster, *TARGETS), project) == 0, said(project)[-6000:]
    remove(project, SECOND)
    assert ended(started(project, cluster, "all"), project) == 0, said(project)[-6000:]
    return project, finished, refused


def test_jobs_of_a_killed_run_are_named_and_not_joined(run) -> None:
    _, _, refused = run
    sentence = next(line for line in refused.splitlines() if "of an earlier run in" in line)
    assert "(super_resolve " in sentence and ", RUNNING)" in sentence and "scancel" in sentence
    assert "Traceback" not in refused


def test_nothing_finished_is_made_twice(run) -> None:
    _, finished, _ = run
    assert len(finished) > 20
    assert [str(path) for path, written in finished.items() if path.stat().st_mtime_ns != written] == []


def test_tables_figures_and_report_are_those_of_a_local_run(run, done_bytes: dict[str, bytes]) -> None:
    got = result_bytes(run[0])
    assert set(got) == set(done_bytes)
    assert [name for name in done_bytes if got[name] != done_bytes[name]] == []


def test_each_job_asked_for_what_its_rule_says(run, cluster: Node) -> None:
    jobs = cluster.jobs()
    assert {rule_of(job) for job in jobs} >= GPU_STEPS
    for job in jobs:
        gpu = (
            rule_of(job) in GPU_STEPS
            and "bicubic" not in job["Comment"]
            and "metric_wildcards_vit" not in job["Comment"]
        )
        assert (job["Partition"], job["gpus"]) == (("gpu", "1") if gpu else ("cpu", "0")), job
        assert job["NumCPUs"] == "1" and 2000 <= int(job["MinMemory"].removesuffix("M")) <= 16000, job
    # each model has shards of its own, and tables and figures are made by Snakemake itself
    models = Counter(job["Comment"].rpartition("_wildcards_")[2] for job in jobs if rule_of(job) == "super_resolve")
    assert {"pasd_000", "pasd_001", "bsrgan_000"} <= set(models) and "bsrgan_001" not in models
    assert not {"collect_sr", "table2", "figure4", "write_report", "complete"} & {rule_of(job) for job in jobs}


def test_jobs_end_well_but_for_those_that_were_cancelled(run, cluster: Node) -> None:
    jobs = cluster.jobs()
    states = Counter(job["State"] for job in jobs)
    assert set(states) == {"COMPLETED", "CANCELLED"} and states["CANCELLED"] <= 5
    print(f"\n{'rule':22} jobs  states, seconds of the longest")
    for rule in dict.fromkeys(map(rule_of, jobs)):
        mine = [job for job in jobs if rule_of(job) == rule]
        longest = max(int(m) * 60 + int(s) for m, s in (job["TimeUsed"].split(":")[-2:] for job in mine))
        counted = ", ".join(f"{n} {state}" for state, n in Counter(job["State"] for job in mine).items())
        print(f"{rule:22} {len(mine):4}  {counted}, {longest} s")
