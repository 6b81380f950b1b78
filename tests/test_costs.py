"""What jobs took and how much there is to do: the reader, counts against real tables, the measured units."""

import io
import json
import math
from pathlib import Path

import pandas as pd
import pytest

from hlf import config as hlf_config
from hlf.costs import units
from hlf.costs.benchmarks import COLUMNS, gpu_file, read_benchmarks
from hlf.costs.counts import JOB, SMALL, STEPS, counts
from hlf.errors import HlfError
from workflow_helpers import ROOT, TINY

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
ROW = "{s}\t0:00:04\t{rss}\t5000.00\t900.00\t950.00\t1.50\t0.25\t90.00\t{cpu}\n"
PAPER = "config.paper.yaml"


def benchmark(folder: Path, name: str, *runs: tuple[str, str, str], note: object = None) -> Path:
    """A benchmark file with a row (s, max_rss, cpu_time) for each run, and the job's note beside it."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + "".join(ROW.format(s=s, rss=rss, cpu=cpu) for s, rss, cpu in runs))
    if note is not None:
        gpu_file(path).write_text(note if isinstance(note, str) else json.dumps(note))
    return path


def test_reader_takes_names_from_paths_and_numbers_from_rows(tmp_path: Path) -> None:
    benchmark(tmp_path, "super_resolve/pasd/001.tsv", ("10.85", "1250.39", "10.73"))
    benchmark(tmp_path, "finetune_sr/seesr-hlf0.01.tsv", ("99.00", "800.00", "90.00"))
    benchmark(tmp_path, "zoo/train_ram.tsv", ("5.00", "700.00", "4.00"))
    benchmark(tmp_path, "table2.tsv", ("1.00", "200.00", "0.90"))
    table = read_benchmarks(tmp_path)
    assert tuple(table) == COLUMNS
    names = table[["step", "model", "shard"]].to_numpy().tolist()
    expected = [["finetune_sr", "seesr-hlf0.01", ""], ["super_resolve", "pasd", "001"], ["table2", "", ""]]
    assert names == [*expected, ["train_ram", "", ""]]
    row = table.iloc[1]
    assert (row["runs"], row["seconds"], row["max_rss_mb"], row["cpu_seconds"]) == (1, 10.85, 1250.39, 10.73)
    assert (row["read_mb"], row["written_mb"]) == (1.5, 0.25) and math.isnan(row["gpu_mb"])


def test_reader_averages_repeated_runs_and_keeps_their_largest_memory(tmp_path: Path) -> None:
    benchmark(tmp_path, "a.tsv", ("2.00", "100.00", "1.00"), ("4.00", "300.00", "3.00"), ("3.00", "NA", "NA"))
    row = read_benchmarks(tmp_path).iloc[0]
    assert (row["runs"], row["seconds"], row["max_rss_mb"], row["cpu_seconds"]) == (3, 3.0, 300.0, 2.0)


@pytest.mark.parametrize(
    ("text", "runs", "seconds"),
    [
        (HEAD + ROW.format(s="0.31", rss="0.16", cpu="0.00"), 1, 0.31),  # sampled before Python began
        (HEAD + "0.20\t0:00:00" + "\tNA" * 8 + "\n", 1, 0.2),
        (HEAD + "0.20\t0:00:00" + "\t-" * 8 + "\n", 1, 0.2),
        ("s\th:m:s\n0.5\t0:00:00\n", 1, 0.5),  # as older versions of Snakemake
        (HEAD, 0, math.nan),
        ("", 0, math.nan),
        (HEAD + "NA\t0:00:00" + "\tNA" * 8 + "\n", 0, math.nan),
        (HEAD + "-1\t0:00:00" + "\tinf" * 8 + "\n", 0, math.nan),
    ],
)
def test_reader_says_nan_for_what_was_not_seen(tmp_path: Path, text: str, runs: int, seconds: float) -> None:
    (tmp_path / "short.tsv").write_text(text)
    row = read_benchmarks(tmp_path).iloc[0]
    assert row["runs"] == runs and row["seconds"] == pytest.approx(seconds, nan_ok=True)
    assert math.isnan(row["max_rss_mb"]) and math.isnan(row["cpu_seconds"])


def test_reader_survives_a_broken_file_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "broken.tsv").write_bytes(b"\xff\xfe\x00\x01" * 9)
    benchmark(tmp_path, "good.tsv", ("2.00", "100.00", "1.00"), note="{half")
    table = read_benchmarks(tmp_path)
    assert table["runs"].tolist() == [0, 1] and "broken.tsv" in caplog.text and "good.json" in caplog.text
    assert read_benchmarks(tmp_path / "not there").empty and tuple(read_benchmarks(tmp_path / "no")) == COLUMNS


@pytest.mark.parametrize(
    ("note", "memory", "gpu", "machine"),
    [
        (
            {"gpu_mb": 1234.5, "max_rss_mb": 900.0, "cpu_seconds": 9.5, "machine": {"gpus": [{"name": "H100"}]}},
            900.0,
            1234.5,
            "H100",
        ),
        ({"gpu_mb": 0.0, "max_rss_mb": 10.0, "machine": {"cpu": "EPYC", "cores": 2}}, 100.0, 0.0, "EPYC, 2 cores"),
        ({"gpu_mb": None}, 100.0, math.nan, ""),
        (["no note"], 100.0, math.nan, ""),
    ],
)
def test_reader_takes_what_the_job_noted(tmp_path: Path, note: object, memory: float, gpu: float, machine: str) -> None:
    benchmark(tmp_path, "x/seesr-hlf0.1.tsv", ("2.00", "100.00", "1.00"), note=note)
    row = read_benchmarks(tmp_path).iloc[0]
    assert (row["max_rss_mb"], row["machine"]) == (memory, machine)
    # Snakemake's last sample may be half a minute old
    assert row["cpu_seconds"] == (9.5 if machine == "H100" else 1.0)
    assert row["gpu_mb"] == pytest.approx(gpu, nan_ok=True)


def config_of(*overlays: str) -> dict:
    return hlf_config.load(ROOT, [ROOT / name for name in overlays])


@pytest.mark.workflow
def test_counts_are_those_of_the_tables_of_a_run(done_bytes: dict[str, bytes]) -> None:
    def table(name: str) -> pd.DataFrame:
        data = io.BytesIO(done_bytes[name])
        return pd.read_parquet(data) if name.endswith(".parquet") else pd.read_csv(data)

    config = config_of(TINY)
    found = {(count.step, count.model): count.items for count in counts(config)}
    assert found["prepare_images", ""] == len(table("images/manifest.parquet"))
    assert found["degrade", ""] == len(table("degradation/lr.parquet"))
    made = pd.concat([table("sr/sr.parquet"), table("sr/baselines.parquet")])["model"].value_counts()
    assert {model: n for (step, model), n in found.items() if step == "super_resolve"} == made.to_dict()
    assert found["measure_sr", ""] == len(table("sr/measures.parquet"))
    assert found["embed_pairs", ""] == found["sample_pairs", ""] == len(table("sampling/similarity.parquet"))
    pairs, scores, split = table("sampling/pairs.csv"), table("study/scores.csv"), table("study/split.csv")
    assert found["study_bundle", ""] == found["measure_iqa", ""] == len(pairs)
    assert len(table("iqa/iqa.parquet")) == len(pairs) * len(config["iqa"]["metrics"])
    # the last votes of a study may come in together
    assert found["simulate_votes", ""] <= scores["n_valid"].sum() < 1.2 * found["simulate_votes", ""]
    shown = table("metric/scores.parquet").groupby(["backbone", "tuned"]).size()
    for step, tuned in (("score_zero_shot", False), ("score_tuned", True)):
        own = {model: n for (name, model), n in found.items() if name == step}
        assert own == shown.xs(tuned, level="tuned").to_dict()
    epochs, train = config["metric"]["epochs"], split[split["part"] == "train"]
    # whole GT images are dealt out, so the parts differ from their shares by a few pairs
    assert found["finetune_metric", "dinov2"] == pytest.approx(len(train) * epochs, abs=3 * epochs)
    folds = table("metric/dinov2/folds.parquet").query("tuned").groupby(["fold", "seed"]).size()
    assert found["crossvalidate_metric", "dinov2"] == sum(len(split) - folds) * epochs
    assert found["crossvalidate_metric", "vit"] == 0
    left = sum((train["model"] != model).sum() for model in config["sr"]["models"]) * epochs
    assert found["leave_models_out", "dinov2"] == pytest.approx(left, abs=12 * epochs)
    assert found["probe_metric", ""] == len(table("metric/behaviour.parquet"))
    assert found["choose_training", ""] == len(table("tuning/training.csv"))
    steps = len(table("tuning/seesr-hlf0.1/history.csv"))
    assert found["finetune_sr", "seesr-hlf0.1"] == steps * config["tuning"]["step_images"]
    variants = table("tuning/sr.parquet")["variant"].value_counts().to_dict()
    for step in ("upscale_variant", "evaluate_variant"):
        assert {model: n for (name, model), n in found.items() if name == step} == variants
    assert {step for step, _ in found} == set(STEPS) - {"import_votes"}


def test_counts_at_paper_scale_are_those_of_the_paper() -> None:
    found = {(count.step, count.model): count.items for count in counts(config_of(PAPER))}
    assert found["prepare_images", ""] == 10_073  # all of KonIQ-10k
    assert found["super_resolve", "pasd"] == 9_073 * 3 and found["embed_pairs", ""] == 9_073 * 3 * 5
    assert found["import_votes", ""] == 723 * 12 and ("simulate_votes", "") not in found
    assert found["finetune_metric", "clip"] == 578 * 10 and found["crossvalidate_metric", "clip"] == 723 * 4 * 3 * 10
    assert found["finetune_sr", "seesr-hlf0.01"] == 65_000 // 32 * 32 * 10
    assert found["upscale_variant", "seesr"] == 3_000


def test_parts_that_are_switched_off_have_no_items(tmp_path: Path) -> None:
    (tmp_path / "off.yaml").write_text("metric: {folds: 0, leave_one_out: []}\ntuning: {variants: []}\n")
    config = hlf_config.load(ROOT, [tmp_path / "off.yaml"])
    steps = {count.step for count in counts(config)}
    off = {"crossvalidate_metric", "leave_models_out", "finetune_sr", "upscale_variant", "choose_training"}
    assert not off & steps and "finetune_metric" in steps


@pytest.mark.parametrize(("overlay", "zoo"), [(TINY, "mini"), (PAPER, "official")])
def test_every_step_was_measured(overlay: str, zoo: str) -> None:
    config = config_of(overlay)
    assert config["zoo"]["use"] == zoo
    for count in counts(config):
        unit = units.unit(zoo, *count.unit)
        # several steps may share a unit, but never with another item; a job without items is a small one
        assert unit.item == (count.item if count.items else JOB)
        assert unit.seconds >= 0 and unit.start >= 0 and unit.mem_mb > 50, count
        assert unit.device and unit.command
    assert units.unit(zoo, SMALL).start > 0
    with pytest.raises(HlfError, match="no cost of step 'cooking'"):
        units.unit(zoo, "cooking")
