"""Refusals that no other test meets: what a user did, and the sentence that comes (docs/errors.md)."""

import sqlite3
import threading
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pandas as pd
import pytest
from sqlalchemy import update

from hlf.cli import main
from hlf.config import load
from hlf.config_checks import cross_problems
from hlf.errors import HlfError
from hlf.files import write_table
from hlf.images import write_png
from hlf.iqa.folder import find_pairs
from hlf.release.checksums import read_checksums
from hlf.sampling.stratify import choose_pairs
from hlf.seeds import generator
from hlf.study.results.exported import NEEDED, to_sureal
from hlf.study.results.summary import order_means
from hlf.study.running.folder import init_study, open_folder
from hlf.study.running.keeping import backup
from hlf.study.running.people import hashed
from hlf.study.running.reading import chain_votes, read_study
from hlf.study.running.storage import engine, open_storage, tables
from hlf.study.running.storage.engine import TryAgain
from hlf.study.running.studies import check_study, import_pairs, new_invite, set_status
from hlf.study.settings import Settings
from hlf.study.shown.bundle import read_bundle
from hlf.study.shown.gallery import Gallery
from hlf.study.shown.traps import strongest_edit
from hlf.study.simulated.observers import draw_observer
from hlf.study.simulated.robots import Record, Robot
from hlf.study.simulated.simulate import simulate_votes
from hlf.study.split import assign_folds, split_pairs
from study_data import make_pairs, make_votes
from study_people import CONSENT, join, make_platform
from study_server import make_study, served, write_bundle

ROOT = Path(__file__).resolve().parent.parent


def refused(words, function, *arguments, **more):
    with pytest.raises(HlfError, match=words):
        function(*arguments, **more)


# --- configuration, files, pictures ---


def test_a_configuration_that_is_no_yaml(tmp_path):
    (tmp_path / "own.yaml").write_text("run: [mini\n")
    refused(r"own\.yaml is no YAML \(.*\); mend that line", load, ROOT, [tmp_path / "own.yaml"])


def test_a_run_may_not_take_the_name_of_the_zoo():
    config = {**load(ROOT), "run": "zoo"}
    assert "run is 'zoo', a name kept for the mini zoo's training; choose another" in cross_problems(config)


def test_two_pictures_of_one_name(tmp_path):
    for name in ("a.png", "a.bmp"):
        write_png(tmp_path / "sr" / "x.png", np.zeros((8, 8, 3), np.uint8))
        (tmp_path / "sr" / "x.png").rename(tmp_path / "sr" / name)
    refused("have one name; pairs are found by name, so keep one", find_pairs, tmp_path / "sr", tmp_path / "sr")


def test_checksums_that_are_missing_or_malformed(tmp_path, capsys):
    assert main(["release", "check", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "SHA256SUMS cannot be read (No such file or directory); expected the folder of a released package" in told
    (tmp_path / "SHA256SUMS").write_text("abc  a.txt\n")
    refused("line 1: expected a SHA-256, two spaces and a name that stands there once", read_checksums, tmp_path)


# --- pairs, splits, votes ---


def test_no_pairs_bins_or_votes_can_be_asked_for():
    for name in ("total", "bins", "max_per_gt"):
        values = {"total": 1, "bins": 1, "max_per_gt": 1, name: 0}
        with pytest.raises(HlfError, match=f"sampling.{name} must be at least 1, got 0"):
            choose_pairs(pd.DataFrame(), seed=0, run="r", model_quota={}, **values)


def complete(images=5, per_image=1):
    rows = [(f"i{i}@1.0@m{k}", f"i{i}", f"m{k}") for i in range(images) for k in range(per_image)]
    table = pd.DataFrame(rows, columns=["pair_id", "image_id", "model"])
    return table.assign(score=0.5, status="complete")


def test_splits_and_folds_that_make_no_parts():
    refused("study.test_share must lie between 0 and 1, got 1.0", split_pairs, complete(), 1.0, "pair", 0)
    refused("study.split_by must be image_id or pair, got 'model'", split_pairs, complete(), 0.2, "model", 0)
    refused("study.test_share 0.01 of 5 pairs leaves one part empty", split_pairs, complete(), 0.01, "pair", 0)
    uneven = pd.concat([complete(4), complete(1, 60)], ignore_index=True).drop_duplicates("pair_id")
    refused("4 GT images cannot fill 4 folds .metric.folds.; use fewer folds", assign_folds, uneven, 4, 0)


def test_careless_is_a_share():
    refused(r"study.careless must be a share in \[0, 1\), got 1.5", simulate_votes, [], None, Settings(), 1.5, 0, "r")


def test_an_export_without_votes(tmp_path):
    votes = pd.DataFrame({name: [1] for name in NEEDED}).assign(is_trap=True, valid=True)
    write_table(votes.iloc[:0], tmp_path / "votes.parquet")
    refused("votes.parquet holds no vote; collect votes first", to_sureal, tmp_path, tmp_path / "a.json")
    write_table(votes, tmp_path / "votes.parquet")
    refused("holds no vote that counts; there is nothing to convert", to_sureal, tmp_path, tmp_path / "a.json")
    with pytest.raises(HlfError, match="no valid vote, so nothing can be said about the order of trials"):
        order_means(make_votes(make_pairs()).assign(valid=False), 10, 0)


# --- a study's folder ---


@pytest.fixture
def folder(tmp_path):
    init_study(tmp_path / "lab", "lab")
    return tmp_path / "lab"


def test_a_folder_that_holds_a_study_already(folder):
    refused("lab holds a study already; choose another folder", init_study, folder, "lab")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id: [", r"study\.yaml is not valid YAML in line 1: .*; mend it"),
        ("id: x\n", r"study\.yaml must have the keys id"),
        ("settings: {tarps: 3}", r"settings \['tarps'\] are unknown; known are"),
    ],
)
def test_a_broken_study_yaml(folder, text, words):
    path = folder / "study.yaml"
    path.write_text(path.read_text().replace("settings:", "settings:\n  tarps: 3") if "tarps" in text else text)
    refused(words, open_folder, folder)


def test_a_key_that_is_lost_or_short(folder):
    (folder / "secret.key").write_text("ab\n")
    refused("holds a key of 1 bytes, expected 32", open_folder, folder)
    (folder / "secret.key").unlink()
    refused("secret.key is missing or no key; restore it from a backup", open_folder, folder)


def test_addresses_of_databases():
    refused("is no database URL; expected sqlite:///FILE or postgresql://", open_storage, "study.sqlite")
    refused("holds more than one @; write %40", open_storage, "postgresql://me:a@b@host/name")


def test_a_server_without_https_needs_a_yes(tmp_path, capsys):
    make_study(tmp_path / "s")
    assert main(["study", "serve", str(tmp_path / "s" / "study"), "--host", "0.0.0.0", "--port", "8998"]) == 2
    assert "would carry cookies unprotected; put a proxy with HTTPS before the server" in capsys.readouterr().err


def test_a_closed_study_stays_closed(tmp_path):
    study = make_study(tmp_path / "s")
    set_status(study.storage(), study.id, "closed", "me")
    words = "is closed, which is final: its scores may have been seen; make another"
    refused(words, set_status, study.storage(), study.id, "open", "me")


def test_check_names_all_that_is_in_the_way(tmp_path):
    study = make_study(tmp_path / "s")
    images = sorted((study.path / "images").rglob("*.png"))
    images[0].unlink()
    images[1].write_bytes(images[2].read_bytes() + b"x")
    off = update(tables.pair).where(tables.pair.c.role == "trap").values(enabled=False)
    study.storage().write(lambda c: c.execute(off))
    told = "; ".join(check_study(study))
    for words in ("images are missing", "1 images are not those that were imported", "0 traps have the answer 0, at"):
        assert f"{words}" in told


def test_check_asks_for_what_people_must_be_told(folder, tmp_path):
    study = open_folder(folder)
    import_pairs(study, read_bundle(write_bundle(tmp_path / "bundle"), study.settings))
    assert f"setting contact is empty; write it into {folder / 'study.yaml'}" in check_study(study)


# --- people ---


def test_doors_that_are_shut(tmp_path):
    platform = make_platform(f"sqlite:///{tmp_path / 'a.sqlite'}", status="paused")
    refused("this study is not open at the moment", join, platform)
    refused("these four words are not known; check the spelling", platform.resume, "a b c d")


def test_links_and_forms_that_are_out_of_date(tmp_path):
    study = make_study(tmp_path / "s")
    with served(study) as s:
        code = new_invite(s.storage, study, "x", one_use=False)
        for path, status, words in (
            ("/join/none", 404, "link is not known, was used before, or is no longer valid"),
            (f"/join/{code}?PROLIFIC_PID=%3C%3E", 422, "link's PROLIFIC_PID is not valid; open the link as"),
        ):
            answer = httpx.get(s.url + path)
            assert answer.status_code == status and words in answer.text.replace("&#39;", "'")
        answer = httpx.post(f"{s.url}/api/consent", json={})
        assert answer.status_code == 403 and "this page is out of date; reload it" in answer.text
        answer = httpx.get(f"{s.url}/api/practice")
        assert answer.status_code == 401 and "this browser is not known any more; open your link" in answer.text
        answer = httpx.post(f"{s.url}/owner/screen", data={"csrf": ""})
        assert "you are logged out; log in and do it again, nothing was changed" in answer.text.replace("You", "you")


def test_a_link_for_one_person_is_used_once(tmp_path):
    platform = make_platform(f"sqlite:///{tmp_path / 'a.sqlite'}")
    row = {"code_hash": hashed(platform.secret, "once"), "study": "s", "label": "", "one_use": True, "source": "human"}
    platform.storage.write(lambda c: c.execute(tables.invite.insert().values(created=0, **row)))
    join(platform, invite="once")
    refused("this link was used before; ask for another one, or enter your four words", join, platform, invite="once")


def test_a_database_without_the_study_and_another_kind_of_backup(tmp_path):
    storage = open_storage(f"sqlite:///{tmp_path / 'a.sqlite'}", create=True)
    refused("the database holds no study 'none'; check its id", storage.read, lambda c: read_study(c, "none"))
    refused("kept in PostgreSQL; back it up with: pg_dump", backup, SimpleNamespace(postgres=True), tmp_path / "b")


def test_robots_meet_another_server():
    rng = generator(0, "test")
    robot = Robot("http://x", "code", draw_observer("p", 0.0, rng), rng, Record(), threading.Event())
    other = httpx.MockTransport(lambda _: httpx.Response(200, text="hi"))
    robot._client = httpx.Client(transport=other, base_url="http://x")
    refused("the server's first page holds no token; is it a study of hlf", robot.join, [])


def test_a_configuration_that_is_a_list(tmp_path):
    (tmp_path / "own.yaml").write_text("- mini\n")
    refused(r"own\.yaml holds list, expected keys and values", load, ROOT, [tmp_path / "own.yaml"])


def test_a_way_of_pairing_and_a_name_that_do_not_exist(tmp_path):
    refused("pair_by 'size' is unknown, expected one of stem, name, csv", find_pairs, tmp_path, tmp_path, "", "size")
    refused("study name 'a b' is not allowed; use up to 80 letters", init_study, tmp_path / "a", "a b")
    refused("is no study: .*study.yaml is missing; make one with: hlf study init", open_folder, tmp_path)


def test_databases_that_hold_no_study_or_go_away(tmp_path, monkeypatch):
    path = tmp_path / "a.sqlite"
    sqlite3.connect(path).execute("create table t (a)").connection.close()
    refused(r"a\.sqlite holds no study; make one with: hlf study init", open_storage, f"sqlite:///{path}")
    storage = open_storage(f"sqlite:///{tmp_path / 'b.sqlite'}", create=True)
    refused("the database holds no study 's' with pairs; run: hlf study", set_status, storage, "s", "open", "me")
    gone = "select * from gone"
    refused("cannot be read: no such table: gone; check its", storage.read, lambda c: c.exec_driver_sql(gone))

    def again(connection):
        raise TryAgain

    monkeypatch.setattr(engine, "TRIES", 1)
    refused("the database of the study is too busy; try again", storage.write, again)


def test_pairs_stay_once_people_came(tmp_path):
    study = make_study(tmp_path / "s")
    study.platform().consent(CONSENT)
    bundle = read_bundle(tmp_path / "s" / "bundle")
    refused("1 people take part in study 'test' already, so its pairs stay", import_pairs, study, bundle)


def test_check_sees_a_folder_without_rights(tmp_path, monkeypatch):
    study = make_study(tmp_path / "s")
    monkeypatch.setattr("hlf.study.running.studies.os.access", lambda *_: False)
    assert f"{study.path} cannot be written; fix its rights" in check_study(study)


def test_a_study_or_a_gallery_without_anything(tmp_path):
    empty = SimpleNamespace(study="s", votes=pd.DataFrame())
    refused("study 's' holds no vote yet; collect votes first", chain_votes, empty)
    refused("there is no pair to show; run the sampling stage first", Gallery, pd.DataFrame(), tmp_path, None, 0)
    refused(
        "there is no pair to vote on; run the sampling", simulate_votes, [], pd.DataFrame(), Settings(), 0.1, 0, "r"
    )
    wide = SimpleNamespace(paths={"a": 1}, image=lambda _: np.zeros((8, 9, 3), np.uint8))
    refused("planted traps need square scenes, the run's images are 9x8", strongest_edit, wide, "word", "p")
