"""Who takes part: joining, practice, coming back, leaving, the rules on careless people, and studies side by side."""

from math import ceil

import pytest
from sqlalchemy import update

from hlf.errors import HlfError
from hlf.study.running.people import Recruit, Refused, hashed
from hlf.study.running.reading import read_study
from hlf.study.running.storage import open_storage, tables
from hlf.study.running.studies import mark_simulated
from hlf.study.running.verdicts import screen_study
from study_people import (
    CONSENT,
    MINUTE,
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
    slips,
    votes,
)
from study_server import database, postgres

__all__ = ["database", "make", "postgres"]


def refused(status, what, *arguments, **more):
    with pytest.raises(Refused) as error:
        what(*arguments, **more)
    assert error.value.status == status
    return str(error.value)


def invite(study, code, one_use=False, source="human", revoked=None):
    row = {"code_hash": hashed(study.secret, code), "study": study.study, "label": "", "one_use": one_use}
    more = {"source": source, "created": 0, "revoked": revoked}
    study.storage.write(lambda c: c.execute(tables.invite.insert().values({**row, **more})))
    return code


def test_practice_passes_with_five_of_six_and_counts_for_nothing(make):
    study = make(practice=6)
    person = study.consent(CONSENT)[0]
    assert "practice" in refused(409, study.next, person)
    right = [row.answer for row in study.practice_pairs()]
    told = [study.practise(person, 1, 1 - right[0])]
    told += [study.practise(person, number, right[number - 1]) for number in range(2, 7)]
    assert [one.correct for one in told] == [False] + [True] * 5
    assert [one.answer for one in told] == right and {one.reason for one in told} == {"why"}
    assert [(one.finished, one.passed) for one in told] == [(False, None)] * 5 + [(True, True)]
    assert not rows(study, tables.assignment) and events(study) == 0
    assert study.next(person)[1].answered == 0 and len(study.next(person)[0]) == 3
    refused(404, study.practise, person, 7, 1)


def test_practice_goes_in_order_and_the_first_answer_stands(make):
    study = make(practice=6)
    person = study.consent(CONSENT)[0]
    right = [row.answer for row in study.practice_pairs()]
    refused(409, study.practise, person, 2, right[1])
    first = study.practise(person, 1, 1 - right[0])
    assert study.practise(person, 1, right[0]) == first and not first.correct
    assert participant(study, person).practice == {"attempt": 1, "answers": {"1": 1 - right[0]}}


def test_the_last_answer_of_a_failed_practice_may_be_sent_again(make):
    study = make(practice=6)
    person, _, _ = study.consent(CONSENT)
    wrong = [1 - row.answer for row in study.practice_pairs()]
    replies = [study.practise(person, number, answer) for number, answer in enumerate(wrong, 1)]
    assert replies[-1].again and not replies[-1].passed
    assert study.practise(person, 6, wrong[-1]) == replies[-1]
    # the second attempt is as it was
    assert not study.practise(person, 1, wrong[0]).finished
    refused(409, study.practise, person, 6, wrong[-1])


def test_who_fails_the_practice_may_repeat_it_once(make):
    study = make(practice=6)
    right = [row.answer for row in study.practice_pairs()]

    def attempt(person, wrong):
        return [study.practise(person, i + 1, r ^ int(i < wrong)) for i, r in enumerate(right)][-1]

    better, worse = study.consent(CONSENT)[0], study.consent(CONSENT)[0]
    for person in (better, worse):
        last = attempt(person, 2)
        assert (last.finished, last.passed, last.again) == (True, False, True)
        refused(409, study.next, person)
    assert attempt(better, 1).passed
    assert study.next(better)[0]
    last = attempt(worse, 3)
    assert (last.finished, last.passed, last.again) == (True, False, False)
    assert participant(study, worse).outcome == "screened"
    refused(409, study.next, worse)
    assert study.finish(worse, None).outcome == "screened"
    assert last == study.practise(worse, 6, right[5])  # a retry of the last answer


def test_the_four_words_go_on_in_another_browser_and_end_the_old_one(make):
    study = make()
    person, token, code = study.consent(CONSENT)
    first, second = study.next(person)[0][:2]
    answer(study, person, first)
    new = study.resume(f"  {code.replace(' ', '-').upper()} ")
    assert study.person(token) is None and study.person(new).id == person
    queue, progress = study.next(person)
    assert queue[0].assignment == second.assignment and (queue[0].number, progress.answered) == (2, 1)
    # the words stay good, the cookie before them does not
    newest = study.resume(code)
    assert study.person(new) is None and study.person(newest).id == person
    refused(404, study.resume, "these are other words")
    refused(404, study.resume, "")


def test_links_that_are_for_one_person_revoked_or_unknown(make):
    study = make()
    once, often, dead = invite(study, "once", one_use=True), invite(study, "often"), invite(study, "dead", revoked=1)
    assert study.invited(once) and study.invited(often) and not study.invited(dead) and not study.invited("other")
    join(study, invite=once)
    assert not study.invited(once)
    refused(409, study.consent, CONSENT, once)
    assert len({join(study, invite=often) for _ in range(3)}) == 3 and study.invited(often)
    refused(409, study.consent, CONSENT, dead)
    refused(404, study.consent, CONSENT, "other")
    assert [row.number for row in rows(study, tables.participant)] == [1, 2, 3, 4]


def test_a_recruiting_id_that_comes_again_goes_on_as_the_same_person(make):
    study = make()
    code = invite(study, "code", one_use=True)
    person, token, _ = study.consent(CONSENT, code, Recruit("pid", "st", "se"))
    done = sit(study, person, trials=4)
    again, new, words = study.consent(CONSENT, code, Recruit("pid", "st", "se2"))
    assert again == person and study.person(token) is None and study.person(new).id == person
    assert study.next(again)[1].answered == len(done)
    assert study.person(study.resume(words)).id == person
    assert study.look_up(None, None, "pid") == person == study.look_up(None, words, None)
    with pytest.raises(HlfError, match="knows nobody"):
        study.look_up(None, None, "other")
    # also when nobody new is let in
    study.storage.write(lambda c: c.execute(update(tables.study).values(status="paused")))
    assert study.consent(CONSENT, code, Recruit("pid", "st", "se3"))[0] == person
    refused(503, study.consent, CONSENT, code, Recruit("pid2", "st", "se"))


def test_who_does_not_consent_leaves_a_count(make):
    study = make()
    study.decline()
    study.decline()
    assert not rows(study, tables.participant)
    assert study.storage.read(lambda c: read_study(c, "s")).declined == 2


def test_withdrawing_erases_all_answers_and_opens_the_pairs(make):
    study = make(trials=6, votes_per_pair=2, trap_rate=4)
    stays = join(study)
    sit(study, stays)
    leaves, token, words = study.consent(CONSENT, recruited=Recruit("pid", "st", "se"))
    study.questionnaire(leaves, {"age_band": "30"})
    trials = sit(study, leaves, trials=5)
    study.undo(leaves, "u")
    study.problem(leaves, "script", "it broke")
    screen_study(study, "test")
    study.next(leaves)
    before = events(study)
    # every answer is an event, and so is the undo
    assert study.withdraw(leaves) == len(trials) + 1
    assert before - events(study) == len(trials) + 1
    assert study.person(token) is None
    refused(404, study.resume, words)
    assert set(votes(study).values()) == {1} == set(loads(study).values())
    gone = participant(study, leaves)
    kept = {"id", "study", "number", "source", "consent_hash", "consented", "last_seen", "sitting", "finished", "left"}
    told = {name: value for name, value in gone._asdict().items() if name not in kept and value is not None}
    assert told == {"outcome": "withdrawn", "practice": {}, "passed": gone.passed, "counted": False}
    for table in (tables.assignment, tables.screening):
        assert not rows(study, table, table.c.participant == leaves)
    assert not rows(study, tables.recruit) and rows(study, tables.problem)[0].participant is None
    assert [row.what for row in rows(study, tables.audit)] == ["screen", "withdraw"]
    # nothing may be stored of them any more
    refused(401, study.next, leaves)
    refused(401, answer, study, leaves, trials[0])
    refused(401, study.heartbeat, leaves)
    assert leaves not in set(study.storage.read(lambda c: read_study(c, "s")).participants["participant"])
    sit(study, join(study))
    assert set(votes(study).values()) == {2}


def test_screening_after_a_withdrawal_leaves_no_trace_of_the_person(make):
    study = make(trials=20, votes_per_pair=2, trap_rate=4)
    people = [join(study), join(study)]
    for person in people:
        sit(study, person)
    study.withdraw(people[0])
    table = screen_study(study, "test")
    assert set(table["participant"]) == {people[1]} == {row.participant for row in rows(study, tables.screening)}


def test_votes_stop_to_count_with_failed_traps_and_count_again_with_good_ones(make):
    study = make(trials=60, traps=24, trap_rate=4, people_quota=60)
    person, traps, judged = join(study), [], []
    for _ in range(55):
        one = study.next(person)[0][0]
        if one.answer >= 0:
            traps.append(one)
        # the first three traps wrong, the others right
        answer(study, person, one, 1 if one.answer < 0 else one.answer ^ int(len(traps) <= 3))
        seen, failed = len(traps), min(3, len(traps))
        counts = failed < ceil(seen / 3) if seen >= 8 else seen < 4 or failed <= seen / 2
        assert participant(study, person).counted is counts, (seen, failed)
        holds = rows(study, tables.assignment, ~tables.assignment.c.is_trap)
        assert sum(loads(study).values()) == (len(holds) if counts else 0)
        assert drift(study) == []
        judged.append(counts)
    # in, out (3 of 4 and 3 of 5 wrong), in, out (3 of 8 and of 9), in
    assert [a for a, b in zip(judged, [*judged[1:], None], strict=True) if a != b] == [True, False, True, False, True]


def test_taking_back_a_trap_answer_takes_back_its_verdict(make):
    study = make(trials=60, traps=24, trap_rate=4, people_quota=60)
    person, seen = join(study), 0
    while seen < 4:
        one = study.next(person)[0][0]
        seen += one.answer >= 0
        answer(study, person, one, 1 - one.answer if one.answer >= 0 else 1)
    assert not participant(study, person).counted and not sum(loads(study).values())
    trial = study.undo(person, "u")[0]
    assert participant(study, person).counted and drift(study) == []
    answer(study, person, trial, 1 - trial.answer)
    assert not participant(study, person).counted and drift(study) == []


def test_what_a_rejected_person_holds_is_no_load_and_leaves_none_behind(make):
    study = make(trials=40, traps=24, trap_rate=4, votes_per_pair=4)
    person, other = join(study), join(study)
    while participant(study, person).counted:
        one = study.next(person)[0][0]
        answer(study, person, one, 1 - one.answer if one.answer >= 0 else 1)
    queue = study.next(person)[0]
    assert len(queue) == 3 and set(loads(study).values()) == {0}
    study.release(person, queue[0].assignment, "load_error")
    assert drift(study) == []
    study.clock.pass_(6 * MINUTE)
    study.next(other)
    assert drift(study) == [] and sum(loads(study).values()) == 3
    # late answers of somebody who does not count are kept, and count no more than the others
    answer(study, person, queue[1])
    assert drift(study) == [] and sum(loads(study).values()) == 3


def test_pairs_of_rejected_people_open_again_and_the_study_completes(make):
    study = make(trials=30, traps=16, votes_per_pair=3)
    careless = [join(study) for _ in range(4)]
    for person in careless:
        sit(study, person, lambda _: 1)
    # three times all pairs; nobody of the careless counts, so that all is open
    assert set(loads(study).values()) == {0} and all(count >= 3 for count in votes(study).values())
    assert not any(participant(study, person).counted for person in careless)
    for _ in range(3):
        sit(study, join(study))
    assert set(loads(study).values()) == {3}
    assert sit(study, last := join(study)) == [] and participant(study, last).outcome == "nothing_left"
    data = study.storage.read(lambda c: read_study(c, "s"))
    counted = data.participants.loc[data.participants["counted"], "participant"]
    valid = data.votes[data.votes["participant"].isin(counted) & ~data.votes["pair"].str.startswith("trap")]
    assert set(valid.groupby("pair").size()) == {3} and len(valid) == 90


def test_careless_people_are_rejected_and_honest_ones_kept(make):
    """One-answer clickers always, coin flippers mostly (8 traps: 0.855), people with 5 % slips hardly ever (0.006)."""
    study = make(trials=60, traps=16, votes_per_pair=100, people_quota=40, gt_gap=0)
    for value in (0, 1):
        person = join(study)
        sit(study, person, lambda _, value=value: value)
        assert not participant(study, person).counted
    kept = {}
    for name, way in (("coin", coin), ("honest", slips)):
        people = [join(study) for _ in range(15)]
        for seed, person in enumerate(people):
            trials = sit(study, person, way(seed))
            assert sum(one.answer >= 0 for one in trials) >= 8
        kept[name] = sum(participant(study, person).counted for person in people)
    # 15 coins: at most 5 stay with probability 0.97 by chance, and these seeds are fixed
    assert kept["coin"] <= 5 and kept["honest"] == 15


def test_other_rules_leave_out_whom_they_flag_until_the_next_screening(make):
    study = make(trials=40, traps=24, votes_per_pair=2, people_quota=40, trap_rate=4, screening="traps median_rt")
    person, other = join(study), join(study)
    trials = sit(study, person, trials=30)
    sit(study, other, trials=10)
    quick = tables.vote_event.update().where(tables.vote_event.c.assignment.in_([one.assignment for one in trials]))
    study.storage.write(lambda c: c.execute(quick.values(rt_active_ms=100)))
    screen_study(study, "test")
    assert not participant(study, person).counted and participant(study, other).counted
    # good traps do not make up for it
    assert any(one.answer >= 0 for one in sit(study, person, trials=10))
    assert not participant(study, person).counted and drift(study) == []
    study.storage.write(lambda c: c.execute(quick.values(rt_active_ms=2000)))
    screen_study(study, "test")
    assert participant(study, person).counted


def test_the_trap_rule_can_be_switched_off(make):
    study = make(trials=30, trap_rate=4, traps=24, screening="")
    person = join(study)
    sit(study, person, lambda _: 1)
    assert participant(study, person).counted
    screen_study(study, "test")
    assert participant(study, person).counted and set(loads(study).values()) == {1}


def test_two_studies_in_one_database_do_not_see_each_other(make):
    first, second = make(study="one", trials=5, practice=6), make(study="two", trials=7, votes_per_pair=1)
    a, token, words = first.consent(CONSENT, recruited=Recruit("pid", "st", "se"))
    b = second.consent(CONSENT, recruited=Recruit("pid", "st", "se"))[0]
    assert a != b and participant(first, a).number == participant(second, b).number == 1
    assert second.person(token) is None and not second.invited(invite(first, "code"))
    refused(404, second.resume, words)
    refused(404, second.consent, CONSENT, "code")
    with pytest.raises(HlfError, match="knows nobody"):
        second.look_up(a, None, None)
    sit(second, b)
    assert set(loads(second).values()) == {1} and set(loads(first).values()) == {0}
    assert len(first.practice_pairs()) == 6 and not second.practice_pairs()
    join(first)
    second.clock.pass_(10 * MINUTE)
    assert {row.name for row in rows(first, tables.pair)} != {row.name for row in rows(second, tables.pair)}
    assert len(first.storage.read(lambda c: read_study(c, "one")).participants) == 2
    assert len(second.storage.read(lambda c: read_study(c, "two")).votes) == len(rows(second, tables.assignment))
    # a pair that ran out in one study is nothing to the other
    held = sit(first, c := join(first), trials=1) and first.next(c)[0]
    second.next(join(second))
    assert len(first.next(c)[0]) == len(held)


def test_people_and_simulated_ones_never_mix(make):
    humans, robots = make(study="humans"), make(study="robots", source="simulated")
    real, made = invite(humans, "real"), invite(humans, "made", source="simulated")
    person = join(humans, invite=real)
    assert participant(humans, person).source == "human"
    assert "simulated" in refused(409, humans.consent, CONSENT, made)
    with pytest.raises(HlfError, match="people take part"):
        mark_simulated(humans.storage, "humans")
    refused(409, robots.consent, CONSENT, invite(robots, "human"))
    assert participant(robots, join(robots, invite=invite(robots, "robot", source="simulated"))).source == "simulated"
    # an empty study may become one of robots, and then takes no people
    other = make(study="other")
    mark_simulated(other.storage, "other")
    refused(409, other.consent, CONSENT, invite(other, "late"))
    assert other.state() == ("open", "simulated") and humans.state() == ("open", "human")


@pytest.mark.parametrize(
    ("version", "word"), [(tables.SCHEMA_VERSION + 1, "newer"), (tables.SCHEMA_VERSION - 1, "older")]
)
def test_a_database_of_another_version_is_left_alone(make, version, word):
    study = make()
    url = study.storage.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    study.storage.write(lambda c: c.execute(update(tables.meta).values(value=str(version))))
    for create in (False, True):
        with pytest.raises(HlfError, match=f"{word} version of hlf"):
            open_storage(url, create)
    study.storage.write(lambda c: c.execute(update(tables.meta).values(value=str(tables.SCHEMA_VERSION))))
    open_storage(url).close()
