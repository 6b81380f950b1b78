"""Tables and figure on the votes themselves: right numbers, told where nothing can be said, stamped, same bytes."""

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hlf import stats
from hlf.columns import image_of
from hlf.errors import HlfError
from hlf.files import write_table
from hlf.paper import compose, formats, report, study_figures, study_report, style, tables
from hlf.stats.raters import krippendorff_alpha
from hlf.study.scores import score_pairs
from study_data import make_pairs, make_votes
from test_paper import MINI, PAPER, assert_no_text_hides_another, words

SCRIPTS = str(Path(__file__).parent.parent / "workflow_scripts")


@pytest.fixture(scope="module")
def votes():
    return make_votes(make_pairs(12, ("bsrgan", "swinir"), (0.3, 1.0)), 24, 12, careless=("coin", "no"), seed=3)


@pytest.fixture(scope="module")
def scores(votes):
    return score_pairs(make_pairs(12, ("bsrgan", "swinir"), (0.3, 1.0)), votes, 12, "t")


def with_times(votes):
    return votes.assign(rt_active_ms=np.random.default_rng(0).lognormal(7.5, 0.4, len(votes)))


def test_agreement_is_that_of_the_complete_pairs(votes, scores):
    some = scores.assign(status=np.where(scores["image_id"] > "005", "complete", "incomplete"))
    table = study_report.agreement(votes, some, 100, 20, 42).set_index("statistic")
    own = some[some["status"] == "complete"]
    assert table.loc["Krippendorff's alpha", "value"] == krippendorff_alpha(own["n_yes"], own["n_valid"])
    assert (table["n"] == 24).all() and (table["votes"] == own["n_valid"].sum()).all()
    used = votes[votes["pair_id"].map(image_of) > "005"]
    ceiling = stats.human_ceiling(used, 20, 42, 100)
    assert table.loc["Human ceiling, SRCC", "value"] == ceiling.srcc.full
    assert table.loc["Human ceiling, PLCC", "value_low"] == ceiling.plcc.low
    assert list(table.index) == [*study_report.NAMES.values(), "Human ceiling, SRCC", "Human ceiling, PLCC"]
    good = table[table["status"] == "ok"]
    assert ((good["value_low"] <= good["value"]) & (good["value"] <= good["value_high"])).all()


def test_what_is_undefined_is_told(votes, scores):
    lost = votes.drop(index=votes.index[~votes["is_trap"] & votes["valid"]][0])
    table = study_report.agreement(lost, scores, 100, 20, 42).set_index("statistic")
    assert np.isnan(table.loc["Fleiss' kappa", "value"]) and "equally many" in table.loc["Fleiss' kappa", "status"]
    assert table.loc["ICC(1)", "status"] == "ok"
    alike = study_report.agreement(votes.assign(answer=1), scores, 100, 20, 42).set_index("statistic")
    assert alike.loc["Equal answers", "value"] == 1 and alike["value"].drop("Equal answers").isna().all()
    assert alike["status"].drop("Equal answers").str.startswith("undefined: ").all()
    one = votes[votes["participant"] == "p00"]
    assert study_report.agreement(one, scores, 100, 20, 42)["status"].str.startswith("undefined: ").all()
    with pytest.raises(HlfError, match="no pair has a complete score"):
        study_report.agreement(votes, scores.assign(status="incomplete"), 100, 20, 42)
    with pytest.raises(HlfError, match="lacks the columns"):
        study_report.observers(votes.drop(columns="order_index"))


def test_observers_put_those_first_whose_votes_do_not_count(votes):
    table = study_report.observers(votes)
    assert len(table) == 26 and "median_s" not in table
    order = (table["counted"] == "yes") * 2 + (table["flags"] == "")
    assert order.is_monotonic_increasing and table["counted"].iloc[0] == "no"
    row = table.set_index("participant").loc["p25"]
    assert (row["counted"], row["yes_rate"], row["traps_failed"]) == ("no", 0, 4) and np.isnan(row["agreement"])
    # the study's word holds, whatever the trap rule says
    judged = study_report.observers(votes.assign(valid=votes["participant"] != "p07"))
    assert judged.loc[judged["counted"] == "no", "participant"].tolist() == ["p07"]
    timed = study_report.observers(with_times(votes)).set_index("participant")
    own = with_times(votes).query("participant == 'p00'")
    assert timed.loc["p00", "median_s"] == own["rt_active_ms"].median() / 1000


def panels(figure):
    return {ax.get_title(loc="left"): ax for ax in figure.axes}


def test_figure_shows_what_the_tables_hold(votes, scores):
    found = panels(study_figures.study_votes(votes, scores, MINI, 100, 42))
    assert list(found) == ["Votes per pair", "Each observer", "Order of trials"]
    bars = {round(b.get_x() + b.get_width() / 2): b.get_height() for b in found["Votes per pair"].patches}
    counts = scores["n_valid"].value_counts()
    assert {k: v for k, v in bars.items() if v} == counts.to_dict()
    dots = sum(len(line.get_xdata()) for line in found["Each observer"].lines)
    assert dots == 26
    timed = panels(study_figures.study_votes(with_times(votes), scores, MINI, 100, 42))
    assert list(timed)[-1] == "Median and quartiles of the time"


def test_unequal_votes_and_people_without_traps(votes, scores):
    few = scores.assign(n_valid=np.where(scores["image_id"] == "000", 0, scores["n_valid"]))
    some = votes[~(votes["is_trap"] & (votes["participant"] < "p05"))]
    figure = study_figures.study_votes(some, few, MINI, 100, 42)
    assert len(panels(figure)["Votes per pair"].patches) > 5 and "5 saw no trap" in words(figure)
    assert_no_text_hides_another(figure)


@pytest.mark.parametrize("times", [False, True])
def test_figure_gives_the_same_bytes_is_stamped_and_hides_no_text(votes, scores, tmp_path, times):
    used = with_times(votes) if times else votes
    for name in ("a", "b"):
        figure = study_figures.study_votes(used, scores, MINI, 100, 42)
        style.save_figure(figure, tmp_path / f"{name}.pdf", tmp_path / f"{name}.png", 50)
    for suffix in ("pdf", "png"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    assert figure.get_figwidth() <= 7.5
    assert_no_text_hides_another(figure)
    assert "SIMULATED votes" in words(figure) and "26 simulated observers" in words(figure)
    human = words(study_figures.study_votes(used, scores, PAPER, 100, 42))
    assert "SIMULATED" not in human and "26 people" in human


def test_tables_are_stamped_and_read_back(votes, scores, tmp_path):
    for name, table, title, note in (
        ("agreement", study_report.agreement(votes, scores, 100, 20, 42), study_report.AGREEMENT_TITLE, "Alpha"),
        ("observers", study_report.observers(votes), study_report.OBSERVERS_TITLE, "Dawid-Skene"),
    ):
        csv, markdown, latex = tables.write_all(
            table, MINI, tmp_path / name, title, getattr(study_report, f"{name}_reading".upper())
        )
        assert list(pd.read_csv(csv).columns) == [*table, *formats.PROVENANCE]
        for text in (markdown.read_text(), latex.read_text()):
            assert "SIMULATED votes" in text and note in text
    assert "| Statistic | Value | 95 % interval | n | Votes |" in (tmp_path / "agreement.md").read_text()
    assert "\u2013" in (tmp_path / "observers.md").read_text()


@pytest.mark.parametrize("name", ["agreement", "observers", "study_votes"])
def test_thin_scripts_write_what_their_rule_promises(votes, scores, tmp_path, monkeypatch, name):
    sr = pd.DataFrame({"model": ["bsrgan", "swinir"], "weights_sha256": ["ab", "cd"]})
    paths = {"votes": tmp_path / "votes.parquet", "scores": tmp_path / "scores.csv", "sr": tmp_path / "sr.parquet"}
    for table, path in ((votes, paths["votes"]), (scores, paths["scores"]), (sr, paths["sr"])):
        write_table(table, path)
    monkeypatch.syspath_prepend(SCRIPTS)
    job = importlib.import_module("hlf_job").Job(
        input={key: str(path) for key, path in paths.items()},
        output={end: str(tmp_path / f"{name}.{end}") for end in ("csv", "md", "tex", "pdf", "png")},
        settings={"run": "t", "seed": 42, "scale": "mini", "zoo": "mini", "config_hash": "ab" * 32, "paper.dpi": 50,
                  "iqa.bootstrap": 50, "study.ceiling_splits": 10},
        wildcards={}, results=tmp_path, zoo=tmp_path, mini=tmp_path, device="cpu", key="", aside={},
    )  # fmt: skip
    importlib.import_module(name).main(job)
    made = {p.suffix for p in tmp_path.glob(f"{name}.*")}
    assert made == ({".pdf", ".png"} if name == "study_votes" else {".csv", ".md", ".tex"})


def test_the_report_shows_both_tables_before_table_2_and_folds_the_long_one(votes, scores, tmp_path):
    order = [name for *_, names in compose.CHAPTERS for name in names]
    places = [order.index(name) for name in ("study_votes", "agreement", "observers", "figure4", "table2")]
    assert places == sorted(places)
    frames = {
        "agreement": study_report.agreement(votes, scores, 100, 20, 42),
        "observers": study_report.observers(votes),
    }
    sections = [compose._section(name, frame.assign(**MINI.columns()), len(scores)) for name, frame in frames.items()]
    page = report.Report(counts={}, config={}, chapters=[report.Chapter("study", "Study", "The study", sections)])
    report.write_report(tmp_path / "r.html", MINI, page)
    text = (tmp_path / "r.html").read_text()
    first, second = text.index('<div class="part" id="agreement">'), text.index('<div class="part" id="observers">')
    assert first < second and "<details>" not in text[first:second]
    assert "<details><summary>All 26 rows</summary>" in text[second:]
