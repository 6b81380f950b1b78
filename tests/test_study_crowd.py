"""Many people at once: no pair gets too much or too little, nothing is counted twice, whatever they do."""

import random

import pytest

from hlf.study.running.people import Refused
from hlf.study.running.storage import tables
from hlf.study.running.verdicts import screen_study
from study_people import (
    MINUTE,
    SECOND,
    answer,
    coin,
    drift,
    events,
    join,
    loads,
    make,
    participant,
    rows,
    sit,
    together,
    votes,
)
from study_server import database, postgres

__all__ = ["database", "make", "postgres"]
PEOPLE = 40


def broken(found):
    return [one for one in found if isinstance(one, Exception)]


def test_40_people_who_open_one_pair_before_any_answers_hold_it_12_times(make):
    study = make(trials=1, votes_per_pair=12)
    people = [join(study) for _ in range(PEOPLE)]
    found = together(study.next, people)
    assert broken(found) == []
    holders = {person: one[0][0] for person, one in zip(people, found, strict=True) if one[0]}
    assert len(holders) == 12 and list(loads(study).values()) == [12]
    assert sum(participant(study, person).outcome == "nothing_left" for person in people) == PEOPLE - 12
    # nobody answers in time: twelve others take the places, then all twelve late votes count too
    study.clock.pass_(6 * MINUTE)
    others = [join(study) for _ in range(PEOPLE)]
    taken = together(lambda person: sit(study, person), others)
    assert broken(taken) == [] and sum(map(len, taken)) == 12
    late = together(lambda person: answer(study, person, holders[person]), holders)
    assert [one[0] for one in late] == [True] * 12
    assert list(votes(study).values()) == [24] and list(loads(study).values()) == [24]


def test_40_people_fill_every_pair_exactly(make):
    study = make(trials=25, votes_per_pair=12)
    people = together(lambda _: join(study), range(PEOPLE))
    shown = together(lambda person: sit(study, person), people)
    assert broken(people) == broken(shown) == []
    assert sorted(row.number for row in rows(study, tables.participant)) == list(range(1, PEOPLE + 1))
    pairs = [row.id for row in rows(study, tables.pair, tables.pair.c.role == "trial")]
    assert votes(study) == dict.fromkeys(pairs, 12) == loads(study)
    assert all(len({one.pair for one in own}) == len(own) for own in shown)
    assert events(study) == sum(map(len, shown))
    assert not any(row.late for row in rows(study, tables.vote_event))


def test_a_storm_of_retries_is_one_vote_with_one_reply(make):
    study = make()
    person = join(study)
    first = study.next(person)[0][0]
    replies = together(lambda _: answer(study, person, first, 1, "one-key"), range(20))
    assert broken(replies) == [] and len(set(replies)) == 1
    assert replies[0][0] is False and replies[0][1].answered == 1
    assert events(study) == 1


def test_a_storm_of_undos_takes_back_one_vote(make):
    study = make(undo=3)
    person = join(study)
    sit(study, person, trials=3)
    replies = together(lambda _: study.undo(person, "one-key"), range(10))
    assert broken(replies) == [] and len({trial.assignment for trial, _ in replies}) == 1
    assert {progress.answered for _, progress in replies} == {2}


def test_several_tabs_of_one_person_share_their_holds(make):
    study = make()
    person = join(study)
    found = together(lambda _: study.next(person)[0], range(12))
    assert broken(found) == [] and all(one == found[0] for one in found) and len(found[0]) == 3
    assert sum(loads(study).values()) == 3


def test_one_recruiting_id_that_joins_many_times_at_once_is_one_person(make):
    from hlf.study.running.people import Recruit

    study = make()
    found = together(lambda _: study.consent("c" * 64, recruited=Recruit("pid1", "st", "se")), range(10))
    assert broken(found) == [] and len({person for person, _, _ in found}) == 1
    assert len(rows(study, tables.participant)) == 1
    # only the last cookie opens the door
    assert sum(study.person(token) is not None for _, token, _ in found) == 1


def test_a_one_use_link_lets_one_of_many_in(make):
    study = make()
    row = {"code_hash": hashed(study, "code"), "study": "s", "label": "", "one_use": True, "source": "human"}
    study.storage.write(lambda c: c.execute(tables.invite.insert().values(created=0, **row)))
    found = together(lambda _: join(study, invite="code"), range(10))
    refused = broken(found)
    assert len(refused) == 9 and {(type(one), one.status) for one in refused} == {(Refused, 409)}


def hashed(study, code):
    from hlf.study.running.people import hashed

    return hashed(study.secret, code)


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_people_do_at_once_everything_adds_up(make, seed):
    """Holds run out under the hands of their owners, careless people stop and start to count, others leave."""
    study = make(trials=30, traps=24, votes_per_pair=4, trap_rate=4, hold_seconds=10, hold_max_seconds=20, undo=3)

    def live(number):
        rng = random.Random(1000 * seed + number)
        guess = coin(rng.randrange(10**6)) if number % 2 else None
        person, known = join(study), []
        for _ in range(25):
            study.clock.pass_(rng.randrange(3 * SECOND))
            what = rng.choices(("vote", "late", "undo", "release", "beat", "screen"), (60, 15, 10, 5, 9, 1))[0]
            try:
                queue = study.next(person)[0]
                known += [one for one in queue if one not in known]
                if what in ("vote", "late") and known:
                    one = rng.choice(known if what == "late" else (queue or known))
                    answer(study, person, one, guess(one) if guess else None)
                elif what == "undo":
                    study.undo(person, f"undo-{person}-{rng.random()}")
                elif what == "release" and queue:
                    study.release(person, rng.choice(queue).assignment, "load_error")
                elif what == "beat":
                    study.heartbeat(person)
                elif what == "screen":
                    screen_study(study, "test")
            except Refused as error:
                assert error.status == 409, error
        if number % 5 == 0:
            study.withdraw(person)

    found = together(live, range(16))
    assert broken(found) == []
    assert drift(study) == []
    # and the study can be completed by careful people
    for _ in range(12):
        study.clock.pass_(MINUTE)
        sit(study, join(study))
    assert all(load >= 4 for load in loads(study).values())
