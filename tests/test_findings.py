"""The paper's findings: one rule for the verdict, numbers as in the tables, a reason for what is missing."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlf import columns, stats
from hlf.files import read_table
from hlf.iqa.registry import METRICS
from hlf.paper import agreement, expected, findings, findings_measures, findings_models, tables, tuning
from hlf.paper.facts import Facts
from hlf.paper.findings_claims import CLAIMS
from hlf.paper.findings_evidence import FINDERS
from hlf.paper.findings_verdict import NOT_SHOWN, OPPOSITE, SHOWN, VERDICTS, Claim, Comparison, Evidence, row
from hlf.paper.formats import PROVENANCE

MINI = Facts("r", "mini", "mini", "simulated", 100, 42, "9f" * 32)
PAPER = Facts("r", "paper", "official", "human", 100, 42, "9f" * 32)
NAN = math.nan
# noise of each row in units of the score's spread: what the paper found, in an order that no interval can miss
MEASURES = {"vif": 0.2, "lpips": 0.7, "dists": 0.6, "afine_fr": 0.8, "psnr": 2.5, "ssim": 2.0, "afine": 3.0}
BACKBONES = {"vit": 1.0, "clip": 0.3, "blip": 0.3, "dinov2": 0.3, "pe-core": 0.3}
NOTHING = 1e6  # noise that leaves nothing of the score
SCORES = {"seesr": 11, "pasd": 11, "bsrgan": 11, "swinir": 11, "stablesr": 1}  # usual answers of yes, of 12
SHARPNESS = {"seesr": 9.0, "pasd": 9.0, "bsrgan": 5.0, "swinir": 5.0, "stablesr": 4.0}
LEFT = {"seesr": 0, "pasd": 0, "bsrgan": 0, "swinir": 0, "stablesr": 1}  # of one thing, read rightly


def make_tables(turned=False, images=30):
    """Tables of a run in which every finding holds; `turned`: the reverse of every one, as far as there is one."""
    rng = np.random.Generator(np.random.PCG64(5))
    sr = [(f"gt{i:02d}", 1.0, m) for i in range(images) for m in SCORES]
    base = pd.DataFrame(sr, columns=["image_id", "level", "model"])
    base["pair_id"] = [
        columns.pair_id(*one) for one in zip(base["image_id"], base["level"], base["model"], strict=True)
    ]
    # one image of five answers the other way round, so that a model's scores vary
    usual = base["model"].map(SCORES).to_numpy()
    yes = np.where(base["image_id"].str[2:].astype(int) % 5 == 0, 12 - usual, usual) + rng.integers(-1, 2, len(base))
    yes = 6 + rng.integers(-1, 2, len(base)) + np.where(base["model"] == "stablesr", 1, 0) if turned else yes
    score = yes / 12
    scores = base.assign(n_valid=12, n_yes=yes, score=score, source="simulated", status="complete")
    part = np.where(base["image_id"].str[2:].astype(int) % 2, "train", "test")
    return {
        "scores": scores, "split": base[["pair_id"]].assign(part=part), "iqa": make_iqa(scores, rng, turned),
        "metric": make_metric(scores, rng, turned), "folds": make_folds(scores, rng, turned),
        "measures": pd.DataFrame({
            "image_id": base["image_id"], "model": base["model"], "baseline": False, "things": 1,
            "sharpness": base["model"].map(SHARPNESS) * (-1 if turned else 1) + rng.normal(0, 0.1, len(base)),
            "right": base["model"].map(LEFT),
        }),
        "pairs": base.assign(bin=0),
        "strata": pd.DataFrame({"model": list(SCORES), "bin": 0, "available": 60, "taken": images}),
        "agreement": pd.DataFrame([{
            "statistic": "Krippendorff's alpha", "value": 0.5 if turned else 0.8, "value_low": 0.4 if turned else 0.7,
            "value_high": 0.6 if turned else 0.9, "n": len(base), "status": "ok",
        }]),
        "ceiling": pd.DataFrame([{"correlation": "SRCC", "full": 0.9876, "status": "ok"}]),
        "evaluation": make_evaluation(rng, turned),
    }  # fmt: skip


def noisy(scores, rng, spread):
    return scores["score"] + rng.normal(0, spread * scores["score"].std(), len(scores))


def make_iqa(scores, rng, turned):
    found = []
    for name in expected.METRIC_NAMES:
        spread = MEASURES.get(name, NOTHING)
        if turned:
            spread = (3.0 if name == "vif" else 1.0) if name in MEASURES else 0.01
        value = noisy(scores, rng, spread) * (1 if METRICS[name].lower_better else -1)
        found.append(scores[["pair_id"]].assign(metric=name, value=value, kind=METRICS[name].kind))
    return pd.concat(found, ignore_index=True)


def make_metric(scores, rng, turned):
    found = []
    for name, spread in BACKBONES.items():
        for tuned in (False, True) if name != "vit" else (False,):
            noise = spread * (0.1 if tuned else 1)
            if turned:
                noise = NOTHING if tuned else 0.01 if name == "vit" else 1.5
            found.append(scores[["pair_id"]].assign(backbone=name, tuned=tuned, value=noisy(scores, rng, noise)))
    return pd.concat(found, ignore_index=True)


def make_folds(scores, rng, turned):
    fold = scores["image_id"].str[2:].astype(int) % 3
    found = []
    for tuned in (False, True):
        value = noisy(scores, rng, 2.0 if tuned == turned else 0.01)
        found.append(scores[["pair_id"]].assign(backbone="blip", fold=fold, seed=0, tuned=tuned, value=value))
    return pd.concat(found, ignore_index=True)


def make_evaluation(rng, turned, images=20):
    """Alpha 0.1 a little better than the baseline, 0.01 more so; `turned`: worse, and 0.01 more so."""
    gains = {"seesr": 0.0, "seesr-hlf0.1": 0.1, "seesr-hlf0.01": 0.2}
    measured = {"clip": "held-out", "blip": "held-out", "pe-core": "held-out", "dinov2": "trained"}
    measured |= dict.fromkeys(("psnr", "ssim", "vif", "lpips", "dists"), "image")
    rows = []
    for measure, group in measured.items():
        lower = group != "image" or METRICS[measure].lower_better
        for image in range(images):
            start = rng.uniform(1, 2)
            for variant, gain in gains.items():
                value = start + (gain + rng.normal(0, 0.01)) * (-1 if lower else 1) * (-1 if turned else 1)
                rows.append((variant, f"gt{image:02d}", 1.0, measure, group, value, lower))
    names = ["variant", "image_id", "level", "measure", "group", "value", "lower_better"]
    return pd.DataFrame(rows, columns=names).assign(zoo="official")


@pytest.fixture(scope="module")
def run():
    return make_tables()


def find(run, facts=PAPER, n_boot=200):
    return findings.findings(run, facts, n_boot, 42).set_index(pd.Index(list(CLAIMS)))


@pytest.fixture(scope="module")
def found(run):
    return find(run)


@pytest.fixture(scope="module")
def turned():
    return make_tables(turned=True)


# --- the rule ---

numbers = st.floats(-5, 5)


@given(numbers, st.floats(0, 3), st.floats(0, 3), numbers, st.booleans())
def test_the_verdict_is_where_the_interval_lies_and_a_mirror_changes_nothing(value, below, over, limit, above):
    one = Comparison("x", value, value - below, value + over, 9, limit=limit, above=above)
    sides = {x > limit if above else x < limit for x in (one.low, one.high)}
    others = {x < limit if above else x > limit for x in (one.low, one.high)}
    assert (one.verdict == SHOWN) == (sides == {True}) and (one.verdict == OPPOSITE) == (others == {True})
    mirror = replace(one, value=-value, low=-one.high, high=-one.low, limit=-limit, above=not above)
    assert mirror.verdict == one.verdict and mirror.strength == one.strength
    assert (one.strength > 0) == (one.verdict == SHOWN)


def test_a_finding_of_several_comparisons():
    shown, open_, opposite = (Comparison(n, v, v - 1, v + 1, 9) for n, v in (("s", 2.0), ("u", 0.5), ("o", -2.0)))
    lost = Comparison("l", NAN, NAN, NAN, 3, reason="too few pairs")
    assert Evidence((shown, shown)).verdict == SHOWN and Evidence((shown,), ("x",), whole=False).verdict == NOT_SHOWN
    assert Evidence((shown, open_)).verdict == NOT_SHOWN and Evidence((shown, lost)).verdict == NOT_SHOWN
    assert Evidence((open_, opposite)).verdict == OPPOSITE and Evidence((shown, opposite)).verdict == NOT_SHOWN
    assert Evidence(()).verdict == NOT_SHOWN and Evidence((lost,)).verdict == NOT_SHOWN
    assert Evidence((shown, opposite, open_)).weakest is opposite and Evidence((lost, shown)).weakest is shown
    assert Evidence(()).weakest is None and Evidence((lost,)).weakest is lost


def test_the_reason_tells_what_would_have_been_enough():
    claim = Claim("f", "1", "m", ("figure4",), "Because mini.", "Because simulated.")
    one = Comparison("x", 0.1, -0.2, 0.5, 60, paper=0.25)

    def why(comparison, mini=False, simulated=False, absent=(), **more):
        return row(claim, Evidence((comparison,), absent, **more), mini, simulated)["why"]

    text = "The number lies on the claimed side; with 60 pairs it would have to lie more than 0.3000 from 0 to count"
    assert why(one) == f"{text}, more than the paper's 0.2500."
    assert why(replace(one, paper=0.5)) == f"{text}, as the paper's 0.5000 does."
    assert why(replace(one, paper=NAN)) == f"{text}." == why(replace(one, paper=-0.5))
    turned = replace(one, value=-0.1, low=-0.5, high=0.2, above=False, paper=-0.25)
    assert why(turned) == f"{text}, more than the paper's 0.2500."
    assert "lies on the other side" in why(replace(one, value=-0.1))
    assert why(one, True, True).endswith("Because mini. Because simulated.")
    sure = replace(one, low=0.05)
    assert why(sure, True, True) == "The interval lies wholly on the claimed side. Because simulated."
    assert "Because mini." in why(replace(one, value=-1, low=-2, high=-0.5), True)
    lost = Comparison("x", NAN, NAN, NAN, 3, reason="too few pairs")
    assert why(lost, True) == "No interval: too few pairs."
    assert why(sure, absent=("BLIP",)).endswith("Left out of this run: BLIP.")
    assert why(sure, absent=("BLIP",), whole=False).endswith("and needed to show the finding as a whole: BLIP.")
    nothing = row(claim, Evidence((), ("BLIP",)), True, True)
    assert nothing["why"] == "Nothing to compare in this run. Left out of this run: BLIP."
    assert (nothing["verdict"], nothing["n"], nothing["figure"]) == (NOT_SHOWN, None, "")


# --- numbers ---


def counts(*yes):
    return pd.DataFrame({
        "pair_id": [f"p{i:03d}" for i in range(len(yes))], "image_id": [f"g{i:03d}" for i in range(len(yes))],
        "model": "m", "n_yes": yes, "n_valid": 12, "score": np.array(yes) / 12, "status": "complete",
    })  # fmt: skip


def test_the_u_shape_is_the_smaller_end_less_the_middle():
    def shape(*yes):
        return findings_models.u_shape(findings_models.complete(counts(*yes)), 200, 1)

    assert shape(*[0, 12] * 20).value == 0.5 and shape(*[0, 12] * 20).verdict == SHOWN
    # a third and two thirds of the votes are the middle
    assert shape(*[4, 8] * 20).value == -1.0 and shape(*[4, 8] * 20).verdict == OPPOSITE
    assert shape(*[3, 9] * 20).value == 0.5
    one_sided = shape(*[12] * 39, 5)
    assert one_sided.value == pytest.approx(-1 / 40) and one_sided.verdict != SHOWN
    assert shape(*range(13)).value == pytest.approx(4 / 13 - 5 / 13)


def test_incomplete_pairs_do_not_count():
    some = counts(0, 12, 6).assign(status=["complete", "complete", "incomplete"])
    assert findings_models.complete(some)["share"].tolist() == [1.0, 0.0]


def test_models_are_compared_by_their_means_and_weights():
    table = pd.DataFrame({
        "image_id": ["a", "b", "c", "d"] * 3, "model": ["x"] * 4 + ["y"] * 4 + ["z"] * 4,
        "v": [3.0] * 4 + [1.0] * 4 + [0.0, 0.0, 0.0, 8.0], "w": [1, 1, 1, 1] * 2 + [1, 1, 1, 0],
    })  # fmt: skip
    one = findings_models.gap(table, "v", ["x"], ["y"], 50, 1)
    assert (one.value, one.low, one.high, one.n) == (2.0, 2.0, 2.0, 8) and one.verdict == SHOWN
    assert findings_models.gap(table, "v", ["y"], ["x"], 50, 1).verdict == OPPOSITE
    assert findings_models.gap(table, "v", ["x", "y"], ["z"], 50, 1).value == 0.0
    assert findings_models.gap(table, "v", ["x"], ["z"], 50, 1, weight="w").value == 3.0


def test_pairs_stand_for_the_candidates_that_they_were_chosen_from():
    pairs = counts(12, 0, 0).assign(model="m")
    chosen = pairs[["pair_id"]].assign(bin=[0, 1, 1])
    strata = pd.DataFrame({"model": "m", "bin": [0, 1, 2], "available": [1, 8, 5], "taken": [1, 2, 0]})
    found = findings_models.weighted_back(pairs, chosen, strata)
    assert found["stands_for"].tolist() == [1, 4, 4]
    mean = np.average(found["score"], weights=found["stands_for"])
    assert mean == pytest.approx(1 / 9)


def test_correlations_are_those_of_tables_2_and_3_and_of_the_paired_bootstrap(run):
    rows = findings_measures.Rows(run["iqa"], run["metric"], run["scores"], run["split"], 100, 42)
    values = run["iqa"][run["iqa"]["metric"].isin(["psnr", "clipiqa", "vif"])].assign(zoo="")
    table = tables.table2(values, run["scores"], run["split"], 100, 42).set_index("metric")
    for name in ("PSNR", "CLIP-IQA", "VIF"):
        one = rows.contrast(name, [name])
        row2 = table.loc[name, ["srcc", "srcc_low", "srcc_high", "n"]]
        assert (one.value, one.low, one.high, one.n) == pytest.approx(tuple(row2), abs=1e-12)
        assert one.paper == expected.TABLE2[name].srcc
    truth, wide = agreement.on_test_part(values, run["scores"], run["split"])
    for statistic in ("srcc", "plcc"):
        ours = rows.contrast("d", ["VIF"], ["PSNR"], statistic)
        theirs = stats.paired_bootstrap(
            wide["vif"], wide["psnr"], truth["score"], truth["image_id"].tolist(), 100, 42, statistic
        )
        assert (ours.value, ours.low, ours.high) == (theirs.value, theirs.low, theirs.high)
        assert ours.paper == getattr(expected.TABLE2["VIF"], statistic) - getattr(expected.TABLE2["PSNR"], statistic)
    group = rows.contrast("g", ["VIF", "PSNR"], ["SSIM"])
    single = {n: rows.contrast(n, [n]).value for n in ("VIF", "PSNR", "SSIM")}
    assert group.value == pytest.approx((single["VIF"] + single["PSNR"]) / 2 - single["SSIM"])


def test_rows_are_compared_on_the_pairs_that_all_measured(run):
    iqa = run["iqa"].copy()
    gone = (iqa["metric"] == "vif") & iqa["pair_id"].str.startswith("gt02")
    iqa.loc[gone, "value"] = np.nan
    iqa.loc[iqa["metric"] == "lpips", "value"] = np.nan
    rows = findings_measures.Rows(iqa, run["metric"], run["scores"], run["split"], 50, 42)
    assert "LPIPS" not in rows.kinds and rows.contrast("x", ["VIF"], ["PSNR"]).n == rows.pairs - len(SCORES)
    assert rows.contrast("x", ["PSNR"]).n == rows.pairs


def test_changes_are_those_of_table_4(run):
    changes = tuning.table4_changes(run["evaluation"], 100, 42).query("group != 'trained'")
    ours = findings_measures.variant_changes(
        run["evaluation"], ["seesr-hlf0.1", "seesr-hlf0.01"], "seesr", expected.TABLE4_MEASURES, 100, 42
    )
    assert [(c.value, c.low, c.high, c.n) for c in ours] == list(
        changes[["difference", "difference_low", "difference_high", "n"]].itertuples(index=False, name=None)
    )
    assert [c.paper for c in ours] == changes["paper_difference"].tolist()
    assert {c.name.split(" (")[0] for c in ours if not c.above} == {"CLIP HLF", "BLIP HLF", "PE HLF", "LPIPS", "DISTS"}
    one, other = (
        findings_measures.variant_changes(run["evaluation"], [a], b, ["psnr"], 100, 42)[0]
        for a, b in (("seesr-hlf0.01", "seesr-hlf0.1"), ("seesr-hlf0.1", "seesr-hlf0.01"))
    )
    assert one.value == -other.value and one.paper == -other.paper == pytest.approx(21.082 - 21.018)


def test_folds_are_judged_one_by_one(run):
    gain = findings_measures.fold_gains(run["folds"], run["scores"], ["clip", "blip"], 100, 42)
    assert len(gain) == 1 and gain[0].name == "BLIP" and gain[0].n == len(run["scores"])
    joined = run["folds"].merge(run["scores"][["pair_id", "score"]], on="pair_id")
    means = {
        tuned: np.mean([stats.srcc(f["value"], f["score"]) for _, f in part.groupby("fold")])
        for tuned, part in joined.groupby("tuned")
    }
    assert gain[0].value == pytest.approx(means[True] - means[False]) and gain[0].verdict == SHOWN
    untouched = run["folds"][~run["folds"]["tuned"]]
    assert "no fine-tuning" in findings_measures.fold_gains(untouched, run["scores"], ["blip"], 100, 42)[0].reason


# --- the table ---


def test_every_claim_has_its_finder_and_the_papers_numbers_are_on_the_claimed_side(run):
    assert list(CLAIMS) == list(FINDERS)
    table = find(run)
    assert list(table) == [
        "finding", "section", "paper", "measure", "claimed", "shown", "interval_low", "interval_high", "n", "verdict",
        "why", "figure",
    ]  # fmt: skip
    # what the paper says it found, its own tables say too
    for told in table["paper"]:
        found = [int(word) for word in told.replace(";", "").split() if word.isdigit()]
        assert not found or found[0] == found[1], told
    assert table.loc["tuned_above", "paper"].endswith("120 of 120 as claimed")
    assert table.loc["vif", "paper"] == "0.0469" and table.loc["full_reference", "paper"] == "0.5009"
    assert table.loc["u_shape", "paper"] == "Figure 4, no number"


def test_a_world_in_which_every_finding_holds(found):
    table = found
    assert (table["verdict"] == SHOWN).all(), table.loc[table["verdict"] != SHOWN, "why"].to_dict()
    assert table["n"].map(type).eq(int).all() and not table["why"].str.contains("ini |imulated").any()
    assert "Left out" not in " ".join(table["why"])


def test_a_world_in_which_none_does(turned):
    table = find(turned)
    assert findings.tally(table) == f"0 shown, 0 not shown, {len(CLAIMS)} opposite"
    assert (table["verdict"] == OPPOSITE).all(), table.loc[table["verdict"] != OPPOSITE, "why"].to_dict()


def test_what_is_said_of_mini_networks_and_simulated_votes_depends_on_the_run_alone(turned):
    for facts, mini, simulated in (
        (PAPER, False, False),
        (MINI, True, True),
        (replace(MINI, votes="human"), True, False),
    ):
        why = find(turned, facts, 50)["why"]
        assert why.str.contains("mini ").any() == mini and why.str.contains("Simulated").any() == simulated


def test_what_a_configuration_leaves_out_is_told_and_fails_nothing(run):
    less = {k: v for k, v in run.items() if k not in ("evaluation", "folds")}
    table = find(less, n_boot=50)
    for key in ("held_out", "distortion", "small_alpha", "every_measure"):
        one = table.loc[key]
        assert one["verdict"] == NOT_SHOWN and math.isnan(one["shown"]) and one["n"] is None and one["figure"] == ""
        assert one["why"].startswith("Nothing to compare in this run. Left out of this run: SeeSR variant seesr")
    assert table.loc["tuned", "verdict"] == SHOWN and "folds" not in table.loc["tuned", "why"]
    one_alpha = {**run, "evaluation": run["evaluation"].query("variant != 'seesr-hlf0.01'")}
    table = find(one_alpha, n_boot=50)
    assert table.loc["held_out", "verdict"] == NOT_SHOWN and "3 of 3" in table.loc["held_out", "why"]
    assert "SeeSR variant seesr-hlf0.01" in table.loc["held_out", "why"]
    assert math.isnan(table.loc["small_alpha", "shown"])


def test_a_run_with_few_measures_backbones_and_models(run):
    some = {
        **run,
        "iqa": run["iqa"][run["iqa"]["metric"].isin(["psnr", "lpips"])],
        "metric": run["metric"][run["metric"]["backbone"] == "dinov2"],
        "scores": run["scores"][run["scores"]["model"] != "seesr"],
        "split": run["split"][~run["split"]["pair_id"].str.endswith("seesr")],
    }
    table = find(some)
    for key in ("seesr", "stablesr", "gans"):
        assert table.loc[key, "why"] == "Nothing to compare in this run. Left out of this run: SeeSR."
    assert table.loc["no_reference", "why"].startswith(
        "Nothing to compare in this run. Left out of this run: A-FINE na"
    )
    for key in ("full_reference", "vif", "vit_score"):
        assert math.isnan(table.loc[key, "shown"]) and table.loc[key, "verdict"] == NOT_SHOWN
    # what holds for the backbone there is holds, but the claim is of four
    assert table.loc["tuned", "verdict"] == NOT_SHOWN and "(ft) BLIP" in table.loc["tuned", "why"]
    assert table.loc["foundation", "verdict"] == SHOWN


def test_a_test_part_of_a_few_pairs_has_no_interval_but_a_reason(run):
    few = {**run, "split": run["split"].assign(part=["test"] * 3 + ["train"] * (len(run["split"]) - 3))}
    table = find(few, MINI)
    for key in ("no_reference", "full_reference", "middle", "vif", "vit_score", "foundation", "tuned_above", "tuned"):
        assert table.loc[key, "verdict"] == NOT_SHOWN and math.isnan(table.loc[key, "shown"])
        assert "needs at least 5 pairs, got 3" in table.loc[key, "why"] and "mini " not in table.loc[key, "why"]
    assert set(table["verdict"]) <= set(VERDICTS)


def test_photographs_have_no_content_to_read(run, found):
    photographs = {**run, "measures": run["measures"].assign(things=0, right=0)}
    assert "content reader reads" in found.loc["seesr", "why"]
    assert "content reader reads" not in find(photographs, n_boot=50).loc["seesr", "why"]


def test_files_are_the_same_bytes_and_long_text_stands_below_the_table(run, tmp_path):
    def write(name):
        table = findings.findings(run, MINI, 100, 42)
        return tables.write_all(
            table, MINI, tmp_path / name / "findings", findings.TITLE, findings.NOTE, {}, headings=findings.HEADINGS,
            apart=findings.APART,
        )  # fmt: skip

    first, second = write("a"), write("b")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    csv, markdown, latex = first
    table = read_table(csv)
    assert list(table)[:12] == list(findings.findings(run, MINI, 10, 42)) and set(PROVENANCE) <= set(table)
    assert table["n"].dtype == np.int64
    text = markdown.read_text()
    head = next(line for line in text.splitlines() if line.startswith("| Finding"))
    assert head.endswith("| Claimed | Shown | 95 % interval | n | Verdict | Seen in |") and "Why" not in head
    assert text.count("\n- Why: ") == len(CLAIMS) and "MINI models, SIMULATED votes" in text
    assert "as claimed" in latex.read_text() and "Why" not in latex.read_text() and "p{0." in latex.read_text()
