"""provenance.json: what it tells of code, weights, machines and time, and that it is true."""

import hashlib
import json
import logging
import platform
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

import hlf_job
from hlf import config as hlf_config
from hlf import machine
from hlf.costs.benchmarks import gpu_file, read_benchmarks
from hlf.files import read_json, sha256
from hlf.provenance import git_state, job_notes, rules, used_entries, weights
from hlf.versions import package_versions
from workflow_helpers import ROOT, TINY, result_bytes

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run([*GIT, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "outer" / "project"
    (folder / "rules").mkdir(parents=True)
    git(folder.parent, "init", "-q")
    (folder / "Snakefile").write_text("rule a:\n")
    (folder / "rules/b c.smk").write_text("rule b:\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def test_a_clean_and_a_changed_checkout(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    (checkout / "own.yaml").write_text("untracked overlays are no change of the code\n")
    assert git_state(checkout) == {"commit": commit, "changed": []}
    (checkout / "rules/b c.smk").write_text("rule b: output\n")
    (checkout / "Snakefile").write_text("rule a: output\n")
    git(checkout, "add", "Snakefile")
    state = git_state(checkout)
    assert state == {"commit": commit, "changed": ["Snakefile", "rules/b c.smk"]}


def test_no_checkout_is_told_in_a_sentence(tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").mkdir()
    assert git_state(tmp_path / "plain")["commit"] is None
    # a copy inside somebody's repository: its commit says nothing of this code
    (checkout.parent / "copy").mkdir()
    (checkout.parent / "copy/Snakefile").write_text("rule a:\n")
    state = git_state(checkout.parent / "copy")
    assert state["commit"] is None and state["why"].startswith("the commit is not known: copy/ is no checkout")
    monkeypatch.setenv("PATH", str(tmp_path))  # no git
    assert git_state(checkout)["commit"] is None


def test_every_entry_that_a_run_reads_is_found() -> None:
    mini, paper = (hlf_config.load(ROOT, overlays) for overlays in ([], ["config.paper.yaml"]))
    entries = used_entries(hlf_config.shown(mini))
    assert {("mini", name) for name in ("reader", "seesr", "sd-base", "ram", "coca", "vit", "koniqpp", "clip")} <= set(
        entries
    )
    official = {name for zoo, name in used_entries(hlf_config.shown(paper)) if zoo == "official"}
    assert official == {name for _, name in used_entries(hlf_config.shown(paper))}  # no reader: there are no scenes
    assert {"bsrgan", "swinir", "stablesr", "seesr", "pasd", "sd15", "sd-base", "ram", "dape", "coca"} <= official
    assert {"vit", "clip", "blip", "dinov2", "pe-core", "joint-detector", "afine", "lpips"} <= official
    paper["sr"]["models"], paper["tuning"]["variants"] = ["swinir"], []
    paper["sr"]["swinir"], paper["metric"]["variants"] = {"variant": "L"}, {"pe-core": "B"}
    fewer = {name for _, name in used_entries(paper)}
    assert "seesr" not in fewer and {"swinir-l", "pe-core-b"} <= fewer and not {"swinir", "pe-core"} & fewer


def test_weight_files_are_hashed_once_and_a_missing_one_is_told(tmp_path: Path) -> None:
    config = hlf_config.shown(hlf_config.load(ROOT, [ROOT / TINY]))
    config["sr"]["models"], config["tuning"]["variants"] = ["bsrgan"], []
    zoo, cache = tmp_path / "zoo", tmp_path / "cache.json"
    (zoo / "bsrgan").mkdir(parents=True)
    (zoo / "bsrgan/config.json").write_text("{}")
    rows = {row["file"]: row for row in weights(config, {"mini": zoo}, cache)}
    told = rows["bsrgan/config.json"]
    assert told["sha256"] == hashlib.sha256(b"{}").hexdigest() and told["bytes"] == 2
    assert told["licence"] == "Apache-2.0" and "train_zoo" in told["source"]
    assert rows["bsrgan/model.safetensors"]["sha256"] == "" and rows["bsrgan/model.safetensors"]["bytes"] is None
    known = read_json(cache)
    cache.write_text(json.dumps(dict.fromkeys(known, "remembered")))
    assert {r["sha256"] for r in weights(config, {"mini": zoo}, cache)} == {"remembered", ""}


def test_sums_and_maxima_of_rules() -> None:
    table = pd.DataFrame(
        {
            "step": ["a", "a", "b"], "model": ["x", "x", ""], "seconds": [1.5, 2.0, 4.0],
            "max_rss_mb": [10.0, 30.0, float("nan")], "gpu_mb": [float("nan"), 7.0, float("nan")],
        }
    )  # fmt: skip
    assert rules(table) == [
        {"rule": "a", "model": "x", "jobs": 2, "seconds": 3.5, "longest": 2.0, "max_rss_mb": 30.0, "gpu_mb": 7.0},
        {"rule": "b", "model": "", "jobs": 1, "seconds": 4.0, "longest": 4.0, "max_rss_mb": None, "gpu_mb": None},
    ]


def test_facts_of_this_machine() -> None:
    facts = machine.machine()
    assert facts["host"] == platform.node() and facts["cores"] >= 1 and facts["memory_mb"] > 500 and facts["cpu"]
    assert "gpus" not in facts or facts["gpus"]
    held = bytearray(64 * machine.MB)
    assert machine.peak_memory() > 64 and len(held) > 0
    assert package_versions(["pandas", "no-such"]) == {"pandas": pd.__version__, "no-such": "not installed"}


class Cuda(SimpleNamespace):
    """Stands in for torch with a GPU of which this process has used two cards."""

    def is_initialized(self) -> bool:
        return True

    def device_count(self) -> int:
        return 2

    def max_memory_reserved(self, card: int) -> int:
        return (card + 1) * 100 * machine.MB

    def get_device_properties(self, card: int) -> SimpleNamespace:
        return SimpleNamespace(name=f"Card {card}", total_memory=80 * 1024 * machine.MB)


def test_what_a_job_took_of_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch = SimpleNamespace(cuda=Cuda(), version=SimpleNamespace(cuda="13.2"))
    monkeypatch.setattr(machine, "_used_cuda", lambda: torch)
    assert machine.peak_gpu_memory() == 200
    facts = machine.machine()
    assert [card["name"] for card in facts["gpus"]] == ["Card 0", "Card 1"] and facts["gpus"][0]["memory_mb"] == 81920
    monkeypatch.chdir(tmp_path)
    hlf_job._note(job("super_resolve/seesr/000"), 3.0)
    note = read_json(Path("results/tiny/benchmarks/super_resolve/seesr/000.json"))
    assert (note["device"], note["gpu_mb"], note["seconds"]) == ("cuda", 200.0, 3.0)


def job(name: str, gpu: int = 0) -> SimpleNamespace:
    """What Snakemake gives a script, as far as the note of a job needs it."""
    log = [f"results/tiny/logs/{name}.log"]
    return SimpleNamespace(config={"run": "tiny"}, log=log, resources={"gpu": gpu}, threads=1)


def test_the_note_of_a_job_and_its_reader_agree(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(machine, "_used_cuda", lambda: None)
    monkeypatch.chdir(tmp_path)
    folder = Path("results/tiny/benchmarks")
    for name, gpu in (("finetune_sr/seesr-hlf0.1", 1), ("table2", 0)):
        hlf_job._note(job(name, gpu), 2.5)
        (folder / f"{name}.tsv").write_text("s\tmax_rss\tcpu_time\n2.5\t9\t1\n")
    notes, table = job_notes(folder), read_benchmarks(folder).set_index("step")
    assert set(notes) == {"finetune_sr/seesr-hlf0.1", "table2"}
    assert table.loc["table2", "gpu_mb"] == 0
    # its helpers used the GPU, and it does not know how much
    assert pd.isna(table.loc["finetune_sr", "gpu_mb"]) and notes["finetune_sr/seesr-hlf0.1"]["gpu_mb"] is None
    assert not caplog.records
    gpu_file(folder / "table2.tsv").write_text("{")
    assert set(job_notes(folder)) == {"finetune_sr/seesr-hlf0.1"}


def test_a_job_does_not_fail_for_its_note(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("results/tiny").mkdir(parents=True)
    Path("results/tiny/benchmarks").write_text("no folder")
    with caplog.at_level(logging.WARNING):
        hlf_job._note(job("table2"), 1.0)
    assert "are not noted" in caplog.text


@pytest.mark.workflow
def test_provenance_of_a_finished_run(kept: Path) -> None:
    found, results = read_json(kept / "results/tiny/provenance.json"), kept / "results/tiny"
    assert found["run"] == "tiny" and found["stamp"].startswith("MINI models, SIMULATED votes")
    assert found["code"]["commit"] is None and "no checkout" in found["code"]["why"]  # a copy in a temporary folder
    assert found["config"] == hlf_config.shown(hlf_config.load(kept, [kept / TINY]))
    assert found["config_hash"] in (results / "report.html").read_text()
    assert found["packages"] == package_versions() and platform.python_version() in found["python"]
    for row in found["weights"]:
        assert row["sha256"] == sha256(kept / "resources/zoo/mini" / row["file"]) and row["licence"]
    assert {"seesr", "reader", "ram", "lpips"} <= {row["entry"] for row in found["weights"]}
    assert found["tables"]["table2.csv"] == sha256(results / "tables/table2.csv")
    assert "provenance.json" not in result_bytes(kept)  # it tells times, so no two runs have the same


@pytest.mark.workflow
def test_time_and_memory_of_every_job_are_told(kept: Path) -> None:
    found, folder = read_json(kept / "results/tiny/provenance.json"), kept / "results/tiny/benchmarks"
    # jobs that ended after it was written, or before, are not in it
    late = {"write_provenance", "complete"}
    files = {p.relative_to(folder).as_posix().removesuffix(".tsv") for p in folder.rglob("*.tsv")}
    jobs = {row["job"]: row for row in found["jobs"]}
    early = {name for name in files - late if not name.startswith("release_")}
    assert early <= set(jobs) and {"super_resolve/seesr/000", "finetune_sr/seesr-hlf0.1"} <= set(jobs)
    hosts = {m["host"] for m in found["machines"]}
    for row in jobs.values():
        assert row["device"] == "cpu" and row["gpu_mb"] == 0 and row["max_rss_mb"] > 30 and row["host"] in hosts
    assert jobs["finetune_metric/dinov2"]["max_rss_mb"] > 200  # torch and a training
    table = read_benchmarks(folder)
    sums = {(r["rule"], r["model"]): r["seconds"] for r in found["rules"]}
    own = table[(table["step"] == "super_resolve") & (table["model"] == "seesr")]["seconds"].sum()
    assert sums["super_resolve", "seesr"] == pytest.approx(own, abs=0.01) and own > 0
