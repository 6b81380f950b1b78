"""Simulated people: assignment, traps, answers, and the screening of careless ones."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlf.errors import HlfError
from hlf.files import write_table
from hlf.seeds import generator
from hlf.study.scores import score_pairs
from hlf.study.screening import apply_screening, passes, screen
from hlf.study.settings import Settings
from hlf.study.simulated.observers import draw_observer, strength_of
from hlf.study.simulated.simulate import simulate_votes
from study_helpers import bimodal_errors, run_study, shown_of, study_pairs


@pytest.fixture(scope="module")
def votes():
    return run_study()


def test_every_pair_gets_its_valid_votes_and_no_more(votes):
    counts = votes[votes["valid"] & ~votes["is_trap"]].groupby("pair_id").size()
    assert set(counts.index) == set(study_pairs()["pair_id"])
    assert set(counts) == {12}
    assert not votes.duplicated(["participant", "pair_id"]).any()
    assert set(votes["source"]) == {"simulated"} and set(votes["answer"]) == {0, 1}


def test_traps_are_rare_balanced_and_never_early_or_in_a_row(votes):
    for person, sheet in votes.groupby("participant"):
        assert (sheet["order_index"] == np.arange(len(sheet))).all()
        trap = sheet["is_trap"].to_numpy()
        assert not trap[:3].any()
        assert not (trap[1:] & trap[:-1]).any()
        # near the end nothing is left for some before their quota
        if (~trap).sum() == 60:
            assert trap.sum() >= 8 and abs(2 * sheet.loc[trap, "trap_answer"].sum() - trap.sum()) <= 1, person
        assert (sheet.loc[~trap, "trap_answer"] == -1).all()


def test_each_person_sees_the_models_equally(votes):
    shown = votes[~votes["is_trap"]]
    model = shown["pair_id"].str.split("@").str[-1]
    shares = pd.crosstab(shown["participant"], model)
    # within one of the half that each of two models has, while pairs of both are left
    full = shares[shares.sum(axis=1) == 60]
    assert len(full) > 20 and (full - 30).abs().max().max() <= 1


def test_same_seed_same_bytes_whatever_the_row_order(tmp_path, votes):
    shown = shown_of(study_pairs().sample(frac=1, random_state=1))
    errors = bimodal_errors(study_pairs()).sample(frac=1, random_state=2)
    again = simulate_votes(shown, errors, Settings(people_quota=60), 0.12, 42, "t")
    write_table(votes, tmp_path / "a.parquet")
    write_table(again, tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    other = run_study(seed=43)
    assert len(other) != len(votes) or (other["answer"] != votes["answer"]).any()


def pass_rate(kind_wanted, people=300):
    """Share of drawn people of one kind whom 8 traps keep."""
    kept = []
    number = 0
    while len(kept) < people:
        number += 1
        rng = generator(7, "people", number)
        observer = draw_observer("p", 0.0 if kind_wanted == "attentive" else 0.999, rng)
        if observer.kind == kind_wanted:
            truth = np.arange(8) % 2
            kept.append(passes(8, int((observer.answers(np.where(truth, 2.0, -2.0), rng) != truth).sum())))
    return np.mean(kept)


def test_attentive_people_pass_and_careless_people_do_not():
    assert pass_rate("attentive") > 0.98
    # binomial: a coin fails at least 3 of 8 traps with probability 0.855
    assert pass_rate("coin") == pytest.approx(1 - 0.855, abs=0.06)
    assert pass_rate("always_no") == 0
    assert pass_rate("too_fast") < 0.7


def test_rejected_people_do_not_count_but_stay_in_the_table(votes):
    judged = screen(votes).set_index("participant")
    assert (votes["valid"] == votes["participant"].map(judged["keep"])).all()
    assert 0 < (~judged["keep"]).mean() < 0.3
    assert judged.loc[~judged["keep"], "flag"].str.match(r"failed \d+ of \d+ traps").all()


def test_bimodal_errors_give_a_u_of_scores_that_follows_them(votes):
    pairs = study_pairs()
    scores = score_pairs(pairs, votes, 12, "t").set_index("pair_id")["score"]
    ends = ((scores < 0.25) | (scores > 0.75)).mean()
    middle = ((scores > 0.375) & (scores < 0.625)).mean()
    assert ends > 0.75 > 0.15 > middle
    errors = bimodal_errors(pairs).set_index("pair_id")["content_error"]
    assert errors.corr(scores) > 0.9


def test_yes_grows_with_the_strength_and_lapses_bound_it():
    for number in range(50):
        observer = draw_observer("p", 0.3, generator(1, "curve", number))
        shares = observer.p_yes(np.linspace(-2, 2, 41))
        assert (np.diff(shares) >= 0).all()
        assert shares.min() >= observer.lapse / 2 and shares.max() <= 1 - observer.lapse / 2


def test_small_study_asks_everybody_everything():
    pairs = study_pairs(3)
    votes = run_study(pairs)
    sizes = votes[~votes["is_trap"]].groupby("participant").size()
    # 13th and later people come only because somebody before them was left out
    assert len(sizes) >= 12 and (sizes == len(pairs)).all()


def test_a_study_of_careless_people_ends_with_a_sentence(monkeypatch):
    # a third of the careless is caught too rarely for the study never to end; a lower limit shows the refusal
    monkeypatch.setattr("hlf.study.simulated.simulate.MAX_PEOPLE", 1)
    with pytest.raises(HlfError, match=r"of 20 pairs still lack valid votes; lower study\.careless"):
        run_study(study_pairs(5), careless=0.9, votes=6, quota=20)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda e: e.assign(content_error=1.5), "no content error"),
        (lambda e: e.assign(content_error=float("nan")), "no content error"),
        (lambda e: e.iloc[1:], "no content error"),
        (lambda e: e.rename(columns={"content_error": "error"}), "lacks columns"),
        (lambda e: pd.concat([e, e.head(1)]), "more than once"),
    ],
)
def test_content_errors_are_checked(change, word):
    pairs = study_pairs(2)
    with pytest.raises(HlfError, match=word):
        strength_of(pairs, change(bimodal_errors(pairs)))


# screening


@given(st.integers(0, 200), st.integers(0, 200))
def test_trap_rule_never_rejects_for_fewer_failures(seen, failed):
    failed = min(failed, seen)
    assert passes(seen, 0)
    assert passes(seen, failed) or not passes(seen, seen)
    if seen >= 8:
        assert passes(seen, failed) == (failed < seen / 3)
        assert not passes(seen, seen // 2)  # always the same answer


def test_people_without_traps_are_kept_and_flagged():
    table = pd.DataFrame({"participant": ["a", "a"], "is_trap": False, "trap_answer": -1, "answer": [0, 1]})
    assert screen(table).iloc[0].to_dict() == {
        "participant": "a", "traps": 0, "failed": 0, "keep": True, "flag": "undecided: saw 0 traps, 4 needed",
    }  # fmt: skip
    assert apply_screening(table)["valid"].all()
