"""Profiles at work: GPU jobs one by one, dropped tables of shards, another scheduler, here stand-ins for PBS."""

import datetime
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workflow_helpers import ROOT, TINY, copy_project, planned, result_bytes, snakemake


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    return copy_project(tmp_path_factory.mktemp("profiles") / "project")


def times(project: Path, *names: str) -> list[tuple[float, float]]:
    """Begin and end of jobs, from their logs."""
    found = []
    for name in names:
        last = (project / f"results/tiny/logs/{name}.log").read_text().splitlines()[-1]
        told = re.match(r"(\S+ \S+),(\d+) INFO done in ([\d.]+) s", last)
        end = datetime.datetime.strptime(told[1], "%Y-%m-%d %H:%M:%S").timestamp() + int(told[2]) / 1000
        found.append((end - float(told[3]), end))
    return found


@pytest.mark.workflow
def test_gpu_jobs_run_one_by_one_and_dropped_shards_change_nothing(project: Path, done_bytes: dict[str, bytes]) -> None:
    (project / "drop.yaml").write_text("resources: {device: auto, drop_shards: true}\n")
    root, configs = project / "results/tiny", (TINY, "drop.yaml")
    targets = [f"results/tiny/sr/{model}/sr.parquet" for model in ("bsrgan", "swinir", "bicubic")]
    text = snakemake(project, "--cores", "2", *targets, configs=configs)
    assert text.endswith("exit code 0"), text[-3000:]
    # two cores and one GPU
    first, second = sorted(times(project, "super_resolve/bsrgan/000", "super_resolve/swinir/000"))
    assert first[1] <= second[0], (first, second)
    got = result_bytes(project)
    assert [name for name in got if got[name] != done_bytes[name]] == [] and len(got) > 30
    assert list(root.rglob("shards/*.parquet")) == []
    assert "Nothing to be done" in snakemake(project, "--cores", "2", *targets, configs=configs)
    # another way of joining needs the shards again: each job starts once more and finds its images
    images = {p: p.stat().st_mtime_ns for p in (root / "sr").rglob("*.png")}
    script = project / "workflow_scripts/collect_shards.py"
    script.write_text(script.read_text() + "\nEDITED = 1\n")
    again = {"degrade": 1, "collect_degradation": 1, "super_resolve": 3, "collect_model": 3}
    assert planned(project, targets[0], configs=configs, more=tuple(targets[1:])) == again
    text = snakemake(project, "--cores", "2", *targets, configs=configs)
    assert text.endswith("exit code 0"), text[-3000:]
    assert {p: p.stat().st_mtime_ns for p in images} == images and result_bytes(project) == got
    # as without the option, a changed model is noticed and makes its own images alone
    model = project / "workflow_scripts/hlf/sr/swinir.py"
    model.write_text(model.read_text() + "\nEDITED = 1\n")
    text = snakemake(project, "-n", *targets, configs=configs)
    assert "with swinir" in text and "with bsrgan" not in text and "Degrading" not in text


QSUB = """#!{python}
import os, subprocess, sys
folder, script = os.environ["FAKE_PBS"], sys.argv[-1]
assert "select=1:ncpus=1:mem=2000mb:ngpus=0" in sys.argv and "walltime=15:00" in sys.argv, sys.argv
number = len(os.listdir(folder)) + 1
code = f"{{folder}}/{{number}}"
open(code, "w").close()
# jobs wait in the queue until the test lets them go
waiting = f"while [ ! -e {{folder}}/../go ]; do sleep 0.05; done; sh {{script}} > /dev/null 2>&1; echo $? > {{code}}"
subprocess.Popen(["sh", "-c", waiting], start_new_session=True,
                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(number)
"""
QSTAT = """#!/bin/sh
[ -e "$FAKE_PBS/$3" ] || exit 153
code=$(cat "$FAKE_PBS/$3")
if [ -n "$code" ]; then echo "    job_state = F"; echo "    Exit_status = $code"; else echo "    job_state = R"; fi
"""


def fake_pbs(folder: Path) -> dict[str, str]:
    """Environment with stand-ins for PBS that run jobs in the background."""
    (folder / "jobs").mkdir(parents=True)
    for name, text in (("qsub", QSUB.format(python=sys.executable)), ("qstat", QSTAT)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "FAKE_PBS": str(folder / "jobs"), "OMP_NUM_THREADS": "1"}


@pytest.mark.workflow
def test_the_generic_profile_sends_jobs_and_refuses_beside_those_of_a_killed_run(project: Path, tmp_path: Path) -> None:
    environment, sent = fake_pbs(tmp_path / "pbs"), tmp_path / "pbs/jobs"
    (project / "other.yaml").write_text("run: other\n")
    # asked for its jobs more often than is polite
    profile = (
        "--workflow-profile", "profiles/generic", "--latency-wait", "5", "--seconds-between-status-checks", "1",
    )  # fmt: skip
    command = [sys.executable, "-m", "snakemake", "degradation", *profile, "--configfile", TINY, "other.yaml"]

    def again() -> subprocess.CompletedProcess:
        return subprocess.run(
            command, cwd=project, env=environment, text=True, capture_output=True, timeout=600, check=False
        )

    first = subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 600
    while not list((project / ".snakemake/hlf_sent").glob("*")):
        assert first.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    first.kill()
    first.wait(30)
    refused = again()
    assert refused.returncode == 1
    assert (
        "1 (prepare_images, running); two runs would write" in refused.stderr and "end them: qdel 1" in refused.stderr
    )
    plain = snakemake(project, "--cores", "1", "degradation", configs=(TINY, "other.yaml"))
    assert "jobs of an earlier run were sent to a cluster and not seen to end (1); start with" in plain
    (sent.parent / "go").touch()
    while not (sent / "1").read_text():
        assert time.monotonic() < end
        time.sleep(0.1)
    done = again()
    assert done.returncode == 0, done.stderr[-4000:]
    assert (project / "results/other/degradation/lr.parquet").is_file()
    assert not list((project / ".snakemake/hlf_sent").iterdir())
    # prepare_images ended well by itself and counts, degrade was sent, tables are joined here
    assert {path.name: path.read_text().strip() for path in sent.iterdir()} == {"1": "0", "2": "0"}


@pytest.mark.parametrize(
    ("told", "code", "word"),
    [("job_state = R", 0, "running"), ("job_state = F\n Exit_status = 0", 0, "success"), ("", 153, "failed"),
     ("job_state = F\n Exit_status = 271", 0, "failed"), ("cannot connect to server", 255, "running")],
)  # fmt: skip
def test_a_scheduler_that_does_not_answer_ends_no_job(tmp_path: Path, told: str, code: int, word: str) -> None:
    script = ROOT / "profiles/generic/status.sh"
    assert script.stat().st_mode & stat.S_IXUSR
    (tmp_path / "qstat").write_text(f"#!/bin/sh\nprintf '%b' '{told!r}'\nexit {code}\n".replace("''", "'"))
    (tmp_path / "qstat").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert (
        subprocess.run([script, "7"], env=environment, text=True, capture_output=True, check=True).stdout == f"{word}\n"
    )
