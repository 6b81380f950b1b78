"""A filled study and a browser on its owner's pages, for tests."""

import itertools
import re
import shutil
from html import unescape

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from hlf.study.running import accounts, roster
from hlf.study.running.answers import Answer
from hlf.study.running.folder import open_folder
from hlf.study.running.storage import tables
from hlf.study.server.app import create_app
from hlf.study.server.security import Options
from study_server import make_study

WORDS = "four words of its own"
PAGES = ("", "/people", "/pairs", "/traps", "/problems", "/audit")
EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>"
START = 1_767_225_600_000  # 2026-01-01, ms UTC


class Clock:
    """Time that only tests move; ms UTC."""

    def __init__(self):
        self.ms = START

    def __call__(self):
        return self.ms


class Owner:
    """A browser on the owner's pages of a study."""

    def __init__(self, study, limits=False, secure=False):
        self.study, self.platform, self.clock = study, study.platform(), Clock()
        self.platform.clock = self.clock
        self.app = create_app(self.platform, Options(secure=secure, limits=limits))
        self.client = self.browser()

    def browser(self):
        # on https, so that secure cookies come back too
        return TestClient(self.app, base_url="https://study.example.org", follow_redirects=False)

    @property
    def storage(self):
        return self.platform.storage

    def get(self, path, **more):
        return self.client.get(f"/owner{path}", **more)

    def csrf(self, path=""):
        return re.search(r'name="csrf" value="([0-9a-f]{32})"', self.get(path).text)[1]

    def post(self, path, values=None, page=""):
        return self.client.post(path, data={"csrf": self.csrf(page), **(values or {})})

    def log_in(self, name="vera", password=WORDS, code=""):
        values = {"csrf": self.csrf("/login"), "name": name, "password": password, "code": code}
        return self.client.post("/owner/login", data=values)

    def text(self, path=""):
        found = self.get(path)
        assert found.status_code == 200, found.text
        return found.text

    def words(self, path=""):
        """The page without tags."""
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.text(path))).split())

    def rows(self, table):
        return self.storage.read(lambda c: [tuple(row) for row in c.execute(select(table))])

    def rows_by_name(self, table):
        """Rows as dicts."""
        return self.storage.read(lambda c: [dict(row) for row in c.execute(select(table)).mappings()])

    def status(self):
        return self.platform.state()[0]

    def deeds(self):
        return self.storage.read(lambda c: roster.read_audit(c, self.platform.study, 1000))


def fill(platform, clock, people=14):
    """Let people answer: person 4 always wrongly on traps, person 5 withdraws, person 6 undoes once, the last stays."""
    even = itertools.cycle((0, 1, 1))
    for number in range(1, people + 1):
        who, _, _ = platform.consent("h" * 64, device={})
        for k in range(1, len(platform.practice_pairs()) + 1):
            platform.practise(who, k, k % 2)  # wrong
        for step in itertools.count():
            queue, _ = platform.next(who)
            if not queue or (number == people and step == 5):
                break
            one = queue[0]
            clock.ms += 2000
            answer = next(even) if one.answer < 0 else one.answer if number != 4 else 1 - one.answer
            ms = 100 * number + step
            display = {"zoom_max": 1, "dpr": 1, "css_w": 500}
            platform.vote(who, Answer(one.assignment, answer, f"{who}-{step}", ms, ms, display))
            if number == 6 and step == 3:
                platform.undo(who, f"{who}-undo")
        if number == 5:
            platform.withdraw(who)
        if number == 6:
            platform.problem(who, "load_error", EVIL)
        if number == 7:
            platform.finish(who, EVIL)
    platform.decline()
    platform.problem(None, "script", "no person")


def filled_study(folder, url=None):
    study = make_study(folder, url, trials=20, traps=16, people_quota=14, votes_per_pair=8, practice_pass=0)
    platform, clock = study.platform(), Clock()
    platform.clock = clock
    accounts.add_admin(platform.storage, study.id, "vera", "owner", WORDS)
    accounts.add_admin(platform.storage, study.id, "ana", "analyst", WORDS)
    fill(platform, clock)
    clock.ms += 60_000
    platform.storage.close()
    return study, clock.ms


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return filled_study(tmp_path_factory.mktemp("owner"))


@pytest.fixture
def owner(original, tmp_path):
    """A browser that is not logged in yet, on a copy of a filled study."""
    study, now = original
    shutil.copytree(study.path, tmp_path / "study")
    found = Owner(open_folder(tmp_path / "study"))
    found.clock.ms = now
    return found


@pytest.fixture
def vera(owner):
    assert owner.log_in().status_code == 303
    return owner


@pytest.fixture
def draft(tmp_path):
    """The owner of a study in which nobody takes part yet."""
    found = Owner(make_study(tmp_path, trials=5, traps=8))
    found.storage.write(lambda c: c.execute(update(tables.study).values(status="draft")))
    accounts.add_admin(found.storage, found.study.id, "vera", "owner", WORDS)
    found.log_in()
    return found
