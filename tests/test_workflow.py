"""The chain on the tiny configuration: complete, rerun when and only when needed, refused with one sentence."""

import json
import os
import platform
import re
import shutil
from pathlib import Path

import psutil
import pytest

from hlf.files import read_table
from hlf.study.server import screenshot
from workflow_helpers import RECIPE, TINY, counted, planned, result_bytes, scripts_of_rules, snakemake

pytestmark = pytest.mark.workflow


@pytest.fixture
def edited(done: Path):
    """Edit files of the finished project; they are put back afterwards."""
    before: dict[Path, tuple[bytes, os.stat_result]] = {}

    def edit(name: str, change) -> None:
        path = done / name
        before.setdefault(path, (path.read_bytes(), path.stat()))
        path.write_text(change(path.read_text(encoding="utf8")), encoding="utf8")

    yield edit
    for path, (data, stat) in before.items():
        path.write_bytes(data)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_chain_gives_tables_figures_and_report(done: Path) -> None:
    results = result_bytes(done)
    names = ("table2", "table3", "table4", "table4_changes", "leave_one_out", "calibration", "strata")
    for name in ("findings", "sr_models", "agreement", "observers", *names):
        assert {f"tables/{name}.{kind}" for kind in ("csv", "md", "tex")} <= set(results)
    figures = ("figure1", "figure4", "figure5", "figure6", "figure7", "tuning_curves", "similarity", "examples")
    for name in (*figures, "worst_pairs", "ranking", "reliability", "study_votes"):
        assert {f"figures/{name}.{kind}" for kind in ("pdf", "png")} <= set(results)
    page = results["report.html"].decode()
    assert "MINI models, SIMULATED votes" in page
    assert not re.search(r"(src|href)=[\"']https?:", page)
    assert b"MINI models, SIMULATED votes" in results["tables/table2.md"]
    table = results["tables/table2.csv"].decode().splitlines()
    learned = ["LPIPS (mini)", "A-FINE fidelity term (mini)", "KONIQ++ blur (mini)"]
    assert [row.split(",")[0] for row in table[1:]] == ["PSNR", "SSIM", "VIF", *learned]


def test_baselines_stand_in_their_own_table_and_nowhere_else(done: Path) -> None:
    root = done / "results/tiny"
    assert set(read_table(root / "sr/baselines.parquet")["model"]) == {"bicubic"}
    for name in ("sr/sr.parquet", "sampling/similarity.parquet", "sampling/pairs.csv", "study/scores.csv"):
        assert set(read_table(root / name)["model"]) == set(read_table(root / "sr/sr.parquet")["model"])
        assert "bicubic" not in set(read_table(root / name)["model"])
    table = read_table(root / "tables/sr_models.csv")
    assert (table["model"] == "bicubic (baseline)").sum() == 2 and table["model"].iloc[-1] == "GT"
    assert set(table["images"]) == {3}
    page = (root / "report.html").read_text(encoding="utf8")
    assert 'id="sr_models"' in page and "bicubic (baseline)" in page


def test_leaving_out_the_baselines_makes_only_their_table_anew(done: Path) -> None:
    (done / "none.yaml").write_text("sr: {baselines: []}\n")
    jobs = planned(done, configs=(TINY, "none.yaml"))
    last = {"costs": 1, "write_report": 1, "write_provenance": 1}
    assert jobs == {"collect_baselines": 1, "measure_sr": 1, "sr_models": 1, "findings": 1, **last}
    assert snakemake(done, "--cores", "2", "sr_models", configs=(TINY, "none.yaml")).endswith("exit code 0")
    assert "bicubic" not in (done / "results/tiny/tables/sr_models.csv").read_text()
    assert snakemake(done, "--cores", "2", "all").endswith("exit code 0")


def test_a_new_model_is_a_file_and_a_line_and_makes_only_its_own_images(done: Path, edited) -> None:
    recipe = done / "workflow_scripts/hlf/sr/repeat.py"
    recipe.write_text(RECIPE)
    try:
        edited(
            "workflow_scripts/hlf/sr/registry.py",
            lambda s: s.replace(
                '    "pasd": "hlf.sr.pasd",\n', '    "pasd": "hlf.sr.pasd",\n    "repeat": "hlf.sr.repeat",\n'
            ),
        )
        assert planned(done) == {}
        (done / "new.yaml").write_text("sr: {models: [bsrgan, swinir, repeat], repeat: {gain: 0.5}}\n")
        text = snakemake(done, "-n", "all", configs=(TINY, "new.yaml"))
        assert re.search(r"super_resolve\s+1\b", text) and "with repeat" in text, text
        jobs = planned(done, "sr_models", configs=(TINY, "new.yaml"))
        new = {"super_resolve": 1, "collect_model": 1, "collect_sr": 1, "measure_sr": 1, "sr_models": 1}
        assert jobs == new
        (done / "new.yaml").write_text("sr: {models: [bsrgan, repeat], repeat: {gain: 2}}\n")
        assert "sr.repeat.gain is 2, expected a number from 0 to 1" in snakemake(
            done, "-n", "all", configs=(TINY, "new.yaml")
        )
    finally:
        recipe.unlink()


def test_second_run_does_nothing(done: Path) -> None:
    assert "Nothing to be done" in snakemake(done, "all")  # profiles/default tells how many cores


def test_touching_every_source_reruns_nothing(done: Path) -> None:
    for path in done.rglob("*"):
        if (
            path.suffix in (".py", ".smk", ".yaml", ".json", ".safetensors", ".css", ".j2")
            and "results" not in path.parts
        ):
            path.touch()
    (done / "Snakefile").touch()
    assert planned(done) == {}


def test_comment_and_docstring_rerun_nothing(done: Path, edited) -> None:
    edited("workflow_scripts/hlf/sr/bsrgan.py", lambda s: s.replace('"""', '"""Edited. ', 1) + "\n# a remark\n")
    assert planned(done) == {}


def test_editing_one_sr_module_reruns_that_models_chain(done: Path, edited) -> None:
    edited("workflow_scripts/hlf/sr/bsrgan.py", lambda s: s + "\nEDITED = 1\n")
    text = snakemake(done, "-n", "all")
    assert re.search(r"super_resolve\s+1\b", text), text
    assert "with bsrgan" in text
    assert "with swinir" not in text
    jobs = counted(text)
    assert jobs["collect_model"] == 1
    assert not {"prepare_images", "degrade", "collect_degradation"} & set(jobs)
    assert {"embed_pairs", "sample_pairs", "simulate_votes", "table2", "table3", "write_report"} <= set(jobs)


def test_another_number_of_shards_for_one_model_starts_its_jobs_alone(done: Path) -> None:
    # overlays are joined first and then laid on config.yaml, which names these three
    (done / "shards.yaml").write_text("sr: {shards: {stablesr: 1, seesr: 1, pasd: 3, default: 1}}\n")
    text = snakemake(done, "-n", "all", configs=(TINY, "shards.yaml"))
    assert set(re.findall(r"Upscaling shard (\d+) with (\w+)", text)) == {(f"00{n}", "pasd") for n in range(3)}
    jobs = counted(text)
    assert jobs["super_resolve"] == 3 and jobs["collect_model"] == 1
    assert not {"prepare_images", "degrade", "collect_degradation"} & set(jobs)


def test_editing_a_figure_script_reruns_one_job(done: Path, edited) -> None:
    edited("workflow_scripts/figure4.py", lambda s: s + "\nEDITED = 1\n")
    assert planned(done, "figure4") == {"figure4": 1}
    assert planned(done) == {"figure4": 1, "costs": 1, "write_report": 1, "write_provenance": 1}


def test_cost_sheet_tells_of_every_step_and_votes_alone_make_it_anew(done: Path) -> None:
    sheet = read_table(done / "results/tiny/timing/costs.csv").set_index(["step", "model"])
    run = sheet[sheet["jobs"] > 0]
    assert {"degrade", "super_resolve", "finetune_sr", "evaluate_variant", "small jobs"} <= set(
        run.index.get_level_values(0)
    )
    assert (run["total_seconds"] > 0).all() and (run["cpu_seconds"] > 0).all() and (run["memory_mb"] > 50).all()
    total = run.iloc[-1]
    assert total["jobs"] == run["jobs"][:-1].sum() and total["total_seconds"] > 60
    page = (done / "results/tiny/report.html").read_text(encoding="utf8")
    assert 'id="costs"' in page and f">{total['total_seconds']:.1f}<" in page
    (done / "careless.yaml").write_text("study: {careless: 0.3}\n")
    jobs = planned(done, configs=(TINY, "careless.yaml"))
    assert {"simulate_votes", "table2", "costs", "write_report"} <= set(jobs)
    assert not {"prepare_images", "degrade", "super_resolve", "embed_pairs", "sample_pairs", "measure_iqa"} & set(jobs)


def test_swapping_two_values_reruns(done: Path, edited) -> None:
    (done / "a.yaml").write_text("study: {people_quota: 12, votes_per_pair: 24}\n")
    jobs = planned(done, configs=(TINY, "a.yaml"))
    assert jobs["simulate_votes"] == 1
    assert "measure_iqa" not in jobs


def test_key_of_every_rule_names_its_own_script() -> None:
    rules = scripts_of_rules()
    assert len(rules) >= 30
    assert {name: script for name, (script, key) in rules.items() if f'"{script}"' not in key} == {}


def test_editing_every_script_reruns_every_rule(done: Path, edited) -> None:
    for path in sorted((done / "workflow_scripts").glob("*.py")):
        edited(f"workflow_scripts/{path.name}", lambda s: s + "\nEDITED = 1\n")
    # not part of the default chain: the other source of votes, training, packages for others; no browser everywhere
    others = {"draw_scenes", "train_each", "import_votes", "release_dataset", "release_metric", "release_sr"}
    others |= {"figure3"} if screenshot.lacking() else set()
    assert set(scripts_of_rules()) - others == set(planned(done))


def test_more_seeds_or_fewer_backbones_tune_nothing_that_is_there(done: Path) -> None:
    (done / "sure.yaml").write_text("metric: {seeds: 2}\n")
    jobs = planned(done, configs=(TINY, "sure.yaml"))
    assert jobs["crossvalidate_metric"] == 2 and jobs["table3"] == 1
    assert not {"finetune_metric", "leave_models_out", "score_zero_shot", "score_tuned"} & set(jobs)
    (done / "sure.yaml").write_text("metric: {backbones: [dinov2], finetune: [dinov2]}\ntuning: {variants: []}\n")
    jobs = planned(done, configs=(TINY, "sure.yaml"))
    assert not {"finetune_metric", "crossvalidate_metric", "leave_models_out", "score_zero_shot"} & set(jobs)
    (done / "sure.yaml").write_text("metric: {folds: 0, leave_one_out: []}\n")
    jobs = planned(done, configs=(TINY, "sure.yaml"))
    assert jobs["table3"] == 1 and not {"crossvalidate_metric", "leave_models_out", "leave_one_out"} & set(jobs)


def test_another_alpha_trains_itself_alone_and_watching_costs_nothing(done: Path) -> None:
    aside = "keep: 9, sample_every: 1, workers: 1, processes: 2, batch_size: 1, gradient_checkpointing: true"
    (done / "alpha.yaml").write_text(f"tuning: {{variants: [baseline, 0.1, 0.5], {aside}}}\n")
    jobs = planned(done, "table4", configs=(TINY, "alpha.yaml"))
    new = {"finetune_sr": 1, "upscale_variant": 1, "evaluate_variant": 1, "collect_evaluation": 1, "table4": 1}
    assert jobs == new
    (done / "alpha.yaml").write_text("tuning: {learning_rate: 1.0e-6}\n")
    assert planned(done, "table4", configs=(TINY, "alpha.yaml"))["finetune_sr"] == 1
    (done / "alpha.yaml").write_text("tuning: {variants: []}\n")
    assert not {"finetune_sr", "table4", "figure6"} & set(planned(done, configs=(TINY, "alpha.yaml")))


def test_folds_of_every_pair_stand_in_table3(done: Path) -> None:
    folds = read_table(done / "results/tiny/metric/dinov2/folds.parquet")
    pairs = set(read_table(done / "results/tiny/study/split.csv")["pair_id"])
    assert set(folds["pair_id"]) == pairs and folds.groupby("tuned")["pair_id"].nunique().tolist() == [len(pairs)] * 2
    table = read_table(done / "results/tiny/tables/table3.csv")
    # defined or not: the tiny test part may hold too few pairs
    note = (done / "results/tiny/tables/table3.md").read_text().lower()
    assert table["srcc_folds_mean"].notna().all() and "human ceiling of" in note
    logs = {p.name for p in (done / "results/tiny/logs/tensorboard").iterdir()}
    assert logs == {"dinov2", "pe-core", "dinov2-folds", "pe-core-folds", "dinov2-left-out", "seesr-hlf0.1"}


def test_one_table_alone(done: Path) -> None:
    (done / "results/tiny/tables/table2.csv").unlink()
    assert planned(done, "table2") == {"table2": 1}
    text = snakemake(done, "--cores", "2", "table2")
    assert text.endswith("exit code 0")
    assert (done / "results/tiny/tables/table2.csv").is_file()


def test_a_measure_added_later_computes_only_itself(done: Path, tmp_path: Path) -> None:
    parts = {p: p.stat().st_mtime_ns for p in (done / "results/tiny/iqa/.work").rglob("*") if p.is_file()}
    assert parts
    (done / "more.yaml").write_text("iqa: {metrics: [dists, psnr, ssim, vif, lpips, afine_fr, koniqpp_blur]}\n")
    text = snakemake(done, "--cores", "2", "results/tiny/iqa/iqa.parquet", configs=(TINY, "more.yaml"))
    assert text.endswith("exit code 0"), text[-3000:]
    after = {p: p.stat().st_mtime_ns for p in (done / "results/tiny/iqa/.work").rglob("*") if p.is_file()}
    new = [p for p in after if p not in parts]
    assert {p: t for p, t in after.items() if p in parts} == parts
    assert [p.name.split("-")[0] for p in new] == ["dists"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sr: {modles: [bsrgan]}", "unknown key modles in sr"),
        ("sr: {models: [bsrgan, bicubic]}", "a baseline belongs in sr.baselines"),
        ("sr: {seesr: {stpes: 3}}", "model 'seesr' has no option 'stpes'"),
        ("seed: forty", 'seed is "forty"'),
        ("sampling: {total: 5000}", "sampling.total is 5000"),
        ("images: {source: folder}", "images.folder"),
        ("iqa: {metrics: [psnr, lpipz]}", "lpipz"),
    ],
)
def test_wrong_configuration_is_refused_in_a_sentence(done: Path, text: str, says: str) -> None:
    (done / "wrong.yaml").write_text(text + "\n")
    output = snakemake(done, "-n", "all", configs=(TINY, "wrong.yaml"))
    assert output.endswith("exit code 1")
    assert says in output
    assert "Traceback" not in output


def test_missing_weights_stop_before_the_first_job(done: Path, tmp_path: Path) -> None:
    zoo = tmp_path / "zoo"
    shutil.copytree(done / "resources/zoo/mini", zoo)
    (zoo / "swinir/model.safetensors").unlink()
    (done / "zoo.yaml").write_text(f"zoo: {{mini: {zoo}}}\nrun: other\n")
    output = snakemake(done, "--cores", "2", "all", configs=(TINY, "zoo.yaml"))
    assert output.endswith("exit code 1")
    assert re.search(r"swinir: swinir/model\.safetensors.*put it below", output), output[-2000:]
    assert not (done / "results/other/images").exists()


def test_a_measure_without_weights_is_a_row_and_fails_the_run_at_its_end(done: Path, tmp_path: Path) -> None:
    zoo = tmp_path / "zoo"
    shutil.copytree(done / "resources/zoo/mini", zoo)
    (zoo / "koniqpp/model.safetensors").unlink()
    (done / "zoo.yaml").write_text(f"zoo: {{mini: {zoo}}}\n")
    says = r"Table 2 is incomplete, weights are missing: KONIQ\+\+ blur \(mini\): model\.safetensors; put them into"
    output = snakemake(done, "--cores", "2", "table2", configs=(TINY, "zoo.yaml"))
    assert output.endswith("exit code 1") and re.search(says, output), output[-2000:]
    for _ in range(2):  # a second run has nothing else to do and still fails
        output = snakemake(done, "--cores", "2", "all", configs=(TINY, "zoo.yaml"))
        assert output.endswith("exit code 1") and re.search(says, output), output[-2000:]
    rows = read_table(done / "results/tiny/tables/table2.csv").set_index("metric")
    assert rows.loc["KONIQ++ blur (mini)", "status"] == "weights missing: model.safetensors"
    assert rows["status"].str.startswith("weights missing").sum() == 1
    assert "INCOMPLETE, weights missing for KONIQ++ blur (mini)" in (done / "results/tiny/report.html").read_text()
    (done / "zoo.yaml").write_text(f"zoo: {{mini: {zoo}}}\niqa: {{strict: true}}\n")
    output = snakemake(done, "--cores", "2", "all", configs=(TINY, "zoo.yaml"))
    assert "something is missing, nothing was started" in output and "koniqpp" in output, output[-2000:]
    assert snakemake(done, "--cores", "2", "all").endswith("exit code 0")


def test_paper_scale_can_be_planned_without_its_data(done: Path) -> None:
    jobs = planned(done, configs=("config.paper.yaml",))
    assert jobs["super_resolve"] > 6  # five models and a baseline; how many each, tests/test_profiles.py
    assert jobs["crossvalidate_metric"] == 5 and jobs["finetune_metric"] == 4 and jobs["leave_models_out"] == 1
    output = snakemake(done, "--cores", "1", "study", configs=("config.paper.yaml",))
    assert output.endswith("exit code 1")
    assert "nothing was started" in output
    for name in ("data/votes.csv", "BSRGAN.pth", "seesr"):
        assert name in output


def test_votes_of_people_replace_the_simulation(done: Path) -> None:
    import pandas as pd

    votes = pd.read_parquet(done / "results/tiny/study/votes.parquet")
    given = votes[~votes["is_trap"] & votes["valid"]][["participant", "pair_id", "answer"]]
    given.to_csv(done / "votes.csv", index=False)
    (done / "people.yaml").write_text("study: {votes: votes.csv}\n")
    (done / "people").mkdir(exist_ok=True)
    jobs = planned(done, "study", configs=(TINY, "people.yaml"))
    assert jobs == {"import_votes": 1, "score_pairs": 1, "split_dataset": 1}


def test_own_photographs_stop_before_the_study_with_a_sentence(done: Path, tmp_path: Path) -> None:
    photos, root = tmp_path / "photos", done / "results/own"
    # two of the models are enough: to none does it matter where the pictures come from
    own = f"run: own\nimages: {{source: folder, folder: {photos}}}\nsr: {{models: [bsrgan, swinir]}}\n"
    (done / "own.yaml").write_text(own)
    output = snakemake(done, "--cores", "2", "study", configs=(TINY, "own.yaml"))
    assert "nothing was started" in output and f"{photos} (images.folder) does not exist" in output, output[-2000:]
    assert not (root / "images").exists()
    photos.mkdir()
    for path in sorted((done / "results/tiny/images/gt").glob("*.png")):
        shutil.copy(path, photos / f"f\u00f6to {path.name}")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    output = snakemake(done, "--cores", "2", "study", configs=(TINY, "own.yaml"))
    assert output.endswith("exit code 1")
    assert re.search(r"^failed:\n  simulate_votes: .*run a study with people", output, re.MULTILINE), output[-2000:]
    assert (root / "sampling/pairs.csv").is_file()
    assert "broken.jpg" in (root / "images/rejected.csv").read_text()
    assert not (root / "study/scores.csv").exists()


def test_a_running_workflow_keeps_its_lock(done: Path) -> None:
    locks = done / ".snakemake/locks"
    locks.mkdir(exist_ok=True)
    holder = done / ".snakemake/hlf_holders/one.json"
    holder.parent.mkdir(exist_ok=True)
    me = psutil.Process()
    (locks / "0.input.lock").write_text("results/tiny/report.html\n")
    (locks / "0.output.lock").write_text(str(done / "results/tiny/report.html") + "\nresults/tiny/tables/table2.csv\n")
    facts = {"host": platform.node(), "pid": me.pid, "started": me.create_time()}
    gone = {**facts, "pid": 2**22 - 3}
    (done / "results/tiny/tables/table2.csv").unlink()
    # a run that lives, beside one that was killed; a run of another machine, which cannot be asked
    for first, second in ((facts, gone), (gone, facts), ({**facts, "host": "elsewhere"}, gone)):
        holder.write_text(json.dumps(first))
        holder.with_name("two.json").write_text(json.dumps(second))
        assert "lock" in snakemake(done, "--cores", "1", "table2").lower()
    holder.write_text(json.dumps(gone))
    assert snakemake(done, "--cores", "1", "table2").endswith("exit code 0")
