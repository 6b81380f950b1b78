"""A server that dies in the middle of its work: whatever it said was saved is there when it comes back."""

import time

from hlf.study.running.keeping import backup
from hlf.study.running.platform import Platform
from hlf.study.running.storage import open_storage
from study_crash import Server, crowd, drift, kill_rounds, lost_votes, wait_for
from study_people import answer, join
from study_server import database, make_study, postgres

__all__ = ["database", "postgres"]
LONG = {"trials": 60, "votes_per_pair": 1000, "traps": 24}


def test_no_acknowledged_vote_is_lost_when_the_server_is_killed(tmp_path, database):
    found = kill_rounds(make_study(tmp_path, database, **LONG), rounds=3)
    assert (found.lost, found.problems, found.errors) == ([], [], [])
    # every round had votes to lose, and requests that the death left without an answer
    assert found.acknowledged >= 3 * 8 and found.unanswered >= 3


def test_no_acknowledged_vote_is_lost_when_the_database_server_is_killed(tmp_path, postgres):
    study = make_study(tmp_path, postgres.database(), **LONG)
    server, storage = Server(study.path), study.storage()
    server.start()
    try:
        with crowd(study, server.url, 6) as record:
            wait_for(record, 20)
            postgres.stop("immediate")
            before = len(record.acknowledged)
            time.sleep(0.5)
            postgres.start()
            wait_for(record, before + 20)
        server.stop()
        # while it was away people were told so, and nothing worse
        assert record.errors == [] and {status for _, status in record.statuses} == {503}
        assert lost_votes(storage, study.id, record.acknowledged) == [] == drift(storage, study.id)
    finally:
        server.kill()
        storage.close()


def test_a_backup_under_load_is_whole_and_can_go_on(tmp_path):
    study = make_study(tmp_path, **LONG)
    server, storage = Server(study.path), study.storage()
    server.start()
    try:
        with crowd(study, server.url, 6) as record:
            copies = []
            for number in range(3):
                wait_for(record, len(record.acknowledged) + 15)
                copies.append((tmp_path / f"copy{number}.sqlite", list(record.acknowledged)))
                backup(storage, copies[-1][0])
        for path, acknowledged in copies:
            copy = open_storage(f"sqlite:///{path}")
            # whole: what was saved before it began is in it, and all of it adds up
            assert lost_votes(copy, study.id, acknowledged) == [] == drift(copy, study.id)
            platform = Platform(copy, study.id, study.secret)
            person = join(platform)
            assert answer(platform, person, platform.next(person)[0][0])[1].answered == 1
            assert drift(copy, study.id) == []
            copy.close()
    finally:
        server.kill()
        storage.close()
