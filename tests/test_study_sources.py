"""Where the votes of a run come from: a database, an export, a file; and what tells the chain that they changed."""

import pandas as pd
import pytest

from hlf import config
from hlf.columns import TABLES, pair_id
from hlf.errors import HlfError
from hlf.study.results.export import write_export
from hlf.study.running.answers import Answer
from hlf.study.running.reading import read_study
from hlf.study.sources import files_of, read_source, state_of
from study_server import database, make_study, postgres  # noqa: F401 (fixtures)


def take_part(platform, people=3):
    """People who answer everything, traps rightly."""
    for _ in range(people):
        person, _, _ = platform.consent("0" * 64)
        for number, row in enumerate(platform.practice_pairs(), 1):
            platform.practise(person, number, row.answer)
        while trials := platform.next(person)[0]:
            one = trials[0]
            answer = one.answer if one.answer >= 0 else one.pair % 2
            platform.vote(person, Answer(one.assignment, answer, f"{person}-{one.number}", 900, 800, {"zoom_max": 1.0}))


@pytest.fixture
def study(tmp_path, database):  # noqa: F811
    made = make_study(tmp_path, database, trials=10, people_quota=10, votes_per_pair=3)
    take_part(made.platform())
    return made


@pytest.fixture
def pairs():
    models = ("bsrgan", "swinir", "stablesr", "seesr", "pasd")
    return pd.DataFrame({"pair_id": [pair_id(f"img{i:03d}", 1.0, model) for i in range(2) for model in models]})


def test_a_database_and_its_export_give_the_same_votes(tmp_path, study, pairs):
    source = f"db:{study.url}#test"
    votes = read_source(source, pairs, "mini")
    assert list(votes) == list(TABLES["votes"])
    assert set(votes["run"]) == {"mini"} and set(votes["source"]) == {"human"} and votes["valid"].all()
    assert (votes[~votes["is_trap"]].groupby("pair_id").size() == 3).all()
    assert set(votes["rt_active_ms"]) == {800.0}
    data = study.storage().read(lambda c: read_study(c, "test"))
    write_export(tmp_path / "export", data, n_boot=50, splits=20)
    assert files_of(str(tmp_path / "export")) == [str(tmp_path / "export" / "votes.parquet")]
    pd.testing.assert_frame_equal(read_source(str(tmp_path / "export"), pairs, "mini"), votes)


def test_the_state_of_a_database_tells_of_every_vote_and_withdrawal(study):
    source = f"db:{study.url}#test"
    states = [state_of(source), state_of(source)]
    platform = study.platform()
    leaver, _, _ = platform.consent("0" * 64)
    assert state_of(source) == states[0]
    person = platform.storage.read(lambda c: read_study(c, "test")).participants["participant"].iloc[0]
    platform.withdraw(person)
    states.append(state_of(source))
    platform.withdraw(leaver)
    assert states[0] == states[1] != states[2] and files_of(source) == []


def test_votes_of_other_pairs_are_refused(study, pairs):
    with pytest.raises(HlfError, match=r"study 'test' of run 't' shows 1 pairs that this run has not, such as img000"):
        read_source(f"db:{study.url}#test", pairs.iloc[1:], "mini")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("votes.csv", r"votes\.csv \(study\.votes\) does not exist; give a CSV file"),
        ("db:sqlite:///no/such.sqlite#s", "there is no study in"),
        ("db:sqlite:///no/such.sqlite", "expected db:URL#STUDY"),
        ("db:mysql://host/x#s", "a study cannot be kept in 'mysql'"),
    ],
)
def test_what_is_missing_is_told_before_any_job(source, words):
    state = state_of(source)
    assert state.startswith("missing: ")
    with pytest.raises(HlfError, match=words):
        raise HlfError(state)


def test_simulated_votes_have_no_files_and_no_state():
    assert files_of("simulated") == [] and state_of("simulated") == ""


def test_a_password_stands_in_no_report():
    found = config.shown({"study": {"votes": "db:postgresql://lab:secret@host/x#s"}, "zoo": {"use": "mini"}})
    assert "secret" not in str(found) and "db:postgresql://lab:***@host/x#s" in str(found)
