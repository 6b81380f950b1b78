"""People without a browser for tests of the study's interface: cookies, tokens, and one valid body for every form."""

import hashlib
import re
import uuid

from sqlalchemy import select
from starlette.testclient import TestClient

from hlf.study.running.accounts import add_admin
from hlf.study.running.storage import tables
from hlf.study.running.studies import new_invite
from hlf.study.server.app import create_app
from hlf.study.server.security import Options

HOST = "https://study.example.org"
PASSWORD = "four words of its own"
DEVICE = {
    "viewport_w": 1440, "viewport_h": 900, "dpr": 1.5, "screen_w": 1440, "screen_h": 900, "touch": False, "css_w": 640,
}  # fmt: skip
DISPLAY = {"css_w": 640, "css_h": 480.5, "dpr": 1.5, "viewport_w": 1440, "viewport_h": 900, "layout": "row"}
ABOUT = {"age_band": "25-34", "vision": "normal", "colour_vision": None, "expertise": "hobby"}
# a valid body for every POST, in an order in which one person and one owner can send them all; "..." is filled in
BODIES = {
    "/api/problem": {"kind": "script", "message": "x is undefined"},
    "/api/decline": {},
    "/api/consent": {"consent_hash": "...", "device": DEVICE},
    "/api/resume": {"code": "..."},
    "/api/questionnaire": ABOUT,
    "/api/practice": {"number": 1, "answer": 0},
    "/api/next": {},
    "/api/heartbeat": {},
    "/api/vote": {
        "assignment": "...", "answer": 1, "key": "...", "rt_ms": 812.5, "rt_active_ms": 800, "display": DISPLAY,
        "zoom": {"count": 1, "max": 2.5},
    },
    "/api/undo": {"key": "..."},
    "/api/release": {"assignment": "...", "reason": "load_error"},
    "/api/finish": {"comment": "fine"},
    "/api/withdraw": {"confirm": True},
    "/owner/status": {"step": "pause"},
    "/owner/unblind": {},
    "/owner/traps": {"pair": "...", "change": "hide"},
    "/owner/screen": {},
    "/owner/logout": {},
    "/owner/login": {"name": "vera", "password": PASSWORD},
}  # fmt: skip


def routes(found):
    """All routes of an application, those of its routers too."""
    for route in found:
        inner = getattr(route, "original_router", None)
        yield from routes(inner.routes) if inner is not None else [route]


def paths(app, method):
    """Paths of all routes that take a method, parameters in braces."""
    return sorted(route.path for route in routes(app.routes) if method in (getattr(route, "methods", None) or ()))


class Site:
    """A study with its application, called without a network."""

    def __init__(self, study, limits=False, secure=True, **options):
        self.study, self.platform = study, study.platform()
        self.app = create_app(self.platform, Options(secure=secure, limits=limits, **options))

    @property
    def storage(self):
        return self.platform.storage

    def invite(self, **values):
        return new_invite(self.storage, self.study, "test", **{"one_use": False, **values})

    def guest(self, until="nowhere", **options):
        """A person who has come as far as `until`: nowhere, welcome, consent, trials, finish."""
        return Guest(self, **options).come(until)

    def owner(self):
        """Somebody who is logged in."""
        add_admin(self.storage, self.study.id, "vera", "owner", PASSWORD)
        client = browser(self.app)
        csrf = form_token(client, "/owner/login")
        done = client.post("/owner/login", data={"csrf": csrf, "name": "vera", "password": PASSWORD})
        assert done.status_code == 303
        return client

    def rows(self, table):
        """Rows of a table as dicts."""
        return self.storage.read(lambda c: [dict(row) for row in c.execute(select(table)).mappings()])

    def dump(self):
        """All that the database holds."""
        return {table.name: self.rows(table) for table in tables.METADATA.sorted_tables}


# cookies of study "test" over HTTPS
MARK = hashlib.sha256(b"test").hexdigest()[:8]
VISIT, PERSON = f"__Host-hlf_visit_{MARK}", f"__Host-hlf_person_{MARK}"


class Guest:
    """A person: `cookies` and a token, like the page's script has them."""

    def __init__(self, site, **options):
        self.site, self.client = site, browser(site.app, **options)
        self.csrf, self.code, self.seen = "", "", []

    def come(self, until):
        """Walk on as far as `until`; see `Site.guest`."""
        steps = ["nowhere", "welcome", "consent", "trials", "finish"]
        for step in steps[1 : steps.index(until) + 1]:
            getattr(self, f"_{step}")()
        return self

    def get(self, path, **more):
        return self.client.get(path, **more)

    def state(self):
        return self.get("/api/state").json()

    def send(self, path, body, **headers):
        """POST to /api, whatever comes of it."""
        return self.client.post(path, json=body, headers={"x-csrf-token": self.csrf, **headers})

    def post(self, name, **body):
        """POST to /api/name; what it answers."""
        found = self.send(f"/api/{name}", body)
        assert found.status_code == 200, found.text
        return found.json()

    def next(self):
        return self.post("next")["trials"]

    def vote(self, trial, answer=1, **more):
        given = {**BODIES["/api/vote"], "assignment": trial["assignment"], "answer": answer, "key": str(uuid.uuid4())}
        return self.post("vote", **{**given, **more})

    def body(self, path):
        """The valid body of a POST, filled in for this person."""
        body = dict(BODIES[path])
        if path == "/api/consent":
            body["consent_hash"] = self.state()["consent"]["hash"]
        if path == "/api/resume":
            body["code"] = self.code
        if "assignment" in body:
            held = tables.assignment.c
            query = select(held.id).where(held.participant == self.id, held.state == "held").order_by(held.order_index)
            body["assignment"] = self.site.storage.read(lambda c: c.execute(query).scalar())
        if "key" in body:
            body["key"] = str(uuid.uuid4())
        return body

    @property
    def id(self):
        """Of the participant."""
        return self.site.platform.person(self.client.cookies[self.site.app.state.cookies.person_name]).id

    def _welcome(self):
        assert self.get(f"/join/{self.site.invite()}").status_code == 303
        self.csrf = re.search(r'name="csrf-token" content="(\w+)"', self.get("/").text)[1]

    def _consent(self):
        done = self.post("consent", **self.body("/api/consent"))
        self.csrf, self.code = done["csrf"], done["resume_code"]

    def _trials(self):
        for number, row in enumerate(self.site.platform.practice_pairs(), 1):
            self.post("practice", number=number, answer=row.answer)

    def _finish(self):
        while trials := self.next():
            self.vote(trials[0])


def browser(app, **options):
    """On https, so that secure cookies come back."""
    return TestClient(app, base_url=HOST, follow_redirects=False, **options)


def form_token(client, path="/owner"):
    """Token of the owner's forms."""
    return re.search(r'name="csrf" value="(\w+)"', client.get(path).text)[1]


def sent(client, path, body, csrf):
    """A valid POST of a person's or the owner's, with a token."""
    if path.startswith("/owner"):
        return client.post(path, data={"csrf": csrf, **body})
    return client.post(path, json=body, headers={"x-csrf-token": csrf})
