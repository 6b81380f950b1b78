"""The owner's side of a study: accounts, logins, blinding, and what an owner may do."""

# ruff: noqa: F811  (tests name the fixtures that they are given)

import itertools
import re
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import update

from hlf.errors import HlfError
from hlf.study.running import accounts, overview, roster, tallies
from hlf.study.running.answers import Answer
from hlf.study.running.keeping import verify
from hlf.study.running.people import Refused
from hlf.study.running.storage import tables
from hlf.study.running.studies import new_invite, set_status
from hlf.study.running.trap_edit import edit_known
from hlf.study.server import owner_session
from study_owner import EVIL, PAGES, WORDS, Owner, draft, original, owner, vera  # noqa: F401
from study_server import MODELS, make_study

POSTS = {
    "/owner/status": {"step": "pause"}, "/owner/unblind": {}, "/owner/screen": {}, "/owner/logout": {},
    "/owner/traps": {"pair": "21", "change": "hide"},
}  # fmt: skip


# accounts


def test_accounts_are_kept_as_argon2id_hashes_and_can_be_replaced_and_removed(owner):
    (row,) = (row for row in owner.rows(tables.admin) if row[0] == "vera")
    assert row[2].startswith("$argon2id$") and WORDS not in str(row)
    assert [(a.name, a.role, a.totp) for a in accounts.list_admins(owner.storage)] == [
        ("ana", "analyst", False), ("vera", "owner", False),
    ]  # fmt: skip
    accounts.add_admin(owner.storage, owner.study.id, "vera", "owner", WORDS + "!")
    assert owner.log_in().status_code == 401 and owner.log_in(password=WORDS + "!").status_code == 303
    accounts.remove_admin(owner.storage, owner.study.id, "vera")
    with pytest.raises(HlfError, match="no account 'vera'; the accounts are ana"):
        accounts.remove_admin(owner.storage, owner.study.id, "vera")
    assert [d.what for d in owner.deeds()[:4]] == ["remove account", "login", "login failed", "change account"]


@pytest.mark.parametrize(
    ("name", "role", "password", "words"),
    [
        ("v w", "owner", WORDS, "account name 'v w' is not allowed"),
        ("", "owner", WORDS, "account name '' is not allowed"),
        ("v", "admin", WORDS, "role 'admin' is not known; expected one of owner, analyst"),
        ("v", "owner", "x" * 11, "the password has 11 characters; choose one of 12 to 200"),
        ("v", "owner", "x" * 201, "the password has 201 characters"),
    ],
)
def test_bad_accounts_are_refused(owner, name, role, password, words):
    with pytest.raises(HlfError, match=words):
        accounts.add_admin(owner.storage, owner.study.id, name, role, password)
    assert len(accounts.list_admins(owner.storage)) == 2


def test_a_new_study_has_no_account(draft):
    draft.storage.write(lambda c: c.execute(tables.admin.delete()))
    assert accounts.list_admins(draft.storage) == []
    for name in ("", "admin", "owner", "vera"):
        assert accounts.check_login(draft.storage, name, "", "", 0) is None


def test_an_unknown_name_costs_one_hash_like_a_known_one(owner, monkeypatch):
    verified = []
    fits = accounts._fits
    monkeypatch.setattr(accounts, "_fits", lambda kept, given: verified.append(kept[:40]) or fits(kept, given))
    for name in ("vera", "nobody"):
        assert accounts.check_login(owner.storage, name, "not the password", "", 0) is None
    # the parameters, which decide on the time, are the same
    assert len(verified) == 2 and verified[0].split("$")[:4] == verified[1].split("$")[:4]


# logging in and out


def test_pages_need_a_login(owner):
    image = owner.rows(tables.image)[0][0]
    for path in (*PAGES, "/confirm/close", f"/image/{image}"):
        found = owner.get(path)
        assert (found.status_code, found.headers["location"]) == (303, "/owner/login"), path
    assert owner.log_in().headers["location"] == "/owner"
    for path in PAGES:
        assert owner.get(path).status_code == 200
    assert owner.get("/login").headers["location"] == "/owner"
    assert owner.get("/").headers["location"] == "/owner"


def test_a_wrong_login_does_not_tell_what_was_wrong(owner):
    wrong, unknown = owner.log_in(password="not the password"), owner.log_in(name="secret-typed-here")
    assert wrong.status_code == unknown.status_code == 401
    hide = re.compile(r'value="[0-9a-f]{32}"')
    assert hide.sub("", wrong.text) == hide.sub("", unknown.text)
    assert "Name, password or one-time code is not right." in wrong.text
    assert [(d.who, d.what) for d in owner.deeds()[:2]] == [("unknown name", "login failed"), ("vera", "login failed")]
    assert "secret-typed-here" not in str(owner.rows(tables.audit))
    assert owner.get("").status_code == 303


def test_the_sixth_login_within_15_minutes_waits(original):
    owner = Owner(original[0], limits=True)
    assert [owner.log_in(password="not the password").status_code for _ in range(5)] == [401] * 5
    refused = owner.log_in()
    assert refused.status_code == 429 and 170 <= int(refused.headers["retry-after"]) <= 181
    assert "too many logins" in refused.text and owner.get("").status_code == 303


def test_foreign_forms_do_not_use_up_the_logins_of_an_address(original):
    owner = Owner(original[0], limits=True)
    for _ in range(8):
        assert owner.client.post("/owner/login", data={"name": "vera", "password": "x"}).status_code == 403
    assert owner.log_in().status_code == 303


def test_the_cookie_changes_at_login_and_is_hidden_from_scripts(owner):
    planted = "A" * 43
    owner.client.cookies.set(owner_session.COOKIE, planted, domain="study.example.org", path="/owner")
    assert owner.get("").status_code == 303
    header = owner.log_in().headers["set-cookie"]
    assert planted not in header and "HttpOnly" in header and "SameSite=lax" in header and "Path=/owner" in header
    assert "Secure" not in header and "Max-Age" not in header
    other = owner.browser()
    other.cookies.set(owner_session.COOKIE, planted, domain="study.example.org", path="/owner")
    assert other.get("/owner").status_code == 303
    assert owner.get("").status_code == 200


def test_the_cookie_is_secure_unless_told_otherwise(original):
    assert "Secure" in Owner(original[0], secure=True).log_in().headers["set-cookie"]


def test_a_second_login_ends_the_first_session_of_the_browser(vera):
    old = vera.client.cookies[owner_session.COOKIE]
    csrf = vera.csrf()
    # the login page of a logged-in browser is no form, so the form is sent without it
    vera.client.post("/owner/login", data={"csrf": csrf, "name": "vera", "password": WORDS})
    other = vera.browser()
    other.cookies.set(owner_session.COOKIE, old, domain="study.example.org", path="/owner")
    assert other.get("/owner").status_code == 303 and vera.get("").status_code == 200


def test_half_an_hour_without_a_request_logs_out(vera):
    for _ in range(3):
        vera.clock.ms += 29 * 60_000
        assert vera.get("").status_code == 200
    vera.clock.ms += 30 * 60_000
    assert vera.get("").headers["location"] == "/owner/login"
    vera.clock.ms -= 29 * 60_000
    assert vera.get("").status_code == 303  # it is gone for good


def test_a_page_that_renews_itself_does_not_keep_the_session_alive(vera):
    for _ in range(2):
        vera.clock.ms += 14 * 60_000
        assert vera.get("", headers={"x-unattended": "1"}).status_code == 200
    vera.clock.ms += 3 * 60_000
    assert vera.get("").status_code == 303


def test_logout_needs_the_form_and_ends_the_session(vera):
    cookie = vera.client.cookies[owner_session.COOKIE]
    assert vera.get("/logout").status_code == 405
    assert vera.post("/owner/logout").headers["location"] == "/owner/login?said=out"
    assert owner_session.COOKIE not in vera.client.cookies
    vera.client.cookies.set(owner_session.COOKIE, cookie, domain="study.example.org", path="/owner")
    assert vera.get("").status_code == 303
    assert vera.deeds()[0].what == "logout"


def test_a_new_password_or_the_end_of_the_account_ends_its_sessions(vera):
    accounts.add_admin(vera.storage, vera.study.id, "vera", "owner", WORDS)
    assert vera.get("").status_code == 303
    vera.log_in()
    assert vera.get("").status_code == 200
    accounts.remove_admin(vera.storage, vera.study.id, "vera")
    assert vera.get("").status_code == 303


def test_a_one_time_code_opens_once(owner):
    secret = accounts.add_admin(owner.storage, owner.study.id, "tom", "owner", WORDS, totp=True)
    seconds = owner.clock.ms // 1000
    right, late = (pyotp.TOTP(secret).at(seconds + shift) for shift in (0, -90))
    for code in ("", "000000" if right != "000000" else "111111", late):
        assert owner.log_in("tom", code=code).status_code == 401
    assert owner.log_in("tom", code=f"{right[:3]} {right[3:]}").status_code == 303
    owner.post("/owner/logout")
    assert owner.log_in("tom", code=right).status_code == 401
    owner.clock.ms += 30_000
    assert owner.log_in("tom", code=pyotp.TOTP(secret).at(seconds + 30)).status_code == 303


# requests that must change nothing


def everything(owner):
    return {table.name: owner.rows(table) for table in tables.METADATA.sorted_tables}


def test_reading_changes_nothing(vera):
    before = everything(vera)
    steps = [f"/confirm/{step}" for step in ("open", "pause", "close", "unblind")]
    for path in (*PAGES, *steps, "/login", f"/image/{before['image'][0][0]}"):
        assert vera.get(path).status_code in (200, 303, 409)
    for path in ("/status", "/unblind", "/screen", "/logout"):
        assert vera.get(path + "?step=close&name=test").status_code == 405
    assert everything(vera) == before


@pytest.mark.parametrize("token", [None, "", "0" * 32])
def test_a_form_without_its_token_is_refused(vera, token):
    before = everything(vera)
    for path, values in POSTS.items():
        found = vera.client.post(path, data={**values, **({} if token is None else {"csrf": token})})
        assert found.status_code == 403 and "comes from another site" in found.text, path
    assert everything(vera) == before and vera.get("").status_code == 200


def test_the_token_of_another_session_is_refused(vera):
    mine = vera.csrf()
    vera.client = vera.browser()
    vera.log_in()
    assert vera.client.post("/owner/status", data={"csrf": mine, "step": "pause"}).status_code == 403
    assert vera.status() == "open"


def test_forms_of_who_is_logged_out_change_nothing(owner):
    before = everything(owner)
    csrf = owner.csrf("/login")
    for path, values in POSTS.items():
        if path != "/owner/logout":
            assert owner.client.post(path, data={"csrf": csrf, **values}).status_code == 403
    assert everything(owner) == before


def test_an_analyst_sees_everything_and_changes_nothing(owner):
    owner.log_in("ana")
    before = everything(owner)
    for path in PAGES:
        text = owner.text(path)
        assert "may only look" in text
        assert set(re.findall(r'action="([^"]*)"', text)) == {"/owner/logout"} and "/owner/confirm" not in text
    for path, values in POSTS.items():
        if path != "/owner/logout":
            found = owner.post(path, values)
            assert found.status_code == 403 and "is an analyst" in found.text
    assert owner.get("/confirm/pause").status_code == 403
    assert everything(owner) == before


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/owner/status", {"step": "delete"}),
        ("/owner/status", {}),
        ("/owner/status", {"step": "pause", "more": "x"}),
        ("/owner/traps", {"pair": "banana", "change": "hide"}),
        ("/owner/traps", {"pair": "21", "change": "banana"}),
        ("/owner/traps", {"pair": str(2**70), "change": "hide"}),
    ],
)
def test_other_forms_are_refused(vera, path, values):
    before = everything(vera)
    found = vera.post(path, values)
    assert found.status_code == 422 and "this form is not valid" in found.text.lower()
    assert everything(vera) == before


# opening, pausing, closing, unblinding


def test_pausing_and_opening_again(vera):
    assert "Pause the study?" in vera.text("/confirm/pause")
    assert vera.post("/owner/status", {"step": "pause"}, "/confirm/pause").headers["location"] == "/owner?said=paused"
    assert vera.status() == "paused" and "The study is paused." in vera.text("?said=paused")
    assert vera.post("/owner/status", {"step": "pause"}).status_code == 409
    assert vera.post("/owner/status", {"step": "open"}, "/confirm/open").status_code == 303
    assert vera.status() == "open"
    assert [(d.who, d.what, d.detail) for d in vera.deeds()[:2]] == [
        ("vera", "open", "was paused"), ("vera", "paused", "was open"),
    ]  # fmt: skip


def test_closing_needs_the_name_and_is_final(vera):
    for name in ("", "Test", "tes"):
        found = vera.post("/owner/status", {"step": "close", "name": name})
        assert found.status_code == 422 and "This is not the name of the study" in found.text
    assert vera.status() == "open"
    assert vera.post("/owner/status", {"step": "close", "name": "test"}).status_code == 303
    assert vera.status() == "closed"
    for step in ("open", "pause", "close"):
        found = vera.post("/owner/status", {"step": step, "name": "test"})
        assert found.status_code == 409 and "final" in found.text
        assert vera.get(f"/confirm/{step}").status_code == 409
    assert vera.status() == "closed" and "/owner/confirm" not in vera.text()


def test_opening_a_draft_tells_what_is_missing(draft):
    assert "There is no invite link yet" in draft.text("/confirm/open")
    assert draft.post("/owner/status", {"step": "close", "name": "test"}).status_code == 409
    new_invite(draft.storage, draft.study, "class", one_use=True)
    assert "There is no invite link yet" not in draft.text("/confirm/open")
    assert draft.post("/owner/status", {"step": "open"}).status_code == 303 and draft.status() == "open"


def revealing(owner):
    """Names of models that stand on some page, and whether scores by model do."""
    texts = {path: owner.text(path) for path in PAGES}
    models = {model for model in MODELS for text in texts.values() if model in text.lower()}
    return models, "Mean score" in texts[""]


def test_models_and_their_scores_are_hidden_until_the_study_is_closed(vera):
    assert revealing(vera) == (set(), False)
    assert "Models are hidden" in vera.words("/pairs")
    vera.post("/owner/status", {"step": "close", "name": "test"})
    assert revealing(vera) == (set(MODELS), True)
    assert "model " in vera.words("/pairs")
    assert vera.post("/owner/unblind").status_code == 409


def test_unblinding_shows_models_and_is_noted_for_good(vera):
    assert "noted in the audit log" in vera.words("/confirm/unblind")
    assert vera.post("/owner/unblind", page="/confirm/unblind").headers["location"] == "/owner?said=unblind"
    assert revealing(vera) == (set(MODELS), True)
    assert "Shown before the end since 2026-01-01" in vera.words()
    assert (vera.deeds()[0].who, vera.deeds()[0].what) == ("vera", "unblind")
    assert vera.post("/owner/unblind").status_code == 409
    assert sum(d.what == "unblind" for d in vera.deeds()) == 1


def test_pictures_of_the_gallery_do_not_stand_in_order_of_the_models(vera):
    # the import sorts by model: among equal votes the order of the import would give models away
    found = vera.storage.read(lambda c: tallies.read_split(c, vera.study.id, 1, 100))
    ties = itertools.groupby(found, key=lambda one: (abs(one.yes / one.n - 0.5), one.n))
    groups = [[one.sr.id for one in group] for _, group in ties]
    assert any(len(group) > 2 for group in groups) and all(group == sorted(group) for group in groups)


# traps


def known(owner, name):
    rows = owner.storage.read(lambda c: roster.read_known(c, owner.study.id))
    return next(row for row in rows if row.name == name)


def test_traps_and_practice_can_be_changed_before_anybody_answered(draft):
    trap, practice = known(draft, "trap_yes_00"), known(draft, "practice_1")
    text = draft.words("/traps")
    assert "8 traps are shown: 4 with the answer yes, 4 with no" in text and "hard to tell" not in text
    for pair, change in ((trap.pair, "hide"), (practice.pair, "yes"), (practice.pair, "yes")):
        answer = draft.post("/owner/traps", {"pair": pair, "change": change})
        assert answer.headers["location"] == f"/owner/traps?said=edited#pair-{pair}"
    assert not known(draft, "trap_yes_00").enabled and known(draft, "practice_1").answer == 1
    assert "7 traps are shown: 3 with the answer yes" in draft.words("/traps")
    assert "hard to tell" in draft.words("/traps")
    # the second "yes" changed nothing, so it is not noted
    assert [(d.what, d.detail) for d in draft.deeds()[:2]] == [
        ("edit practice", "practice_1: answer no -> yes"), ("edit trap", "trap_yes_00: disabled"),
    ]  # fmt: skip
    draft.post("/owner/traps", {"pair": trap.pair, "change": "show"})
    assert known(draft, "trap_yes_00").enabled


def test_what_somebody_answered_stays_as_it_is(vera):
    rows = vera.storage.read(lambda c: roster.read_known(c, vera.study.id))
    assert all(row.fixed and row.seen for row in rows)
    assert "Answered, so it stays as it is" in vera.text("/traps") and 'name="change"' not in vera.text("/traps")
    before = vera.rows(tables.pair)
    for row in rows:
        found = vera.post("/owner/traps", {"pair": row.pair, "change": "hide"})
        assert found.status_code == 409 and f"{row.name} has been answered" in found.text.lower()
    assert vera.rows(tables.pair) == before


def test_a_trap_that_nobody_met_can_be_changed_while_the_study_runs(vera):
    new = {**vera.rows_by_name(tables.pair)[25], "id": 900, "name": "trap_new"}
    vera.storage.write(lambda c: c.execute(tables.pair.insert().values(new)))
    assert vera.post("/owner/traps", {"pair": 900, "change": "hide"}).status_code == 303
    assert not known(vera, "trap_new").enabled
    vera.post("/owner/status", {"step": "close", "name": "test"})
    found = vera.post("/owner/traps", {"pair": 900, "change": "show"})
    assert found.status_code == 409 and "closed" in found.text and not known(vera, "trap_new").enabled


def test_one_answer_of_a_trap_fixes_it_even_after_undo(tmp_path):
    owner = Owner(make_study(tmp_path, trials=12, traps=8, practice=0, practice_pass=0, undo=1))
    who, _, _ = owner.platform.consent("h" * 64)
    for step in itertools.count():
        one = owner.platform.next(who)[0][0]
        owner.platform.vote(who, Answer(one.assignment, 1, f"k{step}", 900, 900, {}))
        if one.answer >= 0:
            break
    owner.platform.undo(who, "undo")
    with pytest.raises(Refused, match="has been answered"):
        owner.storage.write(lambda c: edit_known(c, "test", one.pair, "vera", 0, answer=1 - one.answer))


def test_only_traps_of_this_study_can_be_edited(draft):
    trial = draft.rows(tables.pair)[0]
    for pair in (trial[0], 12345):
        found = draft.post("/owner/traps", {"pair": pair, "change": "hide"})
        assert found.status_code == 404 and "no such trap" in found.text
    assert "trial" in trial and draft.rows(tables.pair)[0] == trial


# what pages say


def test_what_people_wrote_is_escaped(vera):
    for path in ("", "/people", "/problems"):
        text = vera.text(path)
        assert EVIL not in text and "<script>alert" not in text and "<img src=x" not in text
        assert "&lt;script&gt;alert(&#39;x&#39;)" in text


def test_pages_hold_no_inline_code_and_name_no_other_host(vera):
    paths = [*PAGES, "/confirm/close", "/confirm/nothing"]
    texts = [vera.get(path) for path in paths] + [vera.browser().get("/owner/login")]
    assert texts[-2].status_code == 422
    for found in texts:
        policy = found.headers["content-security-policy"]
        assert policy.startswith("default-src 'self';") and "unsafe" not in policy
        assert not re.search(r"\sstyle=|<style|\son\w+\s*=\s*[\"']|javascript:", found.text)
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", found.text))
        links = re.findall(r'(?:src|href|action)="([^"]*)"', found.text)
        assert links and all(link.startswith(("/", "#")) and not link.startswith("//") for link in links)
        assert found.headers["cache-control"] == "no-store"


def test_images_open_by_their_id_only(vera):
    image = vera.rows(tables.image)[0]
    found = vera.get(f"/image/{image[0]}")
    assert found.headers["content-type"] == "image/png"
    assert found.content == (vera.platform.folder / image[3]).read_bytes()
    other = {**vera.rows_by_name(tables.study)[0], "id": "other"}
    foreign = {**vera.rows_by_name(tables.image)[0], "id": "foreign", "study": "other"}
    vera.storage.write(lambda c: c.execute(tables.study.insert().values(other)))
    vera.storage.write(lambda c: c.execute(tables.image.insert().values(foreign)))
    for one in ("foreign", image[3], "..%2Fstudy.yaml", "%2e%2e/secret.key", "x" * 500):
        assert vera.get(f"/image/{one}").status_code == 404, one


def test_votes_that_are_not_from_people_say_so_on_every_page(vera):
    assert "simulated" not in vera.words()
    vera.storage.write(lambda c: c.execute(update(tables.study).values(source="simulated")))
    words = "Votes are simulated; they test the software and say nothing about any SR model or any person."
    assert all(words in vera.words(path) for path in (*PAGES, "/confirm/close"))
    vera.storage.write(lambda c: c.execute(update(tables.study).values(source="vlm:x")))
    assert "Votes are answers of a model (vlm:x), not of people." in vera.words()


def test_the_dashboard_shows_how_the_study_stands(vera):
    new_invite(vera.storage, vera.study, "first class", one_use=True)
    page, seen = vera.words(), vera.storage.read(lambda c: overview.read_overview(c, "test", vera.clock.ms))
    assert f"Complete pairs {seen.votes.complete} of 20" in page
    assert f"Valid votes {seen.votes.valid} {seen.votes.missing} missing" in page
    assert "Consented 14 Did not consent 1" in page and "Withdrew 1" in page
    assert "first class one person 1 0 0 -" in page and "GiB" in page and "no person" in page
    assert [line for line in overview.sentences(seen) if line in page] == []  # its words are for the command line
    assert overview.sentences(seen)[0] == "study 'test' is open"


def test_a_lost_folder_of_images_is_told(vera):
    vera.platform.folder = Path("/nowhere/at/all")
    assert "unknown: the folder of the images cannot be read" in vera.words()


# screening


def test_screening_keeps_a_run_and_shows_its_flags(vera):
    assert vera.rows(tables.screening) == []
    assert "failed 8 of 8 traps" not in vera.words("/people")
    assert vera.post("/owner/screen", page="/people").headers["location"] == "/owner/people?said=screened"
    vera.post("/owner/screen", page="/people")
    assert {row[1] for row in vera.rows(tables.screening)} == {1, 2}
    assert "failed 8 of 8 traps" in vera.words("/people")
    assert [d.what for d in vera.deeds()[:2]] == ["screen", "screen"] and vera.deeds()[0].who == "vera"
    assert vera.storage.read(lambda c: verify(c, vera.study.id)) == []


def test_there_is_nobody_to_screen_before_the_first_vote(draft):
    found = draft.post("/owner/screen", page="/people")
    assert found.status_code == 409 and "Nobody has voted yet" in found.text
    assert "Nobody has consented yet" in draft.text("/people")


def test_a_closed_study_stays_closed_for_commands_too(vera):
    set_status(vera.storage, vera.study.id, "closed", "vera")
    with pytest.raises(HlfError, match="final"):
        set_status(vera.storage, vera.study.id, "open", "vera")
    assert "<dt>" in vera.text() and "to go at the pace" not in vera.words()
