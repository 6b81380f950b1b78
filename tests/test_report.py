"""The report: whole in one file, a summary taken from the tables, a viewer of pairs that works in a real browser."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hlf.errors import HlfError
from hlf.images import write_png
from hlf.paper import album, certainty_figures, compose, figures, pairs, report, style, summary, tables
from hlf.paper.facts import Facts
from hlf.versions import package_versions
from test_paper import MINI, MODELS, PAPER, make_run

RUN = make_run()
WORDS = {"finding": "One thing is so, <b>surely</b>", "section": "4.1, Table 2", "paper": "0.5", "measure": "SRCC"}
FINDINGS = pd.DataFrame(
    [
        {**WORDS, "claimed": "> 0", "shown": -0.25, "interval_low": -0.5, "interval_high": 0.125, "n": 32.0,
         "verdict": "not shown", "why": "Too few pairs.", "figure": "table2, figure4, absent"},
        {**WORDS, "claimed": "> 0", "shown": np.nan, "interval_low": np.nan, "interval_high": np.nan, "n": np.nan,
         "verdict": "opposite", "why": "No number.", "figure": "figure4"},
    ]
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of the run, each other than all the rest, and a figure."""
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.Generator(np.random.PCG64(5))
    for path in sorted({*RUN["pairs"]["gt_path"], *with_own_pictures()["sr_path"]}):
        write_png(folder / path, rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    style.save_figure(figures.figure4(RUN["scores"], MINI), folder / "f.pdf", folder / "f.png", 40)
    return folder


def with_own_pictures() -> pd.DataFrame:
    return RUN["pairs"].assign(sr_path="sr/" + RUN["pairs"]["pair_id"] + ".png")


def viewer_table() -> pd.DataFrame:
    keys = RUN["scores"][["model", "image_id", "level"]].drop_duplicates()
    sr = keys.assign(tags=np.where(keys["model"] == MODELS[1], "cat, <b>dog</b>", ""))
    return pairs.pair_table(RUN["scores"], with_own_pictures(), RUN["metric_scores"], RUN["iqa"], sr, "dinov2")


def make_report(root: Path, budget: int = album.BUDGET) -> report.Report:
    table = viewer_table()
    table2 = tables.table2(RUN["iqa"], RUN["scores"], RUN["split"], 40, 42)
    parts = [
        report.TableSection("table2", "Table 2. Measures of image quality", table2),
        report.FigureSection("figure4", "Figure 4. Scores", root / "f.png", "Scores."),
    ]
    return report.Report(
        counts={"GT images": 20, "votes": 1234, "failed measurements": 0},
        config={"run": "r", "sr": {"models": list(MODELS), "tile": 0}, "note": "<script>alert(1)</script>"},
        chapters=[report.Chapter("measures", "4.1 Measures", "4.1 Measures", parts)],
        headlines=summary.headlines({"table2": table2}),
        findings=report.TableSection("findings", "Findings", FINDINGS, "Note."),
        album=album.album(table, pairs.in_turn(table, 4), root, budget),
        metric="(ft) DINOv2 (mini)",
        versions=package_versions(["numpy", "no-such"]),
    )


def write(path: Path, root: Path, facts: Facts = MINI, budget: int = album.BUDGET) -> str:
    report.write_report(path, facts, make_report(root, budget))
    return path.read_text(encoding="utf8")


def without_pictures(text: str) -> str:
    return re.sub(r"base64,[^\"]+", "", text)


# --- the file ---


@pytest.mark.parametrize("facts", [MINI, PAPER], ids=["mini", "paper"])
def test_report_is_whole_offline_and_stamped(facts: Facts, root: Path, tmp_path: Path) -> None:
    text = write(tmp_path / "a.html", root, facts)
    page, script = without_pictures(text).split("<script>")
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<link|<iframe", page)
    assert not re.search(r"fetch|XMLHttp|import\(|https?:", script)
    assert ('class="stamp"' in text) == bool(facts.stamp())
    # above, at every table, at the bottom
    assert text.count("tests the software") >= 5 if facts.stamp() else "tests the software" not in text
    assert ("simulated observers" in text) == (facts.votes == "simulated")
    assert "&lt;script&gt;alert(1)" in text and "<script>alert" not in text and "so, &lt;b&gt;surely" in text
    assert "1,234" in text and "sr.models" in text and "not installed" in text and "01" * 32 in text
    assert not re.search(r">\s*nan|nan\s*<|\bnan\b", page)
    assert "tags: cat, &lt;b&gt;dog" in text and '<html lang="en">' in text
    for anchor in re.findall(r'href="#([^"]+)"', text):
        assert f'id="{anchor}"' in text, anchor
    # each table and figure says whose it is
    assert text.count(facts.origin()) == 4


def test_every_picture_is_in_the_page_once_as_the_file_it_is(root: Path, tmp_path: Path) -> None:
    text = write(tmp_path / "a.html", root)
    sources = re.findall(r'<img [^>]*src="([^"]+)"', text)
    content = make_report(root).album
    assert content is not None and content.shown == content.total
    assert len(sources) == len(set(sources)) == 1 + content.shown + len(content.scenes)
    images = re.findall(r"<img [^>]*>", text)
    # the two of the viewer's stage get theirs from the script
    assert (
        all(re.search(r'alt="[^"]+"', image) for image in images if "src=" in image) and len(images) == len(sources) + 2
    )
    for scene in content.scenes:
        assert scene.gt.uri == album.embed(root / f"images/{scene.image_id}.png").uri
        assert [p["key"] for p in scene.pairs] == sorted((p["key"] for p in scene.pairs), key=lambda k: int(k[5:]))


def test_report_gives_the_same_bytes_twice(root: Path, tmp_path: Path) -> None:
    assert write(tmp_path / "a.html", root) == write(tmp_path / "b.html", root)


def test_the_budget_keeps_the_pairs_most_worth_a_look(root: Path, tmp_path: Path) -> None:
    table = viewer_table()
    order = pairs.in_turn(table, 4)
    whole = album.album(table, order, root)
    size = len(whole.scenes[0].gt.uri)
    some = album.album(table, order, root, 9 * size)
    kept = {pair["pair_id"] for scene in some.scenes for pair in scene.pairs}
    assert 4 <= some.shown < whole.shown == some.total == len(order)
    assert kept == set(table["pair_id"].iloc[order[: some.shown]])
    spent = sum(len(s.gt.uri) + sum(len(p["picture"].uri) for p in s.pairs) for s in some.scenes)
    assert spent <= 9 * size
    assert f"{some.shown} of {some.total} pairs" in write(tmp_path / "a.html", root, MINI, 9 * size)
    assert "no more of them fit" not in write(tmp_path / "b.html", root)
    none = album.album(table, order, root, 10)
    assert none.shown == 0 and none.scenes == []


def test_pairs_give_way_to_large_figures(tmp_path: Path) -> None:
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    small.write_bytes(b"123456")
    with large.open("wb") as file:
        file.truncate(15_000_000)
    assert album.left_for_pairs([small, tmp_path / "none.png"]) == album.BUDGET
    assert (
        album.left_for_pairs([small, large]) == album.PAGE - 20_000_000 - 8 and album.left_for_pairs([large] * 2) == 0
    )


def test_report_names_a_lost_picture(root: Path, tmp_path: Path) -> None:
    part = report.FigureSection("x", "X", tmp_path / "no.png", "c")
    with pytest.raises(HlfError, match=r"no\.png is missing"):
        report.write_report(tmp_path / "r.html", MINI, report.Report({}, {}, [report.Chapter("c", "C", "C", [part])]))
    assert not (tmp_path / "r.html").exists()
    with pytest.raises(HlfError, match="is missing"):
        album.album(viewer_table(), [0], tmp_path)


def test_every_table_and_figure_has_one_place() -> None:
    placed = [name for *_, names in compose.CHAPTERS for name in names]
    assert len(placed) == len(set(placed))
    assert set(placed) == {*compose.TABLES, *compose.FIGURES}
    keys = [key for key, *_ in compose.CHAPTERS]
    assert not set(keys) & {*placed, "summary", "findings", "pairs", "costs", "provenance"}
    # the paper's order
    order = [placed.index(name) for name in ("sr_models", "figure4", "table2", "table3", "ceiling", "table4")]
    assert order == sorted(order)


def test_long_tables_show_the_rows_that_sum_them_up() -> None:
    kinds = ["details", "holistic", "all kinds"] * 8
    table = pd.DataFrame({"metric": [f"m{i // 3}" for i in range(24)], "kind": kinds, "auc": np.linspace(0, 1, 24)})
    section = compose._section("behaviour", table.assign(**MINI.columns()), 80)
    first = section.first()
    assert first is not None and len(first.rows) == 8 and {row[1].text for row in first.rows} == {"all kinds"}
    assert first.rows[-1][2].best and len(section.shown().rows) == 24
    # the best of unlike kinds together would say nothing
    assert not any(cell.best for row in section.shown().rows for cell in row)
    assert compose._section("behaviour", table.head(6).assign(**MINI.columns()), 80).first() is None
    assert (
        section.origin
        == "Run mini, scale mini, mini zoo, simulated votes, 80 pairs, seed 42; configuration 9f9f9f9f9f9f."
    )


# --- the summary ---


def correlations(**srcc: float) -> pd.DataFrame:
    rows = [
        {"metric": k.replace("_", " "), "type": "NR" if k.startswith("NR") else "FR", "srcc": v, "srcc_low": v - 0.1,
         "srcc_high": v + 0.1, "n": 85}
        for k, v in srcc.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def changes(**held_out: dict[str, float]) -> pd.DataFrame:
    rows = [
        {"model": model, "measure": name, "group": group, "baseline": 0.4, "tuned": 0.4 + by, "difference": by,
         "difference_low": by - 0.02, "difference_high": by + 0.01, "n": 40}
        for model, measures in held_out.items()
        for name, by in measures.items()
        for group in [name if name == "trained" else "held-out"]
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_headlines_are_the_numbers_of_the_tables_with_their_intervals() -> None:
    ceiling = pd.DataFrame(
        [{"correlation": c, "full": 0.9, "full_low": 0.85, "full_high": 0.95} for c in ("SRCC", "PLCC")]
    )
    table3 = correlations(DINOv2=0.7, BLIP=0.6, a=0.55, b=0.8).assign(
        metric=["DINOv2", "BLIP", "(ft) DINOv2", "(ft) BLIP"]
    )
    table4 = changes(
        strong={"CLIP": -0.03, "BLIP": 0.01, "PE": -0.01, "trained": -0.3},
        weak={"CLIP": -0.01, "BLIP": 0.0, "PE": 0.01},
    )
    frames = {"table2": correlations(PSNR=0.3, VIF=0.5, NR_one=0.2, NR_two=0.1), "table3": table3, "ceiling": ceiling,
              "table4_changes": table4}  # fmt: skip
    one, two, three = summary.headlines(frames)
    assert one.main == summary.Bar("VIF (FR)", 0.5, 0.4, 0.6, True) and [b.label for b in one.bars] == [
        "VIF (FR)",
        "NR one (NR)",
    ]
    assert two.main == summary.Bar("(ft) BLIP", 0.8, 0.8 - 0.1, 0.8 + 0.1, True)
    assert [b.label for b in two.bars] == ["DINOv2", "(ft) BLIP", "Human ceiling"]
    assert (two.bars[2].value, two.bars[2].low, two.bars[2].high) == (0.9, 0.85, 0.95)
    # neither the metric that gained most nor the one that lost, at the alpha with the lowest mean
    assert (
        three.main is not None and three.main.label == "PE" and three.main.value == -0.01 and "strong" in three.remark
    )
    assert three.low == -three.high == pytest.approx(-0.05) and three.place(0) == "50.0" and "3 metrics" in three.remark
    assert [one.anchor, two.anchor, three.anchor] == ["table2", "table3", "table4_changes"]


def test_headlines_say_what_a_run_does_not_have(root: Path, tmp_path: Path) -> None:
    assert [one.main for one in summary.headlines({})] == [None, None, None]
    nothing = correlations(PSNR=float("nan"))
    told = summary.headlines({"table2": nothing, "table3": correlations(BLIP=0.5)})
    assert [one.bars for one in told] == [[], [], []] and all(
        "this run" in one.remark or "This run" in one.remark for one in told
    )
    # a correlation without an interval is its own bounds, and a ceiling that is undefined is not there
    bare = correlations(a=0.5).assign(metric="(ft) BLIP", srcc_low=np.nan, srcc_high=np.nan)
    two = summary.headlines({"table3": bare, "ceiling": pd.DataFrame([{"correlation": "SRCC", "full": np.nan}])})[1]
    assert (
        two.main == summary.Bar("(ft) BLIP", 0.5, 0.5, 0.5, True)
        and len(two.bars) == 1
        and "interval" not in two.main.text()
    )
    page = report.Report({}, {}, headlines=told)
    report.write_report(tmp_path / "r.html", MINI, page)
    assert "No measure has a rank correlation" in (tmp_path / "r.html").read_text()


def test_figure_and_summary_take_the_ceiling_from_the_same_row() -> None:
    row = {"correlation": "SRCC", "full": 0.9, "full_low": 0.85, "full_high": 0.95, "truth": 0.97, "status": "ok"}
    ceiling, table3 = pd.DataFrame([row]), correlations(BLIP=0.5).assign(metric="(ft) BLIP")
    assert summary.headlines({"table3": table3, "ceiling": ceiling})[1].bars[-1].value == 0.9
    figure = certainty_figures.ranking(correlations(PSNR=0.3), table3, ceiling, MINI)
    assert 0.9 in {line.get_xdata()[0] for line in figure.axes[0].lines if len(line.get_xdata()) == 2}
