"""Numbers on the owner's pages, recomputed from the votes that an export takes, on both databases."""

import statistics

import pytest
from sqlalchemy import select

from hlf.study.running import overview, roster, tallies
from hlf.study.running.reading import chain_votes, read_study
from hlf.study.running.storage import tables
from hlf.study.server.owner_view import chart
from study_owner import EVIL, filled_study
from study_server import MODELS, postgres  # noqa: F401


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory):
    return filled_study(tmp_path_factory.mktemp("overview"))


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory, postgres):  # noqa: F811
    return filled_study(tmp_path_factory.mktemp("overview"), postgres.database())


@pytest.fixture(params=["on_sqlite", "on_postgres"])
def numbers(request):
    """A filled study's platform, and the time."""
    study, now = request.getfixturevalue(request.param)
    return study.platform(), now


def test_numbers_equal_those_of_the_exported_votes(numbers):
    platform, now = numbers
    name = platform.study
    data = platform.storage.read(lambda c: read_study(c, name))
    votes = chain_votes(data)
    valid = votes[votes["valid"] & ~votes["is_trap"]]
    seen = platform.storage.read(lambda c: overview.read_overview(c, name, now))
    per_pair = valid.groupby("pair_id").size().reindex(data.pairs["pair"], fill_value=0)
    assert seen.votes.valid == len(valid) and seen.votes.pairs == 20
    assert seen.votes.left_out == (~votes["valid"] & ~votes["is_trap"]).sum() > 0
    counts = dict(per_pair.clip(upper=8).value_counts())
    assert {bar.first: bar.pairs for bar in seen.votes.bars if bar.pairs} == counts
    assert seen.votes.missing == (8 - per_pair.clip(upper=8)).sum() and seen.votes.complete == (per_pair >= 8).sum()
    scores = valid.groupby("pair_id")["answer"].mean()
    models = data.pairs.set_index("pair")["model"].reindex(scores.index)
    found = {one.model: one for one in platform.storage.read(lambda c: tallies.read_models(c, name))}
    assert sorted(found) == sorted(MODELS)
    for model, own in scores.groupby(models):
        assert found[model].score == pytest.approx(own.mean()) and found[model].above_half == (own > 0.5).mean()
        assert found[model].votes == (valid["pair_id"].map(models) == model).sum()
    split = platform.storage.read(lambda c: tallies.read_split(c, name, 4, 5))
    uneven = (scores[(scores > 0) & (scores < 1) & (per_pair.reindex(scores.index) >= 4)] - 0.5).abs().sort_values()
    assert [abs(one.yes / one.n - 0.5) for one in split] == pytest.approx(uneven.head(5).tolist())


def test_people_and_traps_equal_the_exported_votes(numbers):
    platform, _ = numbers
    data = platform.storage.read(lambda c: read_study(c, platform.study))
    votes = data.votes.merge(data.traps[["pair", "answer"]].rename(columns={"answer": "right"}), how="left", on="pair")
    people = platform.storage.read(lambda c: roster.read_people(c, platform.study))
    assert [one.number for one in people] == list(range(1, 15))
    for one in people:
        own = votes[votes["participant"] == one.id]
        traps, trials = own[own["right"].notna()], own[own["right"].isna()]
        assert (one.votes, one.yes, one.traps) == (len(trials), trials["answer"].sum(), len(traps))
        assert one.failed == (traps["answer"] != traps["right"]).sum()
        assert one.median_rt_ms == (statistics.median(own["rt_active_ms"]) if len(own) else None)
    fourth, fifth, last = people[3], people[4], people[-1]
    assert not fourth.counted and fourth.failed == fourth.traps >= 8
    assert (fifth.outcome, fifth.votes, fifth.counted) == ("withdrawn", 0, False)
    assert last.outcome is None and people[6].comment == EVIL
    traps = votes[votes["right"].notna()]
    for row in platform.storage.read(lambda c: roster.read_known(c, platform.study)):
        if row.role == "trap":
            own = traps[traps["pair"] == row.name]
            assert (row.seen, row.failed) == (len(own), (own["answer"] != own["right"]).sum())
        else:
            assert (row.seen, row.failed) == (13, 13)  # all but who withdrew; the test answers all wrongly
    crowd = platform.storage.read(lambda c: overview.read_crowd(c, platform.study, last.last_seen + 1))
    assert (crowd.consented, crowd.declined, crowd.left_out, crowd.under_way, crowd.practising) == (14, 1, 1, 1, 0)
    assert crowd.online == 1 and crowd.ended["withdrawn"] == 1 and sum(crowd.ended.values()) == 13


def test_holds_and_pace_follow_the_clock(numbers):
    platform, _ = numbers

    def votes(at):
        return platform.storage.read(lambda c: overview.read_overview(c, platform.study, at)).votes

    times = platform.storage.read(lambda c: c.execute(select(tables.vote_event.c.server_utc)).scalars().all())
    latest = max(times)
    assert 1 <= votes(latest).holds <= 3 and votes(latest + 31 * 60_000).holds == 0
    busy, later, gone = votes(latest + 1), votes(latest + overview.HOUR), votes(latest + 24 * overview.HOUR)
    assert busy.last_hour == busy.last_day == busy.valid
    assert later.last_hour == 0 < later.last_day and gone.last_day == 0
    assert busy.hours_left == pytest.approx(busy.missing / busy.valid)
    assert later.hours_left == pytest.approx(24 * busy.hours_left) and gone.hours_left is None
    assert "pace of the last hour" in overview.time_left(busy) and "cannot be told" in overview.time_left(gone)


def test_the_chart_shows_every_bar_once():
    bars = overview.bars({0: 3, 2: 1, 12: 4, 13: 1}, 12)
    columns = chart(bars)
    assert len(columns) == 13 and columns[-1].label == "12+" and columns[-1].count == "5"
    assert columns[1].height == 0 and columns[-1].height == max(column.height for column in columns)
    many = overview.bars({5: 1, 99: 2, 100: 7, 130: 1}, 100)
    assert sum(bar.pairs for bar in many) == 11 and len(many) <= 31 and many[-1].pairs == 8
    assert [bar.first for bar in many[1:]] == [bar.last + 1 for bar in many[:-1]]
    assert len([column for column in chart(many) if column.label]) <= 13
