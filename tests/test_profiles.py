"""Profiles, and what jobs ask for: partitions, GPUs, memory and minutes by model, shards."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.profiles import ProfileConfigFileParser

from hlf.config import load
from hlf.costs import jobs
from hlf.costs.counts import STEPS
from hlf.costs.units import units
from hlf.errors import HlfError
from workflow_helpers import ROOT, copy_project, planned

PAPER = load(ROOT, [ROOT / "config.paper.yaml"])
MINI = load(ROOT)
# minutes that a job of a divided step may last on the machine that was measured
LEAST, MOST = 15, 75


def rules() -> dict[str, str]:
    """Text of each rule with a script."""
    found = {}
    for path in sorted((ROOT / "rules").glob("*.smk")):
        for name, block in re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", path.read_text(), re.MULTILINE | re.DOTALL):
            if "script:" in block:
                found[name] = block
    return found


def local_rules() -> set[str]:
    texts = [path.read_text() for path in (ROOT / "rules").glob("*.smk")]
    lists = [found for text in texts for found in re.findall(r"^localrules:\n((?:    \w+,\n)+)", text, re.MULTILINE)]
    return {name.strip(" ,") for text in lists for name in text.splitlines()}


def profile(name: str, path: Path | None = None) -> dict:
    with (path or ROOT / f"profiles/{name}/profile.yaml").open() as stream:
        return dict(ProfileConfigFileParser().parse(stream))


def asking(config: dict) -> SimpleNamespace:
    """Functions of rules/resources.smk, for a configuration."""
    names = {
        "config": config,
        "HlfError": HlfError,
        "temp": lambda path: f"temp {path}",
        "gpus": lambda: 0 if config["resources"]["device"] == "cpu" else 1,
    }
    exec(compile((ROOT / "rules/resources.smk").read_text(), "resources.smk", "exec"), names)
    return SimpleNamespace(**{name: value for name, value in names.items() if not name.startswith("__")})


def wildcards(**names):
    class Named(dict):
        __getattr__ = dict.__getitem__

    return Named(names)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    return copy_project(tmp_path_factory.mktemp("profiles") / "project")


# ---- rules and profiles


def test_rules_without_networks_are_made_by_snakemake_itself_and_no_others() -> None:
    found = rules()
    assert len(found) > 50
    light = {name for name, text in found.items() if "envs/torch.yaml" not in text}
    assert local_rules() == light
    assert [name for name in light if "gpu=0," not in found[name]] == []


def test_the_profile_knows_the_rules_that_ask_for_gpus() -> None:
    text = (ROOT / "profiles/slurm/profile.yaml").read_text()
    told = yaml.safe_load(text)["__variables__"]["gpu_rules"]
    assert sorted(told) == sorted(name for name, block in rules().items() if "gpu=0," not in block)


@pytest.mark.parametrize("name", ["default", "slurm", "generic"])
def test_profiles_share_what_a_resumed_run_needs(name: str) -> None:
    found = profile(name)
    assert found["rerun-triggers"] == ["mtime", "params", "input", "software-env"]
    assert found["scheduler"] == "greedy" and found["keep-going"] == found["rerun-incomplete"] == "True"
    if name != "default":
        # a cluster tries again with more memory in a new job; on one machine a second try fails as the first did
        assert found["retries"] == "1" and "resources" not in found
        assert {"mem_mb=2000", "runtime=60"} <= set(found["default-resources"])


def test_account_and_type_of_gpu_are_words_of_one_file(tmp_path: Path) -> None:
    found = profile("slurm")
    assert "set-resources" not in found and not [x for x in found["default-resources"] if "account" in x]
    text = (ROOT / "profiles/slurm/profile.yaml").read_text()
    path = tmp_path / "profile.yaml"
    path.write_text(text.replace('account: ""', "account: lab-1").replace('gpu_model: ""', "gpu_model: a100"))
    found = profile("slurm", path)
    assert "slurm_account='lab-1'" in found["default-resources"]
    assert "super_resolve:gpu_model='a100'" in found["set-resources"]
    assert len(found["set-resources"]) == len(yaml.safe_load(text)["__variables__"]["gpu_rules"])


def test_jobs_go_to_the_partition_that_takes_them(tmp_path: Path) -> None:
    from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file

    def goes(file: Path, **resources) -> str | None:
        job = SimpleNamespace(name="a", threads=resources.pop("threads", 1), resources=resources)
        quiet = SimpleNamespace(debug=lambda _: None, info=lambda _: None, warning=lambda _: None)
        return get_best_partition(read_partition_file(file), job, quiet)

    shipped = ROOT / "profiles/slurm/partitions.yaml"
    assert goes(shipped, mem_mb=2000, runtime=60, gpu=0, nodes=1) == "cpu"
    assert goes(shipped, mem_mb=9500, runtime=111, gpu=1, nodes=1) == "gpu"
    assert goes(shipped, mem_mb=100000, runtime=3200, gpu=4, nodes=1, threads=36) == "gpu"
    own = tmp_path / "partitions.yaml"
    own.write_text(
        "partitions:\n  batch: {max_runtime: 1d}\n  short: {max_runtime: 8h, max_gpu: 2}\n"
        "  long: {max_runtime: 7d, max_gpu: 8}\n"
    )
    assert goes(own, mem_mb=2000, runtime=60, gpu=0) == "batch"
    assert goes(own, mem_mb=2000, runtime=111, gpu=1) == "short"
    assert goes(own, mem_mb=2000, runtime=3200, gpu=1) == goes(own, mem_mb=2000, runtime=60, gpu=4) == "long"
    assert goes(own, mem_mb=2000, runtime=3200, gpu=0) == "long" and goes(own, mem_mb=1, runtime=1, gpu=9) is None


# ---- memory and minutes


def test_memory_and_minutes_are_those_measured_with_room() -> None:
    found, cost = asking(PAPER), units("official")["super_resolve", "stablesr"]
    of = wildcards(model="stablesr")
    mb, minutes = found.memory("super_resolve", "model"), found.minutes("super_resolve", "model")
    assert 1.25 * cost.mem_mb <= mb(of, 1) - 500 < 1.25 * cost.mem_mb + 500 and mb(of, 2) == 2 * mb(of, 1)
    items = -(-PAPER["images"]["dataset"] * 3 // jobs.shards(PAPER, "sr", "stablesr"))
    assert abs(minutes(of) * 60 - 2 * (cost.start + items * cost.seconds)) < 61
    variant = wildcards(variant="seesr-hlf0.1")
    slow = asking({**PAPER, "resources": {**PAPER["resources"], "slowness": 3.0}})
    assert abs(slow.minutes("super_resolve", "model")(of) - 3 * minutes(of)) < 3
    short = asking({**PAPER, "resources": {**PAPER["resources"], "most_minutes": 60}})
    assert short.minutes("super_resolve", "model")(of) == short.minutes("finetune_sr", "variant")(variant) == 60
    # a process of its own for each GPU
    two = asking({**PAPER, "tuning": {**PAPER["tuning"], "processes": 2}})
    assert two.finetune_sr_memory(variant, 1) == 2 * found.finetune_sr_memory(variant, 1)
    assert two.minutes("finetune_sr", "variant")(variant) < 0.6 * found.minutes("finetune_sr", "variant")(variant)


def test_what_was_not_measured_stands_in_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_):
        raise HlfError("never measured")

    monkeypatch.setattr(jobs, "unit", unknown)
    found = asking(PAPER)
    of = wildcards(model="pasd")
    assert found.memory("super_resolve", "model")(of, 2) == 2 * found.UNMEASURED["super_resolve"][0]
    assert found.minutes("super_resolve", "model")(of) == found.UNMEASURED["super_resolve"][1]
    used = {step for block in rules().values() for step in re.findall(r"(?:memory|minutes)\(\"(\w+)\"", block)}
    assert used | {"finetune_sr"} == set(found.UNMEASURED) and used <= set(STEPS)


def test_gpus_are_asked_for_by_jobs_that_use_one() -> None:
    found = asking(PAPER)
    assert found.model_gpus(wildcards(model="bsrgan")) == 1 and found.model_gpus(wildcards(model="bicubic")) == 0
    assert found.fold_gpus(wildcards(backbone="clip")) == 1 and found.fold_gpus(wildcards(backbone="vit")) == 0
    assert asking(MINI).model_gpus(wildcards(model="bsrgan")) == 0


# ---- shards


def test_shards_are_a_number_or_one_for_each_model() -> None:
    assert jobs.shards(MINI, "sr", "pasd") == jobs.jobs(MINI, "super_resolve", "pasd") == 2
    given = {**MINI, "sr": {**MINI["sr"], "shards": {"pasd": 7, "default": 3}}}
    assert [jobs.jobs(given, "super_resolve", name) for name in ("pasd", "seesr", "bicubic")] == [7, 3, 3]
    assert jobs.jobs(given, "finetune_metric", "clip") == 1 and jobs.shards(given, "iqa") == 2


def test_jobs_at_the_papers_scale_last_as_long_as_a_cluster_likes() -> None:
    told = {}
    for step in jobs.SHARDED:
        for model in STEPS[step].items(PAPER):
            minutes, parts = jobs.seconds(PAPER, step, model) / 60, jobs.jobs(PAPER, step, model)
            told[step, model] = f"{step} {model}: {parts} jobs of {minutes:.0f} min"
            # one job may be shorter
            assert minutes <= MOST and (minutes >= LEAST or parts == 1), told[step, model]
    print("\n" + "\n".join(told.values()))


@pytest.mark.workflow
def test_the_papers_scale_is_some_hundred_jobs(project: Path) -> None:
    found = planned(project, configs=("config.paper.yaml",))
    sr = sum(jobs.jobs(PAPER, "super_resolve", name) for name in (*PAPER["sr"]["models"], *PAPER["sr"]["baselines"]))
    assert found["super_resolve"] == sr
    assert found["upscale_variant"] == 3 * PAPER["tuning"]["shards"] and found["measure_iqa"] == PAPER["iqa"]["shards"]
    here = {name: count for name, count in found.items() if name in local_rules()}
    print(
        f"\n{sum(found.values())} jobs, {sum(found.values()) - sum(here.values())} of them sent to the cluster: {found}"
    )
    assert sum(found.values()) < 1000


@pytest.mark.workflow
@pytest.mark.parametrize("name", ["slurm", "generic"])
def test_a_plan_can_be_shown_with_each_profile(project: Path, name: str) -> None:
    found = planned(project, "degradation", more=("--workflow-profile", f"profiles/{name}"))
    assert found == {"prepare_images": 1, "degrade": 1, "collect_degradation": 1}
