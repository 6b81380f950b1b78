"""The cost sheet: against its definition, and in the report, of which it is the one part that is no result."""

import json
import math
import re
from pathlib import Path

import pandas as pd
import pytest

from hlf import config as hlf_config
from hlf.costs import jobs as division
from hlf.costs import units
from hlf.costs.counts import SMALL, STEPS, counts
from hlf.costs.sheet import NOTED, TOTAL, Size, cost_sheet, made_items, size_of, sizes
from hlf.files import read_table, write_table
from hlf.paper import costs, report
from hlf.paper.facts import Facts
from hlf.paper.formats import PROVENANCE
from workflow_helpers import ROOT, without_costs

MINI = Facts("r", "mini", "mini", "", 0, 42, "9f" * 32)


def jobs_frame(*rows: tuple) -> pd.DataFrame:
    """Benchmarks as the reader gives them, of (step, model, shard, seconds, memory)."""
    table = pd.DataFrame(rows, columns=["step", "model", "shard", "seconds", "max_rss_mb"])
    return table.assign(runs=1, cpu_seconds=table["seconds"] / 2, gpu_mb=math.nan, machine="A, 2 cores")


NONE_MADE = pd.DataFrame(columns=["step", "model", "made", "seconds"])
RUN = [
    Size("degrade", "", "LR image", 40, 2, ("degrade", "")),
    Size("super_resolve", "seesr", "SR image", 30, 2, ("super_resolve", "seesr")),
    Size("finetune_metric", "clip", "pair x epoch", 100, 1, ("finetune_metric", "clip")),
    Size("crossvalidate_metric", "vit", "pair x epoch", 0, 1, (SMALL, "")),
]
AIM = [
    Size("degrade", "", "LR image", 30_000, 64, ("degrade", "")),
    Size("super_resolve", "seesr", "SR image", 27_000, 64, ("super_resolve", "seesr")),
    Size("super_resolve", "pasd", "SR image", 27_000, 64, ("super_resolve", "pasd")),
    Size("finetune_metric", "clip", "pair x epoch", 5_000, 1, ("finetune_metric", "clip")),
    Size("crossvalidate_metric", "vit", "pair x epoch", 0, 1, (SMALL, "")),
]


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Units of our own in place of the measured ones."""
    path = tmp_path / "measured.yaml"
    path.write_text(
        """
official:
  - device: card
    command: bench
    steps:
      super_resolve/seesr: {item: SR image, seconds: 2, start: 30, mem_mb: 9000, gpu_mb: 20000, disk_kb: 400}
      finetune_metric: {item: pair x epoch, seconds: 0.1, start: 20, mem_mb: 8000, gpu_mb: 30000, disk_kb: 0}
  - device: cores
    command: bench
    steps:
      degrade: {item: LR image, seconds: 0.5, start: 3, mem_mb: 900, gpu_mb: 0, disk_kb: 25}
"""
    )
    monkeypatch.setattr(units, "MEASURED", path)
    units.units.cache_clear()
    yield path
    units.units.cache_clear()


def test_sheet_is_jobs_times_start_plus_items_times_seconds(measured: Path) -> None:
    table = cost_sheet(
        jobs_frame(
            ("degrade", "", "000", 12.0, 700.0),
            ("degrade", "", "001", 14.0, 750.0),
            ("super_resolve", "seesr", "000", 50.0, 1000.0),
            ("super_resolve", "seesr", "001", 70.0, math.nan),
            ("finetune_metric", "clip", "", 210.0, 1500.0),
            ("crossvalidate_metric", "vit", "", 9.0, 600.0),
            ("table2", "", "", 3.0, 200.0),
            ("figure4", "", "", 5.0, 300.0),
        ),
        pd.DataFrame([("degrade", "", 40, 20.0), ("super_resolve", "seesr", 25, 100.0)], columns=list(NONE_MADE)),
        RUN,
        AIM,
    ).set_index(["step", "model"])
    row = table.loc["degrade", ""]
    assert (row["jobs"], row["items"], row["total_seconds"], row["cpu_seconds"]) == (2, 40, 26.0, 13.0)
    assert (row["start_seconds"], row["item_seconds"], row["memory_mb"]) == (3.0, 0.5, 750.0)
    # judged by counting job by job and image by image
    assert row["projected_hours"] * 3600 == pytest.approx(sum([3.0] * 64) + sum([0.5] * 30_000))
    assert row["official_hours"] == row["projected_hours"] and row["official_machine"] == "cores"
    # five of the thirty images were there from an attempt before
    row = table.loc["super_resolve", "seesr"]
    assert (row["items"], row["item_seconds"], row["start_seconds"], row["memory_mb"]) == (25, 4.0, 10.0, 1000.0)
    assert row["projected_hours"] * 3600 == pytest.approx(64 * 10 + 27_000 * 4)
    assert row["official_hours"] * 3600 == pytest.approx(64 * 30 + 27_000 * 2)
    # where a job notes no images, its start counts with them
    row = table.loc["finetune_metric", "clip"]
    assert row["start_seconds"] is None and row["projected_hours"] * 3600 == pytest.approx(210 / 100 * 5_000)
    row = table.loc["crossvalidate_metric", "vit"]
    assert (row["start_seconds"], row["items"]) == (9.0, 0) and row["projected_hours"] * 3600 == pytest.approx(9.0)
    row = table.loc["super_resolve", "pasd"]
    assert row["jobs"] == 0 and row["projected_hours"] is None and row["official_hours"] is None
    row = table.loc[SMALL, ""]
    assert (row["jobs"], row["total_seconds"], row["memory_mb"], row["item_seconds"]) == (2, 8.0, 300.0, 4.0)
    row = table.loc[TOTAL, ""]
    assert (row["jobs"], row["total_seconds"], row["memory_mb"]) == (8, 373.0, 1500.0)
    own = 64 * 3 + 30_000 * 0.5 + 64 * 10 + 27_000 * 4 + 210 / 100 * 5_000 + 9 + 8
    official = 64 * 3 + 30_000 * 0.5 + 64 * 30 + 27_000 * 2 + 20 + 5_000 * 0.1
    assert row["projected_hours"] * 3600 == pytest.approx(own)
    assert row["official_hours"] * 3600 == pytest.approx(official)
    assert table.index[-1] == (TOTAL, "") and table.index[-2] == (SMALL, "")


def test_sheet_leaves_out_what_the_run_has_no_more(measured: Path) -> None:
    aims = [Size("embed_pairs", "", "candidate pair", 100, 2, ("embed_pairs", ""))]
    found = cost_sheet(
        jobs_frame(
            ("embed_pairs", "", "000", 4.0, 1.0),
            ("embed_pairs", "", "001", 6.0, 1.0),
            ("embed_pairs", "", "002", 99.0, 1.0),  # of a run with more shards
            ("super_resolve", "swinir", "000", 99.0, 1.0),  # a model that is not in sr.models any more
            ("train_ram", "", "", 999.0, 1.0),  # of the mini zoo
        ),
        NONE_MADE,
        aims,
        aims,
    )
    assert found["step"].tolist() == ["embed_pairs", TOTAL] and found["total_seconds"].tolist() == [10.0, 10.0]


def test_sheet_of_half_a_run_counts_the_items_of_its_jobs(measured: Path) -> None:
    size = Size("embed_pairs", "", "candidate pair", 100, 2, ("embed_pairs", ""))
    found = cost_sheet(jobs_frame(("embed_pairs", "", "000", 5.0, 1.0)), NONE_MADE, [size], [size]).iloc[0]
    assert (found["jobs"], found["items"], found["item_seconds"]) == (1, 50, 0.1)
    empty = cost_sheet(jobs_frame(), NONE_MADE, [size], [size]).iloc[0]
    assert empty["jobs"] == 0 and empty["total_seconds"] is None and empty["projected_hours"] is None


def test_images_made_are_read_from_the_notes_of_their_jobs(tmp_path: Path) -> None:
    for name, seconds in {"degradation/000": [1.0, 2.0], "sr/pasd/000": [3.0], "sr/pasd/001": []}.items():
        write_table(pd.DataFrame({"seconds": pd.Series(seconds, dtype=float)}), tmp_path / f"{name}.parquet")
    found = made_items(tmp_path).set_index(["step", "model"]).to_dict("index")
    assert found == {
        ("degrade", ""): {"made": 2, "seconds": 3.0},
        ("super_resolve", "pasd"): {"made": 1, "seconds": 3.0},
    }
    assert made_items(tmp_path / "nothing").empty and set(NOTED) <= set(STEPS)


def test_sizes_pass_through_json() -> None:
    config = hlf_config.load(ROOT, [ROOT / "config.paper.yaml"])
    values = json.loads(json.dumps(sizes(config)))
    again = [size_of(value) for value in values]
    assert len({(size.step, size.model) for size in again}) == len(again) == len(counts(config))
    assert all(size.jobs == division.jobs(config, size.step, size.model) for size in again)


def sheet_of(seconds: float) -> pd.DataFrame:
    return cost_sheet(jobs_frame(("finetune_metric", "clip", "", seconds, 1500.0)), NONE_MADE, RUN, AIM)


def test_written_sheet_reads_back_and_says_what_it_is(measured: Path, tmp_path: Path) -> None:
    table = sheet_of(210.0)
    costs.write_sheet(table, MINI, tmp_path / "costs.csv")
    again = read_table(tmp_path / "costs.csv")
    assert (again["stamp"] == MINI.stamp()).all() and set(table) <= set(again)
    row = again[again["step"] == "finetune_metric"].iloc[0]
    assert (row["items"], row["total_seconds"], row["machine"]) == (100, 210, "A, 2 cores")
    assert again[again["model"] == "seesr"]["projected_hours"].isna().all()
    text = (tmp_path / "costs.md").read_text()
    assert "| finetune_metric | clip | 1 | 100 | pair x epoch | 210.0 |" in text and MINI.stamp() in text
    # not measured is a dash, never a zero
    assert re.search(
        r"\| super_resolve \| pasd \| 0 \| \u2013 \| SR image \| \u2013 \|.*\| 27000 \| \u2013 \| \u2013 \|", text
    )
    for said in ("Measured on A, 2 cores.", "card; cores", "last attempt only", "config.paper.yaml", "mini networks"):
        assert said in text, said
    assert "GPU memory" not in text and "mini networks" not in costs.note(table, "official")
    used = table.assign(gpu_mb=[4000.0] + [None] * (len(table) - 1))
    assert "gpu_mb" in costs.shown(used) and "machine" not in costs.shown(used)


def test_pages_of_equal_results_differ_in_the_cost_sheet_alone(measured: Path, tmp_path: Path) -> None:
    pages = []
    for number, seconds in enumerate((210.0, 333.0)):
        costs.write_sheet(sheet_of(seconds), MINI, tmp_path / f"costs{number}.csv")
        frame = read_table(tmp_path / f"costs{number}.csv").drop(columns=list(PROVENANCE))
        content = report.Report({}, {}, [], costs=costs.section(frame, "mini"))
        report.write_report(tmp_path / f"{number}.html", MINI, content)
        pages.append((tmp_path / f"{number}.html").read_bytes())
    assert pages[0] != pages[1] and b"210.0" in pages[0] and b"333.0" in pages[1]
    stripped = [without_costs(page) for page in pages]
    assert stripped[0] == stripped[1] and b"210.0" not in stripped[0] and b"costs" in stripped[0]
    # all but the part between the marks is left
    begin, end = (f"<!-- measured in this run: {word} -->".encode() for word in ("begin", "end"))
    before, after = pages[0].split(begin)[0], pages[0].split(end)[1]
    assert stripped[0] == before + begin + end + after and after.count(b"</section>") >= 2
    plain = tmp_path / "plain.html"
    report.write_report(plain, MINI, report.Report({}, {}))
    assert without_costs(plain.read_bytes()) == plain.read_bytes() and b'id="costs"' not in plain.read_bytes()
