"""The study's server under attack: foreign forms, planted cookies, crafted addresses, floods; and what it may tell."""

import http.client
import logging
import re
import subprocess
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from sqlalchemy import text

from hlf import cli
from hlf.errors import HlfError
from hlf.study.running import folder, studies
from hlf.study.running.accounts import add_admin
from hlf.study.running.answers import Answer
from hlf.study.running.keeping import backup
from hlf.study.running.people import Recruit, Refused
from hlf.study.running.platform import Platform
from hlf.study.running.storage import tables
from hlf.study.server import app as server_app
from hlf.study.server import limits, serving
from hlf.study.server.limits import address
from hlf.study.server.security import MAX_BODY, Options
from study_guest import BODIES, PASSWORD, PERSON, VISIT, Site, browser, form_token, paths, routes, sent
from study_people import together
from study_server import database, free_port, make_study, postgres  # noqa: F401

SMALL = {"trials": 12, "traps": 8, "people_quota": 8, "trap_rate": 4, "gt_gap": 1}
SECRET = "correct-horse-battery"
STEPS = ("open", "pause", "close", "unblind")


@pytest.fixture
def site(tmp_path):
    return Site(make_study(tmp_path, **SMALL))


def a_trap(site):
    return next(row["id"] for row in site.rows(tables.pair) if row["role"] == "trap")


# --- foreign forms


def test_every_post_has_a_body_to_test_it_with(site):
    assert paths(site.app, "POST") == sorted(BODIES)
    methods = {method for route in routes(site.app.routes) for method in getattr(route, "methods", None) or ()}
    assert methods <= {"GET", "HEAD", "POST"}


@pytest.mark.parametrize(
    "kind", ["missing", "empty", "wrong", "of another person", "of the cookie before", "not ascii"]
)
def test_post_without_its_token_changes_nothing(site, kind):
    me, other = site.guest("welcome"), site.guest("trials")
    before_consent = me.csrf
    me._consent(), me._trials()
    me.vote(me.next()[0])
    another = site.owner()
    foreign, owner = form_token(another), site.owner()
    tokens = {
        "missing": (None, None), "empty": ("", ""), "wrong": ("0" * 32, "0" * 32),
        "of another person": (other.csrf, foreign), "of the cookie before": (before_consent, me.csrf),
        "not ascii": ("\u00e9".encode("latin1"), "\u20ac"),
    }  # fmt: skip
    given = {path: me.body(path) for path in BODIES} | {"/owner/traps": {"pair": a_trap(site), "change": "hide"}}
    before = site.dump()
    for path, body in given.items():
        if path.startswith("/owner"):
            form = body if tokens[kind][1] is None else {"csrf": tokens[kind][1], **body}
            found = owner.post(path, data=form)
        else:
            headers = {} if tokens[kind][0] is None else {"x-csrf-token": tokens[kind][0]}
            found = me.client.post(path, json=body, headers=headers)
        assert found.status_code == 403, path
        assert "set-cookie" not in found.headers, path
    assert site.dump() == before
    assert owner.get("/owner").status_code == 200  # not logged out either


def test_posts_work_with_their_token(site):
    me, owner = site.guest("welcome"), site.owner()
    before = {"/api/next": me._trials, "/api/finish": me._finish}
    for path in BODIES:
        before.get(path, lambda: None)()
        if path.startswith("/owner"):
            body = {"pair": a_trap(site), "change": "hide"} if path == "/owner/traps" else BODIES[path]
            page = "/owner/login" if path == "/owner/login" else "/owner"
            found = sent(owner, path, body, form_token(owner, page))
        else:
            found = me.send(path, me.body(path))
            me.csrf, me.code = found.json().get("csrf", me.csrf), found.json().get("resume_code", me.code)
        # nobody has valid votes any more, as the one person has withdrawn: 409 is the answer of screening
        assert found.status_code in ((409,) if path == "/owner/screen" else (200, 303)), (path, found.text)


def test_forms_of_other_sites_are_refused(site):
    """What a page elsewhere can send without asking first: no header of its own, and three kinds of content."""
    me = site.guest("trials")
    body = '{"confirm": true}'
    before = site.dump()
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json",
    ):
        found = me.client.post("/api/withdraw", content=body, headers={"content-type": kind})
        assert found.status_code in (400, 403, 422), kind
    asked = me.client.options(
        "/api/withdraw", headers={"origin": "https://evil", "access-control-request-method": "POST"}
    )
    assert asked.status_code == 405 and asked.headers["allow"] == "POST"
    assert not [name for name in asked.headers if name.startswith("access-control")]
    assert site.dump() == before


# --- reading changes nothing


def filled(path, values):
    """A route's path with all values of its parameters; KeyError for a parameter that no test knows."""
    found = [path]
    for name in re.findall(r"{(\w+)}", path):
        found = [one.replace(f"{{{name}}}", str(value)) for one in found for value in values[name]]
    return found


def test_no_get_changes_anything(site):
    people = {until: site.guest(until) for until in ("nowhere", "welcome", "consent", "trials", "finish")}
    busy = people["trials"]
    busy.vote(busy.next()[0])
    clients = [guest.client for guest in people.values()] + [site.owner()]
    values = {
        "code": [site.invite(), site.invite(one_use=True), "unknown"], "side": "ab",
        "assignment": [one["assignment"] for one in busy.next()],
        "number": [1, 6, 7], "one": [site.rows(tables.image)[0]["id"]], "step": STEPS,
    }  # fmt: skip
    before = site.dump()
    for path in paths(site.app, "GET"):
        # the join link gives a person another visit, so everybody opens it last
        found = [client.get(one).status_code for one in filled(path, values) for client in clients]
        assert min(found) < 400, f"nobody can open {path}, which proves nothing"
        assert site.dump() == before, path


# --- cookies and sessions


def cookie_parts(header):
    name, _, rest = header.partition("=")
    value, *parts = (part.strip().lower() for part in rest.split(";"))
    return name, value, set(parts)


@pytest.mark.parametrize("secure", [True, False])
def test_cookies_are_for_this_server_alone(tmp_path, secure):
    site = Site(make_study(tmp_path, **SMALL), secure=secure)
    me = site.guest()
    if not secure:
        me.client.base_url = "http://study.example.org"
    # (not through `site.guest`, so that every answer is seen)
    seen = [me.get(f"/join/{site.invite()}"), me.get("/")]
    me.csrf = me.state()["csrf"]
    seen.append(me.send("/api/consent", me.body("/api/consent")))
    me.csrf, me.code = seen[-1].json()["csrf"], seen[-1].json()["resume_code"]
    seen.append(me.send("/api/resume", me.body("/api/resume")))
    me.csrf = seen[-1].json()["csrf"]
    seen += [me.send("/api/withdraw", {"confirm": True}), me.get("/"), me.get("/owner/login")]
    cookies = [cookie_parts(header) for found in seen for header in found.headers.get_list("set-cookie")]
    own = {VISIT, PERSON} if secure else {name.removeprefix("__Host-") for name in (VISIT, PERSON)}
    assert {name for name, _, _ in cookies} == {*own, "hlf_owner"}
    assert len(cookies) >= 7
    for name, _, parts in cookies:
        assert {"httponly", "samesite=lax"} <= parts, name
        assert ("secure" in parts) == secure, name
        assert not any(part.startswith("domain") for part in parts), name


def test_a_cookie_planted_before_consent_names_nobody_after(site):
    attacker = site.guest("welcome")
    me = site.guest("nowhere")
    plant = {VISIT: attacker.client.cookies[VISIT], PERSON: "chosen-by-the-attacker"}
    for name, value in plant.items():
        me.client.cookies.set(name, value, domain="study.example.org", path="/")
    me.csrf = me.state()["csrf"]
    me._consent()
    mine = me.client.cookies[PERSON]
    assert mine != "chosen-by-the-attacker" and len(mine) >= 43
    for name, value in plant.items():
        thief = browser(site.app, cookies={name: value})
        assert thief.get("/api/practice").status_code == 401
        assert thief.get("/api/state").json()["phase"] in ("no_invite", "welcome")


def test_resuming_gives_a_new_cookie_and_ends_the_old_one(site):
    me = site.guest("consent")
    old, token = me.client.cookies[PERSON], me.csrf
    other = site.guest("welcome")
    done = other.post("resume", code=me.code.upper().replace(" ", "-"))
    new = other.client.cookies[PERSON]
    assert new != old and done["csrf"] != token
    assert me.get("/api/practice").status_code == 401
    assert browser(site.app, cookies={PERSON: new}).get("/api/practice").status_code == 200
    assert me.send("/api/questionnaire", BODIES["/api/questionnaire"]).status_code in (401, 403)


def test_a_second_consent_by_the_same_recruiting_id_ends_the_first_cookie(site):
    link = f"/join/{site.invite()}?PROLIFIC_PID=p1&STUDY_ID=s&SESSION_ID=v"
    found = []
    for _ in range(2):
        guest = site.guest()
        guest.get(link)
        guest.csrf = guest.state()["csrf"]
        guest._consent()
        found.append(guest)
    assert len(site.rows(tables.participant)) == 1
    assert [one.get("/api/practice").status_code for one in found] == [401, 200]


def test_forged_and_damaged_cookies_open_nothing(site):
    me = site.guest("welcome")
    visit = me.client.cookies[VISIT]
    payload, _, rest = visit.partition(".")
    for value in ("", "x", visit[:-2], f"{payload}x.{rest}", "e30.e30.e30", "\x7f", "%00", "a" * 4000):
        state = browser(site.app, cookies={VISIT: value, PERSON: value}).get("/api/state")
        assert (state.status_code, state.json()["phase"]) == (200, "no_invite"), value


def test_requests_on_their_way_store_nothing_of_somebody_who_withdrew(site):
    me = site.guest("trials")
    trial, platform, who = me.next()[0], site.platform, me.id
    person = platform.person(me.client.cookies[PERSON])
    me.post("withdraw", confirm=True)
    before = site.dump()
    late = [
        lambda: platform.questionnaire(who, {"vision": "normal"}), lambda: platform.practise(who, 1, 0),
        lambda: platform.next(who), lambda: platform.vote(who, Answer(trial["assignment"], 1, "k", 1, 1, {})),
        lambda: platform.undo(who, "k2"), lambda: platform.release(who, trial["assignment"], "load_error"),
        lambda: platform.heartbeat(who), lambda: platform.finish(who, "remember me"), lambda: platform.withdraw(who),
    ]  # fmt: skip
    for work in late:
        with pytest.raises(Refused) as caught:
            work()
        assert caught.value.status == 401
    assert platform.image_file(person.id, trial["assignment"], "a") is None
    assert site.dump() == before


def test_one_recruiting_id_in_many_tabs_is_one_person(tmp_path, database):  # noqa: F811
    site = Site(make_study(tmp_path, database, **SMALL))
    code = site.invite()

    def join(given):
        pid, number = given
        return site.platform.consent("0" * 64, code, Recruit(pid, "s", f"v{number}"), {})[0]

    join(("somebody", 0))
    together(lambda _: site.platform.state(), range(8))  # opens the connections, so that all begin at one moment
    for pid in ("p1", "p2", "p3", "p4", "p5"):
        found = together(join, [(pid, number) for number in range(8)])
        assert len(set(found)) == 1, found
    assert len(site.rows(tables.participant)) == len(site.rows(tables.recruit)) == 6


def test_one_key_from_many_browsers_is_one_vote(tmp_path, database):  # noqa: F811
    """Keys are random, so only somebody with bad intent sends one twice; it must not break anything."""
    site = Site(make_study(tmp_path, database, **SMALL))
    people = [site.platform.consent("0" * 64)[0] for _ in range(8)]
    site.storage.write(lambda c: c.execute(tables.participant.update().values(passed=True)))
    given = [(who, site.platform.next(who)[0][0].assignment) for who in people]
    together(lambda _: site.platform.state(), range(8))  # opens the connections, so that all begin at one moment

    def vote(one):
        return site.platform.vote(one[0], Answer(one[1], 1, "one-key", 1, 1, {}))

    found = together(vote, given)
    refused = [one for one in found if isinstance(one, Refused)]
    assert len(refused) == 7 and {one.status for one in refused} == {409}, found
    assert len(site.rows(tables.vote_event)) == 1


# --- headers


def answers(site):
    """Responses of every sort: (what, response)."""
    me, nobody, owner = site.guest("trials"), site.guest(), site.owner()
    trial = me.next()[0]
    image = site.rows(tables.image)[0]["id"]
    for path in ("/", "/api/state", "/api/practice", trial["a"], "/image/practice/1/b"):
        yield path, me.get(path)
    for path in ("/static/main.js", "/static/study.css", "/static/check.png", "/static/icon.svg"):
        yield path, nobody.get(path)
    for path in ("/owner", "/owner/login", "/owner/people", f"/owner/image/{image}"):
        yield path, owner.get(path)
    for path in ("/owner", "/owner/", "/owner/nothing", "/api/practice", "/nothing", "/api/nothing", "/join/unknown"):
        yield f"nobody's {path}", nobody.get(path)
    yield "join", nobody.get(f"/join/{site.invite()}")
    yield "bad link", nobody.get(f"/join/{site.invite()}?PROLIFIC_PID=%3Cscript%3E")
    yield "method", me.client.put("/api/vote", json={})
    yield "head", me.client.head("/")
    yield "token", me.client.post("/api/next", json={})
    yield "form token", owner.post("/owner/unblind", data={})
    yield "no values", me.send("/api/vote", {})
    yield "no json", me.client.post("/api/next", content="{", headers={"content-type": "application/json"})
    yield "conflict", me.send("/api/undo", {"key": "k"})
    yield "too large", me.send("/api/problem", {"kind": "k", "message": "x" * MAX_BODY})
    yield "too large a form", owner.post("/owner/login", data={"name": "x" * MAX_BODY})
    site.platform.progress = None  # breaks the next answer
    yield "broken", me.get("/api/state")
    site.app.state.cookies.visit = None
    yield "broken page", nobody.get("/")


@pytest.mark.parametrize(("secure", "frames"), [(True, "'none'"), (False, "'self' https://app.prolific.com")])
def test_headers_of_every_answer(tmp_path, secure, frames):
    site = Site(make_study(tmp_path, **SMALL), secure=secure, frame_ancestors=frames)
    if not secure:
        # so that cookies come back although the tests speak https
        site.app.state.cookies._options = Options(secure=False)
    statuses = set()
    for what, found in answers(site):
        headers, statuses = found.headers, statuses | {found.status_code}
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'self'" and policy["frame-ancestors"] == frames, what
        assert "unsafe" not in str(policy) and not {"script-src", "style-src", "connect-src"} & set(policy), what
        assert policy["object-src"] == policy["base-uri"] == "'none'" and policy["form-action"] == "'self'", what
        assert headers["x-content-type-options"] == "nosniff", what
        assert headers["referrer-policy"] == "no-referrer", what
        assert headers.get("strict-transport-security") == ("max-age=31536000" if secure else None), what
        assert not {name for name in headers if name.startswith("access-control") or name in ("server", "x-powered-by")}
        if found.headers.get("content-type") == "image/png" and "static" not in what:
            assert "private" in headers["cache-control"], what
            assert not {"etag", "last-modified", "accept-ranges"} & set(headers), what
            assert what.startswith("/owner") or "immutable" in headers["cache-control"]
        else:
            assert headers["cache-control"] == "no-store", what
    assert statuses == {200, 303, 401, 403, 404, 405, 409, 413, 422, 500}


def test_a_browsers_copy_of_a_practice_image_belongs_to_one_person(site):
    """The address is the same for everybody, the sides are not."""
    for path in ("/image/practice/1/a", site.guest("trials").next()[0]["a"]):
        assert site.guest("consent").get("/image/practice/1/a").headers["vary"] == "cookie", path


def test_errors_say_nothing_of_the_program(site, monkeypatch):
    def broken(*_):
        raise RuntimeError(SECRET)

    me = site.guest("trials")
    monkeypatch.setattr(Platform, "state", broken)
    for path, kind in (("/api/state", "application/json"), ("/", "text/html")):
        found = me.get(path)
        assert found.status_code == 500 and found.headers["content-type"].startswith(kind)
        assert "went wrong on the server" in found.text
        assert not re.search(rf"{SECRET}|Traceback|RuntimeError|\.py|line \d", found.text)
    assert not site.app.debug


def test_the_frameworks_own_pages_are_off(site):
    me = site.guest("trials")
    for path in ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect", "/static", "/static/", "/api", "/image"):
        assert me.get(path).status_code == 404, path


def test_nothing_leads_to_the_host_that_a_request_names(site):
    me = site.guest("trials")
    for path in ("/join/abc/", "/api/state/", "/%2fevil.example/", "/static", "/owner/", "/owner/login/"):
        found = me.get(path, headers={"host": "evil.example"})
        assert "evil" not in found.headers.get("location", ""), path
        assert found.status_code == 404 or found.headers["location"] == "/owner", path


# --- crafted addresses


@contextmanager
def in_production(study, monkeypatch, proxy=None, **options):
    """The server as `hlf study serve` runs it; gives host and port, and the platform."""
    told, port, platform = {}, free_port(), study.platform()
    monkeypatch.setattr("uvicorn.run", lambda app, **more: told.update(more, app=app))
    serving.run_server(platform, Options(**options), "127.0.0.1", port, proxy)
    server = uvicorn.Server(uvicorn.Config(**told))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"127.0.0.1:{port}", platform
    server.should_exit = True
    thread.join(10)


def raw(host, path, cookie=""):
    """GET of a path as it stands, which no client tidies up."""
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.putrequest("GET", path, skip_accept_encoding=True)
    connection.putheader("Cookie", cookie)
    connection.endheaders()
    found = connection.getresponse()
    body = found.read()
    connection.close()
    return found.status, dict(found.getheaders()), body


UP = ("..", "%2e%2e", ".%2e", "%252e%252e", "..%00", "%c0%ae%c0%ae", "%uff0e%uff0e")
SLASH = ("/", "%2f", "%5c", "\\", "%252f", "%c0%af", "//")


def test_no_address_reaches_a_file_outside(tmp_path, monkeypatch):
    study = make_study(tmp_path, **SMALL)
    site = Site(study, secure=False)
    me = site.guest("trials")
    one = me.next()[0]["assignment"]
    plain = PERSON.removeprefix("__Host-")  # without HTTPS
    cookie = f"{plain}={me.client.cookies[plain]}"
    key = (study.path / "secret.key").read_bytes().strip()
    names = ("secret.key", "study.yaml", "study.sqlite", "app.py", "etc/passwd", "images/x.png")
    tails = [up + slash + name for up in UP for slash in SLASH for name in names]
    deep = [(up + slash) * 12 + "etc/passwd" for up in UP for slash in SLASH]
    whole = [
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "file:%2f%2f%2fetc%2fpasswd",
        "C:%5cx",
        "%00",
        "a%00.js",
        "%ff",
        "%ed%a0%80",
        "x" * 9000,
    ]
    refused = []
    with in_production(study, monkeypatch, secure=False, limits=False) as (host, _):
        assert raw(host, f"/image/{one}/a", cookie)[0] == 200
        for tail in tails + deep + whole:
            bases = (
                ("/static/", "/join/", f"/image/{one}/", "/image/practice/1/")
                if tail in whole
                else ("/static/", "/image/")
            )
            for path in [base + tail for base in bases] + [f"/image/{tail}/a"]:
                status, headers, body = raw(host, path, cookie)
                assert "server" not in {name.lower() for name in headers}
                refused.append(status)
                # 400: what is no HTTP is refused before it comes to us; 422: a side is a or b, a number a number
                assert status == 404 or (status in (400, 422) and "/image/" in path) or status == 400, path
                assert key not in body and b"root:" not in body and b"sqlite:" not in body and b"import" not in body, (
                    path
                )
    assert len(refused) > 1000 and refused.count(404) > 0.7 * len(refused)


def test_crafted_addresses_on_both_databases(tmp_path, database):  # noqa: F811
    site = Site(make_study(tmp_path, database, **SMALL))
    me, owner = site.guest("trials"), site.owner()
    bad = (
        "%00",
        "a%00b",
        "'%20OR%201=1--",
        "%ff%fe",
        "%ed%a0%80",
        "x" * 3000,
        "%F0%9F%98%80",
        "-1",
        "a%0d%0aset-cookie:x=y",
    )
    for value in bad:
        for path in (f"/image/{value}/a", f"/join/{value}", f"/static/{value}"):
            found = me.get(path)
            assert found.status_code == 404 and "x" not in found.cookies, path
        assert owner.get(f"/owner/image/{value}").status_code == 404, value
        assert me.get(f"/image/practice/{value}/a").status_code in (404, 422)
    for number in (0, 7, 10**18, 10**30):
        assert me.get(f"/image/practice/{number}/a").status_code == 404
    assert me.get(f"/image/practice/{'9' * 5000}/a").status_code == 422


# --- floods


class Clock:
    """Seconds, moved by hand."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def flooded(tmp_path, monkeypatch):
    """A site with limits whose clock stands still, and the clock."""
    clock = Clock()
    monkeypatch.setattr(server_app, "Limits", lambda on: limits.Limits(on, clock))
    # two invites of other people are refused by a study that is full of nobody: pairs do not matter here
    return Site(make_study(tmp_path, **SMALL), limits=True), clock


# kind -> (requests at once, seconds until the next, what is sent)
FLOODS = {
    "join": (10, 6, lambda scene: scene.me.get("/join/unknown")),
    "join with invite": (120, 1, lambda scene: scene.me.get(scene.link)),
    "vote": (8, 1, lambda scene: scene.me.send("/api/undo", {"key": "k"})),
    "image": (60, 1, lambda scene: scene.me.get("/image/practice/1/a")),
    "login": (5, 180, lambda scene: scene.me.client.post("/owner/login", data=scene.login)),
    "problem": (10, 6, lambda scene: scene.stranger.send("/api/problem", BODIES["/api/problem"])),
    "other": (40, 1, lambda scene: scene.me.send("/api/heartbeat", {})),
}  # fmt: skip


@pytest.mark.parametrize("kind", FLOODS)
def test_floods_are_held_back(flooded, kind):
    site, clock = flooded
    burst, seconds, request = FLOODS[kind]
    scene = Scene(site)
    clock.now += 3600  # what it took to come here counts no more
    found = [request(scene) for _ in range(burst + 5)]
    assert all(one.status_code != 429 for one in found[:burst])
    assert all(one.status_code == 429 for one in found[burst:])
    wait = int(found[burst].headers["retry-after"])
    assert seconds <= wait <= seconds + 1 and f"try again in {wait} s" in found[burst].text
    before = site.dump()
    assert request(scene).status_code == 429 and site.dump() == before
    clock.now += wait
    assert request(scene).status_code != 429
    while request(scene).status_code != 429:
        pass
    # another person has a measure of their own, and so has another address, unless it is merely claimed
    scene.me, mine = site.guest("consent") if kind in ("vote", "image", "other") else scene.me, scene.me
    assert (request(scene).status_code == 429) == (scene.me is mine)
    claimed = mine.get("/join/unknown", headers={"x-forwarded-for": "203.0.113.9", "x-real-ip": "203.0.113.9"})
    assert (claimed.status_code == 429) == (kind == "join")


class Scene:
    """Who asks, and for what."""

    def __init__(self, site):
        self.me, self.stranger, self.link = site.guest("consent"), site.guest(), f"/join/{site.invite()}"
        self.stranger.csrf = re.search(r'csrf-token" content="(\w+)"', self.stranger.get("/").text)[1]
        self.login = {"csrf": form_token(self.me.client, "/owner/login"), "name": "x", "password": "y"}


def test_all_limits_are_tested():
    assert set(FLOODS) == set(limits.RATES)


def test_a_class_behind_one_address_can_join(flooded):
    """40 people open the link, read the text and agree within a minute."""
    site, _ = flooded
    for _ in range(40):
        site.guest("consent")


@pytest.mark.parametrize("claims", [True, False])
def test_a_proxys_word_counts_only_when_it_is_trusted(tmp_path, monkeypatch, claims):
    with in_production(make_study(tmp_path, **SMALL), monkeypatch, "127.0.0.1" if claims else None, secure=False) as (
        host,
        _,
    ):
        found = [
            httpx.get(f"http://{host}/join/unknown", headers={"x-forwarded-for": f"203.0.113.{n}"}).status_code
            for n in range(14)
        ]
    assert found == ([404] * 14 if claims else [404] * 10 + [429] * 4)


def test_limits_are_on_unless_told(tmp_path, monkeypatch):
    assert Options().limits and limits.Limits().on
    study, told = make_study(tmp_path, **SMALL), []
    monkeypatch.setattr(serving, "run_server", lambda _, options, *__: told.append(options))
    for more in ([], ["--no-limits"], ["--public-url", "https://s.example"], ["--host", "0.0.0.0", "--allow-http"]):
        assert cli.main(["study", "serve", str(study.path), *more]) == 0
    assert [(one.limits, one.secure) for one in told] == [(True, False), (False, False), (True, True), (True, False)]
    assert cli.main(["study", "serve", str(study.path), "--host", "0.0.0.0"]) == 2  # cookies in the clear
    site = Site(study, limits=False)
    me = site.guest("consent")
    assert {me.get("/join/unknown").status_code for _ in range(30)} == {404}
    assert {me.send("/api/heartbeat", {}).status_code for _ in range(60)} == {200}


def test_addresses_of_one_network_are_one():
    class Request:
        def __init__(self, host):
            self.client = type("Client", (), {"host": host})

    same = {address(Request(f"2001:db8:1:2::{n:x}")) for n in range(1, 50)}
    assert same == {"2001:db8:1:2::"} and address(Request("2001:db8:1:3::1")) not in same
    assert address(Request("::ffff:192.0.2.7")) == address(Request("192.0.2.7")) == "192.0.2.7"
    assert address(Request("testclient")) == "testclient"


# --- what is told on the owner's machine


class Told(logging.Handler):
    """Every log line, as a file would hold it."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.lines = []

    def emit(self, record):
        # what the tests' own client notes is not the server's
        if not record.name.startswith(("httpx", "httpcore")):
            self.lines.append(f"{record.name} {record.levelname} {self.format(record)}")


@pytest.fixture
def log():
    """All that is logged, at the level of debugging."""
    handler, changed = Told(), [logging.getLogger(), logging.getLogger("uvicorn"), logging.getLogger("uvicorn.error")]
    before = [(one, one.level) for one in changed]
    yield handler, changed
    for one, level in before:
        one.setLevel(level)
        one.removeHandler(handler)


def listen(log):
    handler, loggers = log
    for one in loggers:
        one.setLevel(logging.DEBUG)
    access = logging.getLogger("uvicorn.access")
    if access.hasHandlers():  # the server keeps a log of addresses and paths
        access.setLevel(logging.DEBUG)
        access.addHandler(handler)
        loggers.append(access)
    loggers[0].addHandler(handler)
    loggers[1].addHandler(handler)
    # SQLAlchemy's lowest level prints the rows themselves; all above is checked
    logging.getLogger("sqlalchemy").setLevel(logging.INFO)


def test_logs_say_nothing_of_people(tmp_path, monkeypatch, log):
    study = make_study(tmp_path, **SMALL)
    code = studies.new_invite(study.storage(), study, "first", one_use=False)
    add_admin(study.storage(), study.id, "vera", "owner", PASSWORD)
    with in_production(study, monkeypatch, secure=False, limits=False) as (host, platform):
        listen(log)
        transport = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(
            base_url=f"http://{host}", transport=transport, headers={"x-forwarded-for": "203.0.113.77"}
        ) as me:
            secrets = {*go_through_everything(me, code, platform, monkeypatch), "127.0.0.2", "203.0.113.77", code}
    found = "\n".join(log[0].lines)
    for secret in secrets:
        assert secret not in found, secret
    assert not re.search(r"answer\W{1,4}[01]\b", found)
    # and yet the owner learns what was asked for, how it ended, and where the program broke
    assert re.search(r"hlf.study.server INFO \w{12} POST /api/vote 200 [\d.]+ ms", found)
    assert re.search(r"GET /join/{code} 303", found) and re.search(r"GET /image/{assignment}/{side} 200", found)
    assert re.search(
        r'hlf.study.server ERROR \w{12} RuntimeError at\n.*server/api.py", line \d+, in vote', found, re.DOTALL
    )
    assert re.search(
        r"hlf.study.server ERROR the database of the study cannot be written: no such table: problem", found
    )
    assert "INSERT INTO vote_event" in found, "SQLAlchemy logs nothing, so its parameters were not looked for"


def go_through_everything(me, code, platform, monkeypatch):
    """A sitting with everything that can go wrong; all that no log may hold."""
    pid = "5f1e9c2ab7d3"
    secrets = {
        pid,
        "visit-4711",
        "Blue Berry Vision",
        "my comment 0815",
        "message 0816",
        "wrong words here now",
        PASSWORD,
        SECRET,
    }
    head = {}

    def post(path, body, status=200):
        found = me.post(path, json=body, headers=head)
        assert found.status_code == status, found.text
        secrets.update(me.cookies.values(), filter(None, head.values()))
        return found.json()

    me.get(f"/join/{code}?PROLIFIC_PID={pid}&STUDY_ID=study-4712&SESSION_ID=visit-4711")
    state = me.get("/api/state").json()
    head["x-csrf-token"] = state["csrf"]
    device = BODIES["/api/consent"]["device"]
    post("/api/resume", {"code": "wrong words here now"}, 404)
    post("/api/consent", {"consent_hash": "zz", "device": device}, 422)
    done = post("/api/consent", {"consent_hash": state["consent"]["hash"], "device": device})
    head["x-csrf-token"] = done["csrf"]
    secrets |= {done["resume_code"], *me.cookies.values()}
    head["x-csrf-token"] = post("/api/resume", {"code": done["resume_code"]})["csrf"]
    post("/api/questionnaire", {**BODIES["/api/questionnaire"], "vision": "Blue Berry Vision"})
    for number in range(1, 7):
        post("/api/practice", {"number": number, "answer": (number - 1) % 2})
    trial = post("/api/next", {})["trials"][0]
    assert me.get(trial["a"]).status_code == 200
    secrets.add(trial["assignment"])
    vote = {**BODIES["/api/vote"], "assignment": trial["assignment"], "key": "key-of-a-vote-0817"}
    secrets.add("key-of-a-vote-0817")
    post("/api/vote", {**vote, "answer": "banana"}, 422)
    post("/api/vote", vote)
    post("/api/vote", {**vote, "answer": 0}, 409)
    with monkeypatch.context() as patch:

        def broken(self, person, given):
            raise RuntimeError(f"{SECRET} {person} {given}")

        patch.setattr(Platform, "vote", broken)
        post("/api/vote", vote, 500)
    post("/api/undo", {"key": "key-of-an-undo-0818"})
    secrets.add("key-of-an-undo-0818")
    post("/api/finish", {"comment": "my comment 0815"}, 409)
    post("/api/problem", {"kind": "script", "message": "message 0816"})
    form = form_token(me, "/owner/login")
    for password in ("not the password 0819", PASSWORD):
        me.post("/owner/login", data={"csrf": form, "name": "vera", "password": password})
        secrets |= {password, me.cookies["hlf_owner"]}
    assert me.get("/owner").status_code == 200
    me.get("/image/..%2f..%2fsecret/a"), me.get("/nothing/my-secret-path")
    platform.storage.write(lambda c: c.execute(text("ALTER TABLE problem RENAME TO gone")))
    post("/api/problem", {"kind": "script", "message": "message 0816"}, 503)
    return {one for one in secrets if one} | {"my-secret-path"}


# --- the owner's command line


BAD = [
    f"postgresql://hlf:{SECRET}@127.0.0.1:1/study",
    f"postgresql://hlf:{SECRET}@127.0.0.1:port/study",
    f"postgresql://hlf:a@{SECRET}@127.0.0.1:1/study",
    f"postgresql://hlf:a@b:{SECRET}@127.0.0.1:1/study",
    f"postgresql://127.0.0.1:1/study?user=hlf&password={SECRET}",
    f"postgresql:/hlf:{SECRET}@127.0.0.1/study",
    f"postgres://hlf:{SECRET}@127.0.0.1/study",
    f"mysql://hlf:{SECRET}@127.0.0.1/study",
    f"hlf:{SECRET}@127.0.0.1/study",
    f"postgresql://hlf:{SECRET}: x@127.0.0.1/study",
]


@pytest.mark.parametrize("url", BAD)
def test_commands_never_print_the_databases_password(tmp_path, capsys, url):
    assert cli.main(["study", "init", str(tmp_path / "s"), "--database", url]) == 2
    study = folder.init_study(tmp_path / "t", "t")
    file = study.path / "study.yaml"
    file.write_text(file.read_text().replace("sqlite:///study.sqlite", url))
    for command in ("check", "status", "serve", "invite", "verify", "report"):
        assert cli.main(["study", command, str(study.path)]) == 2, command
    told = "".join(capsys.readouterr())
    assert told.count("hlf: ") == 7 and SECRET not in told


def test_files_of_a_study_are_the_owners_alone(tmp_path):
    study = make_study(tmp_path, **SMALL)
    backup(study.storage(), tmp_path / "copy.sqlite")
    for path in [study.path / name for name in ("secret.key", "study.yaml", "study.sqlite")] + [
        tmp_path / "copy.sqlite"
    ]:
        assert path.stat().st_mode & 0o777 == 0o600, path
    (study.path / "secret.key").chmod(0o640)
    with pytest.raises(HlfError, match="can be read by others"):
        folder.open_folder(study.path)


def test_a_study_within_a_checkout_is_not_committed_by_mistake(tmp_path):
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    folder.init_study(tmp_path / "study", "t")
    shown = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--short"], capture_output=True, text=True, check=True
    )
    assert shown.stdout == ""


def test_what_lies_in_the_database_opens_nothing(site):
    """Codes and cookies are kept as keyed hashes."""
    code = site.invite()
    me = site.guest("consent")
    owner = site.owner()
    dump = repr(site.dump())
    for secret in (code, me.code, me.client.cookies[PERSON], me.csrf, PASSWORD, owner.cookies["hlf_owner"]):
        assert secret not in dump
    assert "$argon2id$" in site.rows(tables.admin)[0]["password_hash"]


def test_a_broken_database_is_told_without_what_was_sent(site):
    with pytest.raises(Exception, match="parameters hidden") as caught:
        site.storage.write(
            lambda c: c.execute(tables.vote_event.insert().values(assignment=SECRET, study="x", key="k"))
        )
    assert SECRET not in str(caught.value)
