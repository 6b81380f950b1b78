"""A sitting on both kinds of database: holds and their end, votes, undo, traps in their places, and how it ends."""

from collections import Counter
from itertools import pairwise

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from hlf.study.running.answers import Answer
from hlf.study.running.people import Refused
from hlf.study.running.storage import tables
from study_people import (
    MINUTE,
    MODELS,
    SECOND,
    answer,
    events,
    join,
    loads,
    make,
    make_platform,
    participant,
    rows,
    sit,
    votes,
)
from study_server import database, postgres

__all__ = ["database", "make", "postgres"]


def states(study, *conditions):
    return Counter(row.state for row in rows(study, tables.assignment, *conditions))


def refused(status, what, *arguments):
    with pytest.raises(Refused) as error:
        what(*arguments)
    assert error.value.status == status
    return str(error.value)


def test_a_person_holds_one_pair_and_two_ahead_and_gets_them_again_when_coming_back(make):
    study = make()
    person = join(study)
    queue, progress = study.next(person)
    assert [one.number for one in queue] == [1, 2, 3] and len({one.pair for one in queue}) == 3
    assert sum(loads(study).values()) == 3 and states(study) == {"held": 3}
    assert (progress.answered, progress.undo, progress.outcome) == (0, False, None)
    assert study.next(person)[0] == queue
    answer(study, person, queue[0])
    assert [one.assignment for one in study.next(person)[0][:2]] == [one.assignment for one in queue[1:]]
    assert states(study) == {"held": 3, "voted": 1} and sum(loads(study).values()) == 4


def test_a_pair_that_ran_out_goes_to_others_and_its_late_vote_counts_too(make):
    study = make(trials=1, votes_per_pair=1)
    slow, early, quick = join(study), join(study), join(study)
    one = study.next(slow)[0][0]
    # held for slow until the last moment
    study.clock.pass_(300 * SECOND - 1)
    assert study.next(early)[0] == [] and participant(study, early).outcome == "nothing_left"
    study.clock.pass_(1)
    other = study.next(quick)[0][0]
    assert states(study) == {"expired": 1, "held": 1} and list(loads(study).values()) == [1]
    assert answer(study, quick, other)[0] is False
    late, progress = answer(study, slow, one)
    assert late and progress.answered == 1
    assert [row.late for row in rows(study, tables.vote_event)] == [False, True]
    assert list(loads(study).values()) == [2] == list(votes(study).values())


def test_a_vote_is_late_from_the_moment_its_hold_ends_whoever_noticed(make):
    study = make()
    for wait, late in ((300 * SECOND - 1, False), (300 * SECOND, True)):
        person = join(study)
        one = study.next(person)[0][0]
        study.clock.pass_(wait)
        assert answer(study, person, one)[0] is late
    assert states(study, tables.assignment.c.state == "voted") == {"voted": 2}


def test_a_late_vote_on_a_pair_that_nobody_took_fills_its_place_again(make):
    study = make()
    person, other = join(study), join(study)
    one = study.next(person)[0][0]
    study.clock.pass_(6 * MINUTE)
    study.next(other)
    assert states(study) == {"expired": 3, "held": 3}
    before = loads(study)
    answer(study, person, one)
    assert loads(study)[one.pair] == before[one.pair] + 1


def test_heartbeats_keep_a_hold_alive_but_not_for_ever(make):
    study = make(trials=1, votes_per_pair=1)
    person = join(study)
    one = study.next(person)[0][0]
    for _ in range(28):
        study.clock.pass_(MINUTE)
        study.heartbeat(person)
        assert rows(study, tables.assignment)[0].expires <= participant(study, person).consented + 30 * MINUTE
    study.clock.pass_(2 * MINUTE - 1)
    study.heartbeat(person)
    assert study.next(join(study))[0] == []
    study.clock.pass_(1)
    assert len(study.next(join(study))[0]) == 1
    assert answer(study, person, one)[0] is True


def test_without_heartbeats_a_hold_ends_after_five_minutes(make):
    study = make(trials=1, votes_per_pair=1)
    study.next(join(study))
    study.clock.pass_(5 * MINUTE)
    assert len(study.next(join(study))[0]) == 1


@pytest.mark.parametrize(
    ("places", "people", "expected"), [(9, 2, 3), (8, 2, 3), (7, 2, 2), (6, 2, 1), (4, 1, 2), (3, 1, 1)]
)
def test_nobody_looks_ahead_where_few_places_are_left(make, places, people, expected):
    """Before every pair taken ahead, 3 places must be open for each person who is there."""
    study = make(trials=places, votes_per_pair=1)
    # nobody but those who came within two and a half minutes counts as there
    gone = join(study)
    study.clock.pass_(4 * MINUTE)
    everybody = [join(study) for _ in range(people)]
    assert len(study.next(everybody[0])[0]) == expected
    assert participant(study, gone).outcome is None


def test_the_database_itself_refuses_a_pair_twice_and_an_answer_that_is_none(make):
    study = make()
    person = join(study)
    one = study.next(person)[0][0]
    answer(study, person, one)
    row = rows(study, tables.assignment, tables.assignment.c.id == one.assignment)[0]._asdict()
    event = rows(study, tables.vote_event)[0]._asdict()
    del event["id"]
    for table, values in (
        (tables.assignment, {**row, "id": "another"}),
        (tables.assignment, {**row, "id": "another", "pair": one.pair + 1, "state": "RESERVED"}),
        (tables.vote_event, {**event, "revision": 1}),  # the key
        (tables.vote_event, {**event, "key": "new"}),  # the revision
        (tables.vote_event, {**event, "key": "new", "revision": 1, "answer": 2}),
    ):
        with pytest.raises(IntegrityError):
            study.storage.write(lambda c, table=table, values=values: c.execute(table.insert().values(values)))
    assert events(study) == 1


def test_every_pair_is_answered_once_and_shown_once(make):
    study = make(trials=30, people_quota=30, hold_seconds=10)
    person = join(study)
    shown = set()
    for turn in range(200):
        queue = study.next(person)[0]
        if not queue:
            break
        shown |= {one.assignment for one in queue}
        if turn % 3:
            answer(study, person, queue[0], None)
            assert "before" in refused(409, answer, study, person, queue[0], 0)
        else:
            study.clock.pass_(11 * SECOND)  # all three run out and never come back
    had = rows(study, tables.assignment)
    assert {row.id for row in had} == shown
    assert len({row.pair for row in had}) == len(had) == states(study)["voted"] + states(study)["expired"]


def test_a_retry_gets_the_first_reply_and_another_answer_under_its_key_is_refused(make):
    study = make()
    person, other = join(study), join(study)
    first, second = study.next(person)[0][:2]
    theirs = study.next(other)[0][0]
    reply = answer(study, person, first, 1, "k1")
    assert answer(study, person, first, 1, "k1") == reply
    refused(409, answer, study, person, first, 0, "k1")
    refused(409, answer, study, person, second, 1, "k1")
    refused(409, answer, study, other, theirs, 1, "k1")
    assert events(study) == 1
    # a late one stays late, however often it is sent
    study.clock.pass_(6 * MINUTE)
    assert [answer(study, person, second, 0, "k2")[0] for _ in range(3)] == [True] * 3
    study.clock.pass_(6 * MINUTE)
    assert answer(study, person, first, 1, "k1")[0] is False


def test_nobody_answers_for_another_or_what_was_not_given(make):
    study = make()
    person, other = join(study), join(study)
    one = study.next(person)[0][0]
    refused(404, answer, study, other, one)
    refused(404, study.vote, person, Answer("nothing", 1, "k", 1, 1, {}))
    study.release(other, one.assignment, "load_error")
    assert states(study) == {"held": 3} and events(study) == 0


def test_a_pair_that_cannot_be_shown_is_given_back_for_good(make):
    study = make(trials=2, votes_per_pair=1)
    person = join(study)
    one = study.next(person)[0][0]
    study.release(person, one.assignment, "load_error")
    assert loads(study)[one.pair] == 0
    assert "given back" in refused(409, answer, study, person, one)
    queue = study.next(person)[0]
    assert one.pair not in [other.pair for other in queue]
    assert rows(study, tables.assignment, tables.assignment.c.id == one.assignment)[0].reason == "load_error"
    sit(study, person)
    assert {trial.pair for trial in sit(study, join(study))} == {one.pair}


def test_undo_takes_back_one_vote_and_nothing_else(make):
    study = make()
    person = join(study)
    for value in (1, 0, 1):
        answer(study, person, study.next(person)[0][0], value)
    before, kept = loads(study), rows(study, tables.vote_event)
    trial, progress = study.undo(person, "u1")
    assert (progress.answered, progress.undo) == (2, False)
    assert study.undo(person, "u1") == (trial, progress)
    # a row more, all others as they were; the pair is held, so loads stay
    after = rows(study, tables.vote_event)
    assert after[:3] == kept and len(after) == 4
    assert (after[3].answer, after[3].supersedes, after[3].revision) == (None, kept[2].id, 1)
    assert loads(study) == before and sum(votes(study).values()) == 2
    assert study.next(person)[0][0] == trial and trial.number == 3
    answer(study, person, trial, 0, "again")
    last = rows(study, tables.vote_event)[-1]
    assert (last.answer, last.revision, last.assignment) == (0, 2, trial.assignment)
    assert loads(study) == before and states(study)["voted"] == 3
    # the retry of an undo that was answered again in the meantime must not take the new answer back
    refused(409, study.undo, person, "u1")
    refused(409, study.undo, person, "again")
    assert states(study)["voted"] == 3


@pytest.mark.parametrize("limit", [0, 1, 2, 3])
def test_as_many_answers_in_a_row_can_be_taken_back_as_allowed(make, limit):
    study = make(undo=limit)
    person = join(study)
    done = sit(study, person, trials=5)
    for step in range(limit):
        assert study.progress(study_person(study, person)).undo
        assert study.undo(person, f"u{step}")[0].assignment == done[-1 - step].assignment
    assert not study.progress(study_person(study, person)).undo
    refused(409, study.undo, person, "more")
    assert states(study)["voted"] == 5 - limit
    # shown in the old order; once answered again, the last may be taken back again
    again = [one.assignment for one in study.next(person)[0][:limit]]
    assert again == [one.assignment for one in done[5 - limit :]]
    sit(study, person, trials=limit)
    if limit:
        assert study.undo(person, "again")[0].assignment == done[-1].assignment


def study_person(study, person):
    from hlf.study.running.people import lock_person

    return study.storage.write(lambda c: lock_person(c, person, study.now()))


def test_nothing_can_be_taken_back_before_the_first_answer_or_after_the_end(make):
    study = make(trials=4)
    person = join(study)
    refused(409, study.undo, person, "u")
    sit(study, person)
    assert participant(study, person).outcome == "complete"
    study.finish(person, None)
    refused(409, study.undo, person, "u")


def test_the_last_answer_can_be_taken_back_until_goodbye(make):
    study = make(trials=4)
    person = join(study)
    sit(study, person)
    assert study.next(person)[1].undo
    trial, progress = study.undo(person, "u")
    assert participant(study, person).outcome is None and participant(study, person).finished is None
    assert progress.answered == progress.total - 1 and study.next(person)[0] == [trial]
    answer(study, person, trial, 1)
    assert study.next(person)[1].outcome == "complete" and votes(study) == loads(study)


def test_an_undone_pair_that_runs_out_goes_to_others_and_may_be_answered_late(make):
    study = make(trials=1, votes_per_pair=1)
    person = join(study)
    answer(study, person, study.next(person)[0][0], 1)
    trial = study.undo(person, "u")[0]
    study.clock.pass_(6 * MINUTE)
    assert sit(study, join(study))
    assert votes(study) == {trial.pair: 1}
    assert answer(study, person, trial, 0)[0] is True
    assert votes(study) == {trial.pair: 2} == loads(study)


def test_traps_stand_where_they_should_and_half_of_them_are_yes(make):
    study = make(trials=150, traps=24, gt_gap=0)
    person = join(study)
    trials = sit(study, person)
    spots = [i for i, one in enumerate(trials) if one.answer >= 0]
    assert len(trials) == 150 + len(spots) and spots[0] >= 3 and len(spots) >= 8
    assert all(8 <= b - a <= 12 for a, b in pairwise(spots))
    answers = [trials[i].answer for i in spots]
    assert abs(2 * sum(answers) - len(answers)) <= 1
    assert len({trials[i].pair for i in spots}) == len(spots)
    assert participant(study, person).outcome == "complete"


def test_holds_that_run_out_and_late_answers_cost_no_trap_and_put_none_beside_another(make):
    study = make(trials=300, traps=80, people_quota=60, gt_gap=0)
    for seed in range(3):
        person = join(study)
        total = study.next(person)[1].total
        for turn in range(400):
            queue = study.next(person)[0]
            if not queue:
                break
            if turn % (4 + seed) == 3:
                study.clock.pass_(6 * MINUTE)
                study.next(person)
                # the page answers what it had on the screen
                answer(study, person, queue[0], None)
                study.heartbeat(person)
                # keep the half hour from ending the sitting
                study.storage.write(lambda c: c.execute(update(tables.participant).values(sitting=study.now())))
            else:
                answer(study, person, queue[0], None)
        a = tables.assignment
        given = rows(study, a, a.c.participant == person, a.c.state == "voted")
        traps = [row.is_trap for row in sorted(given, key=lambda row: row.order_index)]
        assert sum(traps) >= total - 60 and len(traps) - sum(traps) >= 60
        assert not any(a and b for a, b in pairwise(traps))
        assert participant(study, person).outcome == "complete"


def test_too_few_traps_do_not_keep_anybody_from_the_end(make):
    study = make(trials=60, traps=4)
    person = join(study)
    trials = sit(study, person)
    assert sum(one.answer >= 0 for one in trials) == 4
    progress = study.next(person)[1]
    assert (progress.outcome, progress.answered, progress.total) == ("complete", 64, 64)


def test_a_gt_does_not_come_again_soon(make):
    # 20 GTs of 5 pairs each: a gap of 15 can be kept, though the loads would have it otherwise
    study = make(trials=100, people_quota=60, gt_gap=15, votes_per_pair=6)
    image = {row.id: row.image_id for row in rows(study, tables.pair)}
    for _ in range(4):
        seen = [image[one.pair] for one in sit(study, join(study))]
        assert all(len(set(seen[i : i + 16])) == len(seen[i : i + 16]) for i in range(len(seen)))


def test_models_get_equal_shares_of_every_person_and_pairs_equal_loads(make):
    study = make(trials=100, people_quota=40, votes_per_pair=3, gt_gap=0)
    model = {row.id: row.model for row in rows(study, tables.pair)}
    for number in range(1, 7):
        trials = [one for one in sit(study, join(study)) if one.answer < 0]
        assert len(trials) == 40
        seen = Counter()
        for count, one in enumerate(trials, 1):
            seen[model[one.pair]] += 1
            assert all(abs(seen[name] - count / len(MODELS)) <= 1 for name in MODELS)
        found = loads(study).values()
        assert sum(found) == 40 * number and max(found) - min(found) <= 1


def test_a_sitting_ends_complete_or_with_nothing_left_or_by_time(make):
    study = make(trials=10, people_quota=5, votes_per_pair=2, minutes=10)
    whole = join(study)
    assert sum(one.answer < 0 for one in sit(study, whole)) == 5
    queue, progress = study.next(whole)
    assert (queue, progress.outcome, progress.answered) == ([], "complete", progress.total)
    slow = join(study)
    sit(study, slow, trials=2)
    held = study.next(slow)[0]
    study.clock.pass_(4 * MINUTE)
    for _ in range(3):
        study.heartbeat(slow)
        study.clock.pass_(2 * MINUTE)
    # the time is over: what is on the screen may be answered, nothing new comes
    assert [one.assignment for one in sit(study, slow)] == [one.assignment for one in held]
    assert participant(study, slow).outcome == "time" and participant(study, slow).finished == study.now()
    while (short := sit(study, person := join(study))) and len([t for t in short if t.answer < 0]) == 5:
        assert participant(study, person).outcome == "complete"
    assert participant(study, person).outcome == "nothing_left"
    assert set(loads(study).values()) == {2}


def test_a_long_silence_begins_a_new_half_hour(make):
    study = make(trials=40, people_quota=40)
    person = join(study)
    sit(study, person, trials=2)
    study.clock.pass_(25 * MINUTE)
    sit(study, person, trials=2)
    study.clock.pass_(9 * MINUTE)
    assert len(sit(study, person, trials=2)) == 2
    assert participant(study, person).outcome is None


def test_finish_keeps_the_comment_and_waits_for_the_last_answer(make):
    study = make(trials=3)
    person = join(study)
    study.next(person)
    refused(409, study.finish, person, "done?")
    sit(study, person)
    first = study.finish(person, "it was fine")
    assert study.finish(person, None) == first and first.outcome == "complete"
    assert participant(study, person).comment == "it was fine"
    assert study.next(person)[0] == []


def test_a_pause_stops_new_pairs_but_saves_answers_and_the_end_stops_all(make):
    study = make()
    person = join(study)
    first, second, _ = study.next(person)[0]

    def set_status(status):
        study.storage.write(lambda c: c.execute(update(tables.study).values(status=status)))

    set_status("paused")
    refused(503, study.next, person)
    refused(503, study.consent, "c" * 64)
    assert answer(study, person, first)[1].answered == 1
    refused(503, study.undo, person, "u")
    set_status("closed")
    refused(409, answer, study, person, second)
    refused(409, study.next, person)
    assert events(study) == 1


def run_of(study):
    """A small study with careless, slow and undoing people; what was shown to whom, in order."""
    shown = []
    for number in range(6):
        person = join(study)
        for turn in range(60):
            queue = study.next(person)[0]
            shown.append([(one.assignment, one.pair, one.number) for one in queue])
            if not queue:
                break
            study.clock.pass_(40 * SECOND if number == 2 else 3 * SECOND)
            answer(study, person, queue[0], turn % 2 if number == 4 else None, f"{person}-{turn}")
            if turn == 7:
                study.undo(person, f"{person}-undo")
    sides = [(row.id, row.gt_side, row.order_index, row.expires) for row in rows(study, tables.assignment)]
    return shown, sides, loads(study)


def test_equal_seeds_and_arrivals_give_equal_studies_on_every_database(make):
    values = {"trials": 20, "people_quota": 12, "votes_per_pair": 3, "trap_rate": 4, "minutes": 5}
    found = run_of(make(**values))
    fresh = make_platform("sqlite://", **values)
    assert run_of(fresh) == found
    assert run_of(make_platform("sqlite://", seed=43, **values)) != found
    assert {side for _, side, _, _ in found[1]} == {"left", "right"}


def test_the_gt_may_stand_on_the_left_for_everybody(make):
    study = make(gt_side="left")
    sit(study, join(study))
    assert {row.gt_side for row in rows(study, tables.assignment)} == {"left"}
