"""`hlf plan`: what a dry run names, what it would cost, and the wall time of jobs that share a machine."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlf import config as hlf_config
from hlf.cli import main, plan_text
from hlf.cli.plan import dry_run
from hlf.costs import jobs as division
from hlf.costs import units
from hlf.costs.counts import SMALL, SMALL_STEPS, STEPS, counts
from hlf.costs.plan import Plan, plan
from hlf.costs.schedule import Job, jobs_of, wall_seconds
from hlf.errors import HlfError
from workflow_helpers import ROOT, TINY, copy_project, planned, snakemake

UNITS = """
official:
  - device: card
    command: bench
    steps:
      super_resolve/seesr: {item: SR image, seconds: 2, start: 30, mem_mb: 9000, gpu_mb: 20000, disk_kb: 400}
      super_resolve/pasd: {item: SR image, seconds: 4, start: 40, mem_mb: 9000, gpu_mb: 30000, disk_kb: 400}
      finetune_sr: {item: image x epoch, seconds: 0.1, start: 100, mem_mb: 9000, gpu_mb: 70000, disk_kb: 0,
                    job_kb: 7.0e+6, work_mb: 20000}
  - device: cores
    command: bench
    steps:
      degrade: {item: LR image, seconds: 0.5, start: 3, mem_mb: 900, gpu_mb: 0, disk_kb: 25}
      small jobs: {item: job, seconds: 6, start: 0, mem_mb: 800, gpu_mb: 0, disk_kb: 1000}
      table2: {item: job, seconds: 60, start: 0, mem_mb: 700, gpu_mb: 0, disk_kb: 10}
"""


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "measured.yaml"
    path.write_text(UNITS)
    monkeypatch.setattr(units, "MEASURED", path)
    units.units.cache_clear()
    yield
    units.units.cache_clear()


@pytest.fixture
def paper() -> dict:
    return hlf_config.load(ROOT, [ROOT / "config.paper.yaml"])


def job(step: str, model: str = "", shard: str = "", gpus: int = 0) -> Job:
    return Job(step, model, shard, (), (f"{step}{model}{shard}",), 1, gpus)


def test_hours_are_starts_and_items_of_the_jobs_that_are_left(measured: None, paper: dict) -> None:
    shards = division.jobs(paper, "super_resolve", "seesr")
    left = [job("super_resolve", "seesr", f"{i:03d}", 1) for i in range(shards // 2)]
    found = plan(paper, [*left, job("degrade", "", "000"), job("table2"), job("figure4"), job("figure5")], 4, 1)
    lines = {(line.step, line.model): line for line in found.lines}
    line = lines["super_resolve", "seesr"]
    items = math.ceil(9_073 * 3 * len(left) / shards)
    assert (line.jobs, line.items, line.item) == (len(left), items, "SR image")
    assert line.gpu_hours * 3600 == pytest.approx(30 * len(left) + 2 * items) and line.cpu_hours == 0
    assert line.disk_gb == pytest.approx(items * 400 / 1e6)
    line, parts = lines["degrade", ""], division.jobs(paper, "degrade")
    assert line.items == math.ceil(10_073 * 3 / parts) and line.gpu_hours == 0
    assert line.cpu_hours * 3600 == pytest.approx(3 + 0.5 * line.items)
    # a small job with a unit of its own has its own line
    assert (lines["table2", ""].hours * 3600, lines[SMALL, ""].hours * 3600) == pytest.approx((60, 12))
    assert found.total("cpu_hours") == pytest.approx(lines["degrade", ""].hours + (60 + 12) / 3600)
    assert (found.largest("mem_mb"), found.largest("gpu_mb")) == (9000, 20000)
    assert found.machines == ["card", "cores"] and not found.unmeasured


def test_a_slower_machine_takes_longer_and_needs_no_more_memory(measured: None, paper: dict) -> None:
    jobs = [job("degrade", "", "000"), job("finetune_sr", "seesr-hlf0.1", gpus=1)]
    usual = plan(paper, jobs, 2, 1)
    slow = plan({**paper, "resources": {**paper["resources"], "slowness": 3.0}}, jobs, 2, 1)
    assert slow.total("hours") == pytest.approx(3 * usual.total("hours"))
    assert slow.wall_hours == pytest.approx(3 * usual.wall_hours)
    assert slow.total("disk_gb") == usual.total("disk_gb") and slow.largest("mem_mb") == usual.largest("mem_mb")


def test_what_was_not_measured_is_named_and_never_zero(measured: None, paper: dict) -> None:
    found = plan(paper, [job("degrade", "", "000"), job("probe_metric", gpus=1)], 2, 1)
    unknown = found.unmeasured[0]
    assert unknown.step == "probe_metric" and all(math.isnan(getattr(unknown, n)) for n in ("hours", "gpu_hours"))
    text = plan_text.as_text(found, about())
    line = next(line for line in text.splitlines() if line.startswith("probe_metric"))
    assert line.endswith("not measured") and "3,600" in line
    assert "not measured: probe_metric: in no sum above" in text
    written = plan_text.as_json(found, about())
    assert written["lines"][1]["gpu_hours"] is None and written["lines"][1]["unit"] is None
    assert json.loads(json.dumps(written))["total"]["jobs"] == 2


def test_a_rule_that_nobody_measured_is_no_small_job(measured: None, paper: dict) -> None:
    found = plan(paper, [job("train_ram"), job("train_vae"), job("figure4")], 2, 1)
    assert [(line.step, line.unit is None) for line in found.lines] == [
        (SMALL, False),
        ("train_ram", True),
        ("train_vae", True),
    ]
    assert "not measured: train_ram, train_vae: in no sum above" in plan_text.as_text(found, about())


def test_fine_tuning_on_several_gpus_takes_the_same_gpu_hours_in_less_time(measured: None, paper: dict) -> None:
    one = plan(paper, [job("finetune_sr", "seesr-hlf0.1", gpus=1)], 8, 4)
    four = plan(paper, [job("finetune_sr", "seesr-hlf0.1", gpus=4)], 8, 4)
    items = 649_920
    assert one.total("gpu_hours") * 3600 == four.total("gpu_hours") * 3600 == pytest.approx(100 + 0.1 * items)
    assert four.wall_hours * 3600 == pytest.approx(100 + 0.1 * items / 4)
    assert (four.total("disk_gb"), four.work_gb) == (7.0, 20.0)
    short = plan(paper, [job("finetune_sr", "seesr-hlf0.1", gpus=4)], 8, 1)
    assert "one job asks for 4, so it needs at least --gpus 4" in plan_text.as_text(short, about())
    # as many checkpoints lie there as fine-tunings run at once
    both = [job("finetune_sr", name, gpus=1) for name in ("seesr-hlf0.1", "seesr-hlf0.01")]
    assert [plan(paper, both, 8, gpus).work_gb for gpus in (1, 2, 4)] == [20.0, 40.0, 40.0]


def about(**more: object) -> dict:
    usual = {"run": "r", "zoo": "official", "device": "cuda", "targets": ["all"], "price": None, "free_gb": 1e4}
    return {**usual, "missing": [], **more}


def test_text_tells_price_disk_and_what_is_missing_below_columns_that_align(measured: None, paper: dict) -> None:
    models = [job("super_resolve", model, "000", 1) for model in ("seesr", "pasd")]
    found = plan(paper, [*models, job("degrade", "", "000"), job("table2"), job("finetune_sr", "seesr-hlf0.1")], 32, 4)
    text = plan_text.as_text(found, about(price=2.5, free_gb=20.0, missing=["photographs: data/x does not exist"]))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 120 and len(lines) <= 40
    head, rule = lines[2], lines[3]
    assert set(rule) == {"-"} and lines[2:].index(rule, 3) > 0
    edge = head.index("GPU h") + len("GPU h")
    numbers = [line[:edge].split()[-1] for line in lines[4:] if line.startswith(("super_resolve", "total"))]
    assert all(line[edge : edge + 2] == "  " for line in lines[4:] if line.startswith("super_resolve"))
    assert float(numbers[-1].replace(",", "")) == pytest.approx(found.total("gpu_hours"), rel=0.05)
    assert f"{found.total('gpu_hours') * 2.5:,.2f} for" in text and "NOT ENOUGH" in text
    assert "checkpoints on the way" in text and "missing:      photographs: data/x does not exist" in text
    assert "measured on:  card; cores" in text and "with 4 GPUs and 32 cores" in text
    assert "NOT ENOUGH" not in plan_text.as_text(found, about())
    assert plan_text.as_text(replace(found, lines=[]), about()).endswith("nothing is left to do.")


def test_wall_time_follows_chains_and_places() -> None:
    def step(name: str, *needs: str, threads: int = 1, gpus: int = 0) -> Job:
        return Job(name, "", "", needs, (name,), threads, gpus)

    chain = [step("a", "there"), step("b", "a"), step("c", "b")]
    assert wall_seconds(chain, [1, 2, 4], 8, 8) == 7
    many = [step(str(i)) for i in range(10)]
    assert (wall_seconds(many, [3] * 10, 1, 0), wall_seconds(many, [3] * 10, 4, 0)) == (30, 9)
    cards = [step(str(i), gpus=1) for i in range(4)]
    assert [wall_seconds(cards, [5] * 4, 8, gpus) for gpus in (1, 2, 4)] == [20, 10, 5]
    # a job that wants more than there is gets all
    assert wall_seconds([step("wide", threads=9), step("thin")], [2, 2], 4, 0) == 4
    # the long chain begins first: three short jobs fit beside it
    mixed = [step("x"), step("y"), step("z"), step("long1"), step("long2", "long1")]
    assert wall_seconds(mixed, [2, 2, 2, 3, 3], 2, 0) == 6
    assert wall_seconds([], [], 1, 1) == 0


@given(
    st.lists(st.tuples(st.integers(0, 20), st.lists(st.integers(0, 30), max_size=3)), min_size=1, max_size=25),
    st.integers(1, 5),
)
def test_wall_time_keeps_the_bounds_of_list_scheduling(jobs: list[tuple[int, list[int]]], cores: int) -> None:
    seconds = [float(length) for length, _ in jobs]
    made = [
        Job("s", "", "", tuple(str(n) for n in needs if n < i), (str(i),), 1, 0) for i, (_, needs) in enumerate(jobs)
    ]
    ends: list[float] = []  # of each job when nothing ever waits for a core
    for (length, needs), index in zip(jobs, range(len(jobs)), strict=True):
        ends.append(length + max((ends[n] for n in needs if n < index), default=0.0))
    found = wall_seconds(made, seconds, cores, 0)
    least = max(max(ends), sum(seconds) / cores)
    assert least - 1e-9 <= found <= sum(seconds) / cores + max(ends) + 1e-9  # Graham 1966
    assert wall_seconds(made, seconds, len(jobs), 0) == pytest.approx(max(ends))
    assert wall_seconds(made, seconds, 1, 0) == pytest.approx(sum(seconds))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("plan") / "project")


def planned_json(project: Path, capsys: pytest.CaptureFixture, *arguments: str) -> dict:
    assert main(["plan", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.workflow
def test_plan_of_a_fresh_half_done_and_done_run(project: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(project)
    config = hlf_config.load(project, [TINY])
    expected = planned(project)
    found = planned_json(project, capsys, "--configfile", TINY)
    steps: dict[str, int] = {}
    for line in found["lines"]:
        steps[line["step"]] = steps.get(line["step"], 0) + line["jobs"]
    assert found["total"]["jobs"] == sum(expected.values())
    assert {name: jobs for name, jobs in steps.items() if name in STEPS} == {
        name: jobs for name, jobs in expected.items() if name in STEPS
    }
    assert set(expected) <= set(STEPS) | SMALL_STEPS, "a new rule belongs into STEPS or SMALL_STEPS"
    # nothing is there, so everything that is counted is still to be made, in the jobs that the configuration names
    for count in counts(config):
        line = next(x for x in found["lines"] if (x["step"], x["model"]) == (count.step, count.model))
        assert (line["items"], line["jobs"]) == (count.items, division.jobs(config, count.step, count.model))
    assert found["missing"] == [] and found["total"]["cpu_hours"] > 0 and found["zoo"] == "mini"
    assert not (project / "results").exists(), "a plan makes nothing"

    half = planned_json(project, capsys, "degradation", "--configfile", TINY)
    assert [line["step"] for line in half["lines"]] == ["prepare_images", "degrade", SMALL]
    assert snakemake(project, "--cores", "2", "degradation").endswith("exit code 0")
    assert main(["plan", "degradation", "--configfile", TINY]) == 0
    assert capsys.readouterr().out.strip().endswith("degradation: nothing is left to do.")
    rest = planned_json(project, capsys, "--configfile", TINY)
    assert rest["total"]["jobs"] == found["total"]["jobs"] - half["total"]["jobs"]
    assert {line["step"] for line in found["lines"]} - {line["step"] for line in rest["lines"]} == {
        "prepare_images",
        "degrade",
    }


@pytest.mark.workflow
def test_plan_of_the_paper_where_no_data_is(project: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(project)
    assert main(["plan", "--configfile", "config.paper.yaml", "--gpus", "4", "--gpu-hour-price", "2"]) == 0
    text = capsys.readouterr().out
    for said in (
        "data/koniq10k/",
        "data/coco/",
        "data/votes.csv",
        "checkpoints are missing",
        "with 4 GPUs",
        "GPU cost",
    ):
        assert said in text, said
    assert "27,219  SR images" in text and "NVIDIA" in text and max(map(len, text.splitlines())) <= 160
    assert main(["plan", "sampling", "--configfile", "config.paper.yaml"]) == 0
    text = capsys.readouterr().out
    assert "data/koniq10k/" in text and "data/coco/" not in text and "data/votes.csv" not in text
    # every job that notes its time notes it where the reader finds it
    jobs = dry_run(project, [], [project / "config.paper.yaml"])
    strangers = {(j.step, j.model) for j in jobs if j.step in STEPS} - {
        (count.step, count.model) for count in counts(hlf_config.load(project, [project / "config.paper.yaml"]))
    }
    assert strangers == set() and len(jobs) > 300


@pytest.mark.workflow
def test_plan_refuses_in_a_sentence(project: Path, monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.chdir(project)
    assert main(["plan", "no_such_rule"]) == 2
    said = capsys.readouterr().err
    assert "snakemake refuses to plan" in said and "no_such_rule" in said and said.count("\n") == 1
    (project / "wrong.yaml").write_text("sr: {modles: [bsrgan]}\n")
    assert main(["plan", "--configfile", "wrong.yaml"]) == 2
    assert "unknown key modles in sr" in capsys.readouterr().err
    for wrong in (["--cores", "0"], ["--gpus", "-1"], ["--gpu-hour-price", "free"]):
        with pytest.raises(SystemExit):
            main(["plan", *wrong])
        assert "expected a" in capsys.readouterr().err


def test_plan_without_workflow_or_snakemake_says_what_to_do(tmp_path: Path, monkeypatch, capsys) -> None:
    from hlf.cli import options
    from hlf.cli import plan as command

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(options, "__file__", str(tmp_path / "a/b/c/options.py"))
    assert main(["plan"]) == 2 and "holds no Snakefile" in capsys.readouterr().err
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    with pytest.raises(HlfError, match="needs package snakemake"):
        dry_run(ROOT, [], [])


def test_jobs_are_named_by_their_benchmark_files() -> None:
    record = {"input": ["a"], "output": ["b"], "threads": 2, "gpus": 1}
    found = jobs_of(
        [
            {**record, "benchmark": "results/r/benchmarks/super_resolve/pasd/063.tsv"},
            {**record, "benchmark": "/far/results/r/benchmarks/finetune_sr/seesr-hlf0.1.tsv"},
            {**record, "benchmark": ""},  # a target that only names others
        ]
    )
    assert [(j.step, j.model, j.shard) for j in found] == [
        ("super_resolve", "pasd", "063"),
        ("finetune_sr", "seesr-hlf0.1", ""),
    ]
    assert found[0] == Job("super_resolve", "pasd", "063", ("a",), ("b",), 2, 1)


def test_a_plan_holds_no_line_twice(measured: None, paper: dict) -> None:
    found: Plan = plan(paper, [job(c.step, c.model) for c in counts(paper)] * 2, 4, 1)
    places = [(line.step, line.model) for line in found.lines]
    assert len(places) == len(set(places)) and all(line.jobs == 2 for line in found.lines)
