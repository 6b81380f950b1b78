"""What people may send to a study, value by value: the wrong is refused, the strange does no harm."""

import asyncio
import copy
import json
from html import unescape

import pytest
from sqlalchemy import select

from hlf.study.running.storage import tables
from hlf.study.server.security import MAX_BODY
from study_guest import BODIES, Site, form_token, paths
from study_server import database, make_study, postgres  # noqa: F401

SMALL = {"trials": 12, "traps": 8, "people_quota": 8, "trap_rate": 4, "gt_gap": 1}
JSON = [path for path in BODIES if path.startswith("/api/")]
NUMBERS = ["NaN", "Infinity", "-Infinity", "1e400", "-1", "1" + "0" * 30, '"1"', "true", "null", "[]", "{}", "[1]"]
TEXTS = ["5", "true", "[]", "{}", '["a"]', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', json.dumps("x" * 5000)]
FLAGS = ["0", "1", "1.0", '"true"', "null", "[]"]
ANSWERS = [
    '"banana"', "2", "-1", "true", "false", "null", "1.0", "0.0", "1e0", '"1"', '""', "[1]", "{}", "NaN", "1e400", "01",
]  # fmt: skip
NO_OBJECTS = [
    "", "null", "[]", "1", '"x"', "true", "NaN", "{", "{} {}", "{'a': 1}", '{"a":1,}', "[" * 9000, "\x00", b"\xff",
    '{"answer": 1' + "0" * 6000 + "}", b"\xff\xfe{\x00",
]  # fmt: skip
KINDS = [
    "text/plain", "text/json", "application/xml", "application/x-www-form-urlencoded", "image/png", "", "x",
    "multipart/form-data; boundary=x",
]  # fmt: skip
# for browsers, three kinds of databases, templates, shells, spreadsheets, logs, and eyes
EVIL = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' OR '1'='1", "'; DROP TABLE participant; --",
    "{{ 7 * 7 }}${7*7}<%= 7 %>", "$(touch /tmp/x) `id` | cat", '=HYPERLINK("http://evil","x")', "@SUM(1)",
    "%s %n %00 ..%2f", "\u202egnp.exe", "\ufeffa\u200b", "e\u0301\U0001f469\u200d\U0001f52c", "\x80\x9f\ufffe\uffff",
    "&lt;b&gt; &amp;amp;", "\u2028\u2029",
]  # fmt: skip


@pytest.fixture
def site(tmp_path):
    return Site(make_study(tmp_path, **SMALL))


def leaves(value, path=()):
    """Places of all values of a body that are no objects, and these values."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def with_raw(body, path, raw):
    """The body as JSON text with `raw` at a place."""
    body = copy.deepcopy(body)
    inner = body
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = "@@"
    return json.dumps(body).replace('"@@"', raw)


def send(guest, path, content, kind="application/json"):
    headers = {"x-csrf-token": guest.csrf, **({"content-type": kind} if kind else {})}
    return guest.client.post(path, content=content.encode() if isinstance(content, str) else content, headers=headers)


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """Somebody in the middle of their trials, who could send every body; shared by tests that change nothing."""
    me = Site(make_study(tmp_path_factory.mktemp("shared"), **SMALL)).guest("trials")
    me.vote(me.next()[0])
    return me


@pytest.fixture
def refused(busy):
    """refused(path, content, ...): the request is answered with one of the statuses, and nothing changes by it."""
    before = busy.site.dump()

    def check(path, content, *statuses, **more):
        found = send(busy, path, content, **more)
        said = f"{path} {content!r:.200}: {found.status_code} {found.text:.200}"
        assert found.status_code in (statuses or (422,)), said
        assert list(found.json()) == ["detail"] and "Traceback" not in found.text, said
        return found

    yield check
    assert busy.site.dump() == before


# --- values


@pytest.mark.parametrize("answer", ANSWERS)
def test_answers_are_0_or_1(busy, refused, answer):
    for path in ("/api/vote", "/api/practice"):
        refused(path, with_raw(busy.body(path), ("answer",), answer))


@pytest.mark.parametrize("answer", ["0", "1", "-0"])
def test_0_and_1_are_taken(site, answer):
    busy = site.guest("trials")
    busy.next()
    body = with_raw(busy.body("/api/vote"), ("answer",), answer)
    assert send(busy, "/api/vote", body).status_code == 200
    event = busy.site.rows(tables.vote_event)[-1]
    assert event["answer"] == abs(int(answer))


@pytest.mark.parametrize("path", JSON)
def test_values_of_another_kind_are_refused(busy, refused, path):
    body = busy.body(path)
    for place, value in leaves(body):
        kinds = FLAGS if isinstance(value, bool) else NUMBERS if isinstance(value, int | float) else TEXTS
        may_be_empty = path in ("/api/questionnaire", "/api/finish")
        for raw in [*kinds, *([] if may_be_empty or value is None else ["null"])]:
            refused(path, with_raw(body, place, raw))


@pytest.mark.parametrize("path", JSON)
def test_keys_are_exactly_the_known_ones(busy, refused, path):
    body = busy.body(path)
    for key in ("extra", "__proto__", "participant", "\ud800", "<script>", ""):
        for place in [(key,), *((name, key) for name, inner in body.items() if isinstance(inner, dict))]:
            found = refused(path, with_raw(body, place, "1"))
            assert "<script>" not in found.text  # what was sent is not repeated
    optional = path == "/api/questionnaire"
    for key in body:
        less = {name: value for name, value in body.items() if name != key}
        if not optional and path != "/api/finish":
            refused(path, json.dumps(less))


@pytest.mark.parametrize("path", JSON)
def test_bodies_that_are_no_objects_are_refused(busy, refused, path):
    for content in NO_OBJECTS:
        refused(path, content, 400, 422)
    content = json.dumps(busy.body(path))
    for kind in KINDS:
        refused(path, content, kind=kind)


def test_one_key_twice_is_one_value(site):
    """JSON allows it: the last one counts, also here."""
    busy = site.guest("trials")
    busy.next()
    body = json.dumps(busy.body("/api/vote"))[:-1] + ', "answer": 0}'
    assert send(busy, "/api/vote", body).status_code == 200
    assert busy.site.rows(tables.vote_event)[-1]["answer"] == 0


@pytest.mark.parametrize("path", JSON)
def test_bodies_beyond_the_limit_are_refused(refused, path):
    whole = json.dumps({"message": "x" * MAX_BODY}).encode()
    refused(path, whole, 413)
    refused(path, pieces(whole), 413)
    refused(path, b"x" * (8 * MAX_BODY), 413)


def test_forms_beyond_the_limit_are_refused(site):
    owner = site.owner()
    before, form = site.dump(), b"csrf=" + form_token(owner).encode() + b"&name=" + b"x" * MAX_BODY
    for path in BODIES.keys() - set(JSON):
        for content in (form, pieces(form)):
            found = owner.post(path, content=content, headers={"content-type": "application/x-www-form-urlencoded"})
            assert found.status_code == 413, path
    assert site.dump() == before


def pieces(content):
    """The content bit by bit, so that its length is not told beforehand."""
    return (content[i : i + 999] for i in range(0, len(content), 999))


def test_a_body_at_the_limit_is_read(busy):
    content = json.dumps({"comment": None}) + " " * MAX_BODY
    assert send(busy, "/api/finish", content[:MAX_BODY]).status_code == 409
    assert send(busy, "/api/finish", content[: MAX_BODY + 1]).status_code == 413


@pytest.mark.parametrize("length", [b"-1", b"x", b"", b"\xb2", b"1e9", b"0x10", b" 3", b"\xd9\xa1"])
def test_lengths_that_are_no_numbers_do_no_harm(busy, length):
    """As they come from a server that checks them less than ours; \xb2 is a raised 2, a digit and yet no number."""
    sent, scope = [], {
        "type": "http", "http_version": "1.1", "method": "POST", "path": "/api/heartbeat",
        "raw_path": b"/api/heartbeat", "root_path": "", "scheme": "https", "query_string": b"",
        "client": ("192.0.2.1", 1), "server": ("host", 443),
        "headers": [(b"host", b"host"), (b"content-length", length)],
    }  # fmt: skip

    async def receive():
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(busy.site.app(scope, receive, send))
    assert sent[0]["status"] in (403, 422)


# --- other people's things


def test_somebody_elses_trial_is_as_good_as_none(site):
    me, other = site.guest("trials"), site.guest("trials")
    theirs, mine = other.next()[0], me.next()[0]
    other.vote(theirs, key="their-key")
    held = other.next()[0]
    before = site.dump()
    for one, unknown in ((theirs, "A" * 22), (held, "B" * 22)):
        body = {**me.body("/api/vote"), "assignment": one["assignment"]}
        found = me.send("/api/vote", body)
        assert (found.status_code, found.text) == (404, me.send("/api/vote", {**body, "assignment": unknown}).text)
        for side in "ab":
            found = me.get(one[side])
            assert (found.status_code, found.text) == (404, me.get(f"/image/{unknown}/{side}").text)
        me.post("release", assignment=one["assignment"], reason="load_error")
    assert me.send("/api/undo", {"key": "their-key"}).status_code == 409
    after = site.dump()
    seen = ("last_seen", "sitting")  # of the participant who asks
    for dump in (before, after):
        dump["participant"] = [{k: v for k, v in row.items() if k not in seen} for row in dump["participant"]]
    assert after == before
    # nor does their key serve for one's own trial
    assert (
        me.send("/api/vote", {**me.body("/api/vote"), "assignment": mine["assignment"], "key": "their-key"}).status_code
        == 409
    )


def test_a_trial_cannot_be_answered_twice_or_after_it_was_given_back(site):
    me = site.guest("trials")
    first, second, third = me.next()
    me.vote(first, 1)
    assert (
        me.send("/api/vote", {**me.body("/api/vote"), "assignment": first["assignment"], "answer": 0}).status_code
        == 409
    )
    me.post("release", assignment=second["assignment"], reason="load_error")
    assert me.send("/api/vote", {**me.body("/api/vote"), "assignment": second["assignment"]}).status_code == 409
    me.post("withdraw", confirm=True)
    assert me.send("/api/vote", {**BODIES["/api/vote"], "assignment": third["assignment"], "key": "k"}).status_code in (
        401,
        403,
    )
    assert site.rows(tables.vote_event) == []


# --- strange texts


def test_strange_texts_are_kept_and_harmless(tmp_path, database):  # noqa: F811
    site = Site(make_study(tmp_path, database, title=EVIL[0] + EVIL[1], pay=EVIL[0], **SMALL))
    me, owner = site.guest("consent"), site.owner()
    for one in EVIL:
        me.post("questionnaire", **dict.fromkeys(BODIES["/api/questionnaire"], one))
        assert set(site.rows(tables.participant)[0]["questionnaire"].values()) == {one}
        me.post("problem", kind="script", message=one)
        assert site.rows(tables.problem)[-1]["message"] == one
        assert me.send("/api/resume", {"code": one}).status_code == 404
        assert me.send("/api/problem", {"kind": one, "message": "x"}).status_code == 422
        assert me.get("/join/x", params={"PROLIFIC_PID": one}).status_code == 404
        assert site.guest().get(f"/join/{site.invite()}", params={"PROLIFIC_PID": one}).status_code == 422
    me._trials(), me._finish()
    me.post("finish", comment="\n".join(EVIL))
    assert site.rows(tables.participant)[0]["comment"] == "\n".join(EVIL)
    plain = [path for path in paths(site.app, "GET") if path.startswith("/owner") and "{" not in path]
    pages = {path: owner.get(path).text for path in plain}
    assert "/owner/problems" in pages and "/owner/people" in pages
    pages["/"] = me.get("/").text
    for path, page in pages.items():
        assert "<script>alert" not in page and "<img src=x" not in page, path
    for path in ("/owner/problems", "/owner/people"):
        shown = unescape(pages[path])
        assert all(one in shown for one in EVIL), path
    assert site.rows(tables.participant) and owner.get("/owner").status_code == 200


def test_an_owners_page_keeps_what_people_wrote_inside_its_text(site):
    """Quotes too: no text of people ends an attribute."""
    me, owner = site.guest("trials"), site.owner()
    me.post("problem", kind="script", message='" autofocus onfocus="alert(1)')
    page = owner.get("/owner/problems").text
    assert 'onfocus="' not in page and "&#34; autofocus onfocus=&#34;" in page


def test_recruiting_ids_of_other_characters_never_reach_the_database(site):
    guest = site.guest()
    for value in ("a b", "a\x00", "x" * 101, "é", "1'--", "<b>"):
        assert (
            guest.get(f"/join/{site.invite()}", params={"PROLIFIC_PID": "ok", "SESSION_ID": value}).status_code == 422
        )
    assert site.rows(tables.recruit) == [] and not any("hlf_visit" in name for name in guest.client.cookies)
    query = select(tables.participant.c.id)
    assert site.storage.read(lambda c: c.execute(query).all()) == []
