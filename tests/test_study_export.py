"""The export folder: what stands in it, the same bytes twice, what is refused, and the way back into the pipeline."""

import csv
import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlf.columns import TABLES as PIPELINE
from hlf.errors import HlfError
from hlf.study.results.data import TABLES as COLUMNS
from hlf.study.results.data import StudyData, check, votes_of
from hlf.study.results.dictionary import TABLES, iso_time
from hlf.study.results.export import export_tables, read_export, to_sureal, without_formulas, write_export
from hlf.study.results.flags import RULES
from hlf.study.scores import score_pairs
from hlf.study.screening import apply_screening
from study_data import make_pairs, make_votes, study_data

QUICK = {"n_boot": 50, "splits": 10}
NAMES = ["votes", "pairs", "participants", "traps", "screening"]


@pytest.fixture(scope="module")
def study() -> StudyData:
    pairs = make_pairs(12, ("bsrgan", "swinir"), (0.3,))
    return study_data(pairs, make_votes(pairs, careless=("coin", "no"), seed=3))


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "st1"
    write_export(path, study, **QUICK)
    return path


def files(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def change(study, name, **columns):
    return dataclasses.replace(study, **{name: getattr(study, name).assign(**columns)})


def test_the_folder_holds_every_table_twice(folder):
    assert set(files(folder)) == {
        *(f"{name}.{end}" for name in NAMES for end in ("csv", "parquet")), "summary.json", "datasheet.md",
        "data_dictionary.md",
    }  # fmt: skip
    wanted = "study source participant pair gt_file sr_file model degradation is_trap trap_answer answer rt_ms "
    wanted += "rt_active_ms order_index gt_side late revisions zoom_max dpr css_w valid"
    assert list(pd.read_parquet(folder / "votes.parquet")) == wanted.split()
    for name in NAMES:
        table = pd.read_parquet(folder / f"{name}.parquet")
        again = pd.read_csv(folder / f"{name}.csv", keep_default_na=False, na_values=[""])
        assert list(table) == list(again) == list(TABLES[name])
        for column in table:
            values, read = table[column], again[column]
            if TABLES[name][column][0] in ("str", "time"):
                # ids of digits come back as numbers, as from any CSV
                assert values.tolist() == read.fillna("").astype(str).tolist() or column == "image_id"
            else:
                a, b = values.astype(float).to_numpy(), read.astype(float).to_numpy()
                assert np.array_equal(a, b, equal_nan=True), column


def test_same_study_same_bytes_whatever_the_order_of_rows(study, folder, tmp_path):
    names = ("votes", "pairs", "traps", "participants", "recruit")
    turned = dataclasses.replace(study, **{n: getattr(study, n).sample(frac=1, random_state=1) for n in names})
    turned = dataclasses.replace(turned, settings=dict(reversed(list(study.settings.items()))))
    write_export(tmp_path / "a", turned, **QUICK)
    assert files(tmp_path / "a") == files(folder)
    write_export(tmp_path / "a", study, **QUICK)
    assert files(tmp_path / "a") == files(folder)


def test_rows_are_sorted_and_times_are_utc(folder):
    votes = pd.read_parquet(folder / "votes.parquet")
    assert votes.sort_values(["participant", "order_index"]).index.tolist() == list(range(len(votes)))
    people = pd.read_parquet(folder / "participants.parquet")
    for column in ("created", "consented", "finished"):
        assert people[column].str.fullmatch(r"2026-01-01T\d\d:\d\d:\d\d\.123Z").all()
    assert iso_time(None) == iso_time(float("nan")) == ""
    assert not re.search(rb"\r", (folder / "votes.csv").read_bytes())


def test_scores_are_those_of_the_pipeline(study, folder):
    pairs = make_pairs(12, ("bsrgan", "swinir"), (0.3,))
    read = read_export(folder, pairs, "t")
    assert list(read) == list(PIPELINE["votes"])
    scores = score_pairs(pairs, read, 12, "t").set_index("pair_id")
    table = pd.read_parquet(folder / "pairs.parquet").set_index("pair").loc[scores.index]
    for ours, theirs in (
        ("n_valid", "n_valid"), ("n_yes", "n_yes"), ("score", "score"), ("wilson_lo", "wilson_low"),
        ("wilson_hi", "wilson_high"), ("status", "status"), ("source", "source"),
    ):  # fmt: skip
        assert table[ours].tolist() == scores[theirs].tolist()
    assert ((table["jeffreys_lo"] <= table["score"]) & (table["score"] <= table["jeffreys_hi"])).all()
    assert (table["n_all"] >= table["n_valid"]).all() and (table["n_all"] > table["n_valid"]).any()
    # and the way through a CSV of votes gives the same
    assert read.drop(columns="run").equals(apply_screening(read).drop(columns="run"))


def test_rules_that_were_switched_on_reach_the_pipeline(study, tmp_path):
    pairs = make_pairs(12, ("bsrgan", "swinir"), (0.3,))
    strict = dataclasses.replace(study, rules=("traps", "informedness"))
    summary = write_export(tmp_path / "e", strict, **QUICK)
    read = read_export(tmp_path / "e", pairs, "t")
    out = set(read.loc[~read["valid"], "participant"])
    assert {"p16", "p17"} <= out and len(out) == summary["counts"]["people_excluded"]
    assert summary["screening"]["excluding"] == ["informedness", "traps"]
    screening = pd.read_parquet(tmp_path / "e" / "screening.parquet")
    assert set(screening.loc[~screening["keep"], "participant"]) == out
    assert set(screening.loc[screening["excludes"], "rule"]) == {"traps", "informedness"}


def test_summary_tells_all_and_is_plain_json(study, folder):
    text = (folder / "summary.json").read_text()
    summary = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    counts = summary["counts"]
    assert counts["participants"] == counts["people_kept"] + counts["people_excluded"] == 18
    assert counts["declined"] == 3 and counts["complete_pairs"] == counts["pairs"] == 24
    assert sum(summary["votes_of_pairs"].values()) == 24
    assert [row["model"] for row in summary["models"]] == ["bsrgan", "swinir", "all models"]
    assert set(summary["agreement"]) >= {"alpha", "kappa", "icc1", "icck", "percent"}
    assert summary["agreement"]["alpha"]["low"] < summary["agreement"]["alpha"]["value"]
    assert 0 < summary["ceiling"]["srcc"]["full"] <= 1
    assert set(summary["order"]) == {"all models", "bsrgan", "swinir"}
    assert sum(row["n"] for row in summary["order"]["all models"]) == counts["valid_votes"]
    assert sum(row["n"] for row in summary["rt_by_score"]) == counts["valid_votes"]
    assert [row["rule"] for row in summary["screening"]["rules"]] == list(RULES)
    assert summary["screening"]["pairs_moved"] > 0 and summary["warning"] == ""
    assert set(summary["versions"]) == {"hlf", "numpy", "pandas", "pyarrow", "python", "scipy"}
    assert summary["seed"] == 42 and summary["config_hash"] == "9f" * 32


def test_people_and_traps(study, folder):
    people = pd.read_parquet(folder / "participants.parquet").set_index("participant")
    assert (
        people.loc["p17", "flags"].split() == ["traps", "same_answer", "informedness"] and not people.loc["p17", "keep"]
    )
    assert people.loc["p17", "bias"] == people["bias"].max() and people.loc["p17", "yes_rate"] == 0
    assert people["counted"].equals(people["keep"])
    traps = pd.read_parquet(folder / "traps.parquet").set_index("pair")
    answers = study.votes[study.votes["pair"].isin(traps.index)].merge(study.traps, on="pair", suffixes=("", "_right"))
    wrong = (answers["answer"] != answers["answer_right"]).groupby(answers["pair"]).sum()
    assert traps["n_failed"].tolist() == wrong.loc[traps.index].tolist() and (traps["n"] == 18).all()
    assert (traps["n_kept"] == people["keep"].sum()).all() and traps["n_failed"].sum() > traps["n_failed_kept"].sum()
    votes = pd.read_parquet(folder / "votes.parquet")
    assert (votes.loc[votes["is_trap"], ["model", "gt_file"]].drop_duplicates().to_numpy() == ["", "a.png"]).all()
    assert (
        votes.loc[votes["is_trap"], "degradation"].isna().all()
        and (votes["trap_answer"][~votes["is_trap"]] == -1).all()
    )


def test_dictionary_and_datasheet_fit_the_tables(folder):
    text = (folder / "data_dictionary.md").read_text()
    for name in NAMES:
        part = text.split(f"## {name}\n")[1].split("\n## ")[0]
        assert re.findall(r"^\| (\w+) \|", part, re.M)[1:] == list(TABLES[name])
    sheet = (folder / "datasheet.md").read_text()
    assert "24 of 24 pairs are complete" in sheet and "traps: fails its traps consistently" in sheet
    assert "simulated" not in sheet.split("## Why")[0] and "recruit links" not in sheet


# --- refused ---


def test_simulated_votes_are_refused_and_marked(study, tmp_path):
    simulated = change(study, "participants", source="simulated")
    with pytest.raises(HlfError, match="are simulated: they test the software and say nothing about any SR model"):
        write_export(tmp_path / "e", simulated, **QUICK)
    assert not (tmp_path / "e").exists()
    summary = write_export(tmp_path / "e", simulated, allow_simulated=True, **QUICK)
    assert summary["source"] == "simulated" and "say nothing about any SR model or any person" in summary["warning"]
    assert summary["warning"] in (tmp_path / "e" / "datasheet.md").read_text()
    assert set(pd.read_parquet(tmp_path / "e" / "votes.parquet")["source"]) == {"simulated"}
    model = change(study, "participants", source="vlm:x")
    with pytest.raises(HlfError, match="are vlm:x"):
        write_export(tmp_path / "f", model, **QUICK)
    assert (
        "come from vlm:x, not from people"
        in write_export(tmp_path / "f", model, allow_simulated=True, **QUICK)["warning"]
    )


def test_sources_are_never_mixed(study, tmp_path):
    sources = np.where(study.participants["number"] > 13, "simulated", "human")
    mixed = change(study, "participants", source=sources)
    with pytest.raises(HlfError, match=r"votes of \['human', 'simulated'\], which are never averaged"):
        write_export(tmp_path / "e", mixed, **QUICK)
    summary = write_export(tmp_path / "e", mixed, source="human", **QUICK)
    votes = pd.read_parquet(tmp_path / "e" / "votes.parquet")
    assert set(votes["source"]) == {"human"} and set(votes["participant"]) == {f"p{k:02d}" for k in range(13)}
    # fewer people, so every pair is short of votes: told, not hidden
    table = pd.read_parquet(tmp_path / "e" / "pairs.parquet")
    assert (table["status"] == "incomplete").any() and summary["counts"]["participants"] == 13
    with pytest.raises(HlfError, match="has no votes of source 'vlm:x'"):
        write_export(tmp_path / "e", mixed, source="vlm:x", **QUICK)


def test_an_unfinished_study_has_an_export_that_says_so(study, tmp_path):
    few = dataclasses.replace(study, votes=study.votes[study.votes["participant"] < "p01"])
    summary = write_export(tmp_path / "e", few, **QUICK)
    table = pd.read_parquet(tmp_path / "e" / "pairs.parquet")
    assert (table["status"] == "incomplete").all() and len(table) == 24
    empty = table[table["n_valid"] == 0]
    assert len(empty) and empty["score"].isna().all()
    assert (empty[["wilson_lo", "wilson_hi", "jeffreys_lo", "jeffreys_hi"]].to_numpy() == [0, 1, 0, 1]).all()
    for part in ("models", "agreement", "ceiling"):
        assert summary[part]["status"] == f"undefined: no pair has {study.votes_per_pair} valid votes yet"
    people = pd.read_parquet(tmp_path / "e" / "participants.parquet")
    assert len(people) == 18 and people.loc[people["participant"] > "p00", "votes"].eq(0).all()
    with pytest.raises(HlfError, match="holds no vote yet"):
        write_export(tmp_path / "e", dataclasses.replace(study, votes=study.votes.head(0)), **QUICK)


def test_exports_of_traps_alone(study, tmp_path):
    names = study.traps["pair"]
    only = dataclasses.replace(study, votes=study.votes[study.votes["pair"].isin(names)])
    assert write_export(tmp_path / "e", only, **QUICK)["counts"]["votes"] == 0


def test_a_study_before_anybody_came_has_empty_tables(study):
    nobody = {n: getattr(study, n).head(0) for n in ("votes", "participants", "recruit")}
    votes, flags, tables = export_tables(dataclasses.replace(study, **nobody))
    assert votes.empty and flags.empty and len(tables["pairs"]) == 24 and tables["participants"].empty
    plain = {n: pd.DataFrame(columns=list(c)) for n, c in COLUMNS.items()}
    assert export_tables(dataclasses.replace(study, **plain))[2]["traps"].empty
    with pytest.raises(HlfError, match="holds no vote yet"):
        write_export("never", dataclasses.replace(study, **nobody))


def test_another_folder_is_never_replaced(study, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(HlfError, match=r"holds thesis\.tex, which is no part of an export"):
        write_export(tmp_path / "mine", study, **QUICK)
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"
    (tmp_path / "file").write_text("x")
    with pytest.raises(HlfError, match="is a file"):
        write_export(tmp_path / "file", study, **QUICK)


def test_an_export_that_fails_leaves_the_old_one(study, folder, tmp_path, monkeypatch):
    write_export(tmp_path / "e", study, **QUICK)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hlf.study.results.export.write_json", fail)
    with pytest.raises(HlfError, match="No space left"):
        write_export(tmp_path / "e", study, **QUICK)
    assert files(tmp_path / "e") == files(folder) and [p.name for p in tmp_path.iterdir()] == ["e"]


def first(study, name, column, value):
    table = getattr(study, name).copy()
    table[column] = table[column].astype(object)
    table.iloc[0, table.columns.get_loc(column)] = value
    return dataclasses.replace(study, **{name: table})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda s: first(s, "votes", "answer", 2), "table votes, 1 rows: .*answer 2 is not 0 or 1"),
        (lambda s: first(s, "votes", "pair", "x"), "pair 'x' is in no other table"),
        (lambda s: first(s, "votes", "participant", "x"), "participant 'x' is in no other table"),
        (lambda s: first(s, "votes", "gt_side", "up"), "gt_side 'up' is not left or right"),
        (lambda s: first(s, "participants", "source", "robot"), "source 'robot' is not human"),
        (lambda s: first(s, "recruit", "participant", "x"), "participant 'x' is no participant"),
        (lambda s: first(s, "traps", "answer", -1), "answer -1 is not 0 or 1"),
        (lambda s: first(s, "traps", "pair", s.pairs["pair"].iloc[0]), "is the name of a pair, too"),
        (lambda s: dataclasses.replace(s, votes=pd.concat([s.votes, s.votes.head(1)])), "stands there twice"),
        (lambda s: dataclasses.replace(s, votes=s.votes.drop(columns="late")), r"votes lacks columns \['late'\]"),
    ],
)
def test_contradictions_are_refused(study, tmp_path, wrong, words):
    with pytest.raises(HlfError, match=words):
        write_export(tmp_path / "e", wrong(study), **QUICK)
    assert not (tmp_path / "e").exists()


# --- privacy and spreadsheets ---


def test_recruiting_ids_only_when_asked_for(study, folder, tmp_path):
    assert not any(b"pid1" in content for content in files(folder).values())
    write_export(tmp_path / "e", study, with_recruit_ids=True, **QUICK)
    assert pd.read_parquet(tmp_path / "e" / "recruit.parquet")["recruit_id"].tolist() == ["pid1", "pid2"]
    assert "Do not publish it" in (tmp_path / "e" / "datasheet.md").read_text()
    write_export(tmp_path / "e", study, **QUICK)
    assert not (tmp_path / "e" / "recruit.csv").exists()


FORMULAS = ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"]


def test_cells_that_a_spreadsheet_would_run_are_marked(study, tmp_path):
    comments = [*FORMULAS, "a, b", 'quote "x"', "two\r\nlines\rthree", "ein Schlüssel, 鍵", None]
    people = study.participants.assign(comment=(comments * 2)[: len(study.participants)])
    write_export(tmp_path / "e", dataclasses.replace(study, participants=people), **QUICK)
    with (tmp_path / "e" / "participants.csv").open(encoding="utf8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == len(people)
    given = [comment if isinstance(comment, str) else "" for comment in people["comment"]]
    for row, text in zip(rows, given, strict=True):
        assert not row["comment"].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
        assert row["comment"].removeprefix("'") == text.replace("\r\n", "\n").replace("\r", "\n")
        assert row["comment"].startswith("'") == (text in FORMULAS)
    kept = pd.read_parquet(tmp_path / "e" / "participants.parquet")["comment"]
    assert kept.tolist() == given
    # numbers stay numbers
    assert min(float(row["bias"]) for row in rows if row["bias"]) < 0


@given(st.text(max_size=8))
def test_no_text_reaches_a_csv_cell_as_a_formula(text):
    table = pd.DataFrame({"study": ["s"], **{n: [text] for n in ("participant", "recruit_id")}}).assign(
        recruit_study="", recruit_session=""
    )
    cell = without_formulas(table, "recruit")["recruit_id"].iloc[0]
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) and "\r" not in cell


# --- back into other programs ---


def test_votes_of_other_pairs_or_other_tables_are_refused(folder, tmp_path):
    with pytest.raises(HlfError, match="name a pair that is not in this study"):
        read_export(folder, make_pairs(11, ("bsrgan", "swinir"), (0.3,)), "t")
    with pytest.raises(HlfError, match="does not exist"):
        read_export(tmp_path, make_pairs(), "t")
    pd.DataFrame({"participant": ["a"]}).to_parquet(tmp_path / "votes.parquet")
    with pytest.raises(HlfError, match="lacks columns"):
        read_export(tmp_path, make_pairs(), "t")


def test_sureal_reads_the_data_set(study, folder, tmp_path):
    """What its RawDatasetReader asserts: content ids from 0 that all exist, opinions by person."""
    written = to_sureal(folder, tmp_path / "s.json")
    read = json.loads((tmp_path / "s.json").read_text())
    assert read == written
    contents = [ref["content_id"] for ref in read["ref_videos"]]
    assert contents == list(range(12)) and read["ref_videos"][0]["path"] == "gt/000.png"
    assert {dis["content_id"] for dis in read["dis_videos"]} == set(contents)
    assert [dis["asset_id"] for dis in read["dis_videos"]] == list(range(24))
    table = pd.read_parquet(folder / "pairs.parquet")
    means = [np.mean(list(dis["os"].values())) for dis in read["dis_videos"]]
    assert means == pytest.approx(table["score"].tolist()) and read["dis_videos"][0]["path"] == table["sr_file"].iloc[0]
    everybody = to_sureal(folder, tmp_path / "s.json", only_valid=False)
    assert [len(dis["os"]) for dis in everybody["dis_videos"]] == table["n_all"].tolist()


def test_votes_of_a_study_go_into_the_screening_and_scores(study):
    votes, flags, tables = export_tables(study)
    assert set(PIPELINE["votes"]) <= set(votes) and "valid" not in votes_of(study)
    assert votes["participant"].nunique() == flags["participant"].nunique() == 18
    assert set(tables) == {*NAMES, "recruit"}
    check(study)
    one_zero = change(study, "participants", passed=1, counted=study.participants["counted"].astype(int))
    assert export_tables(one_zero)[2]["participants"].equals(tables["participants"])


def test_a_server_that_counts_others_is_told(study, caplog):
    export_tables(change(study, "participants", counted=True))
    assert "the server's count of 2 people, such as p16" in caplog.text
