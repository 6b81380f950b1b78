"""A person in a browser of their own, for tests of the study's pages."""

import re

import pytest
from sqlalchemy import select, update

from hlf.study.running.storage.tables import assignment, invite, pair, study, vote_event
from study_programs import REQUIRED, program
from study_server import make_study, served

ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SETTLE = 320  # ms after which a pair takes answers: 300 by the spec, and some
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
# what a browser writes when a request finds no network or is refused; everything else in the console is a fault
EXPECTED = re.compile(
    r"Failed to load resource: (net::ERR_|the server responded with a status of (401|404|409|500|503))"
)


# a sitting of 16 trials with a break after each 5
SMALL = {"people_quota": 8, "trap_rate": 4, "gt_gap": 1, "break_trials": 5, "completion_code": "DONE-42"}


@pytest.fixture(scope="module")
def browser():
    """A Chromium without a window; the tests are skipped without it, or fail in .ci/run."""
    if not REQUIRED:
        pytest.importorskip("playwright.sync_api")
    from playwright.sync_api import sync_playwright

    path = program("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def site(tmp_path, request):
    """A small study; `@settings(...)` above a test changes what it is set to."""
    changed = {**SMALL, **getattr(request, "param", {})}
    with served(make_study(tmp_path, trials=12, traps=8, **changed)) as found:
        yield found


@pytest.fixture
def join(browser, site):
    """join(): another person in a browser of their own; their faults fail the test at its end."""
    people = []

    def new(**options):
        people.append(Visitor(browser, site, **options))
        return people[-1]

    yield new
    for person in people:
        person.close()


def settings(**values):
    """Settings of the study of one test."""
    return pytest.mark.parametrize("site", [values], indirect=True)


class Visitor:
    """One page in a browser context of its own.

    Attributes:
        page: the page.
        faults: errors in the console, violations of the content policy, requests to elsewhere.
        urls: all that the page asked for.
    """

    def __init__(self, browser, site, **options) -> None:
        self.site = site
        self.context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        self.context.set_default_timeout(30_000)
        self.faults, self.urls = [], []
        self.page = self.new_page()

    def new_page(self):
        """Another tab, watched as well."""
        page = self.context.new_page()
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))
        return page

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not EXPECTED.match(text):
            self.faults.append(text)

    def _asked(self, url: str) -> None:
        self.urls.append(url)
        if not url.startswith((self.site.url, "data:", "blob:")):
            self.faults.append(f"request to {url}")

    def close(self) -> None:
        """Close, and fail if anything went wrong unseen."""
        self.context.close()
        assert self.faults == []

    # --- by HTTP, as the page would

    def call(self, path: str, **body):
        state = self.context.request.get(f"{self.site.url}/api/state").json()
        headers = {"X-CSRF-Token": state["csrf"]}
        reply = self.context.request.post(f"{self.site.url}/api/{path}", data=body, headers=headers)
        assert reply.ok, reply.text()
        return reply.json()

    def state(self):
        return self.context.request.get(f"{self.site.url}/api/state").json()

    def agree(self) -> str:
        """Join and consent; returns the resume code."""
        self.context.request.get(self.site.invite)
        size = {"viewport_w": 1440, "viewport_h": 900, "dpr": 1, "screen_w": 1440, "screen_h": 900, "css_w": 700}
        consent = self.state()["consent"]["hash"]
        return self.call("consent", consent_hash=consent, device={**size, "touch": False})["resume_code"]

    def reach_trials(self) -> str:
        """Come as far as the first pair, on the screen; returns the resume code."""
        code = self.agree()
        for number in range(1, 7):
            self.call("practice", number=number, answer=(number - 1) % 2)
        self.page.goto(self.site.url)
        self.go()
        self.ready()
        return code

    # --- on the page

    def shows(self, screen: str) -> None:
        self.page.wait_for_selector(f'section[data-screen="{screen}"]:visible')

    def screen(self) -> str:
        return self.page.evaluate("document.body.dataset.screen")

    def text(self) -> str:
        return self.page.inner_text("main")

    def go(self) -> None:
        """The first button of a card."""
        self.shows("notice")
        self.page.click('section[data-screen="notice"] [data-action="go"]')

    def ready(self) -> None:
        """Wait until the pair takes answers."""
        self.page.wait_for_selector('#stage[data-ready="true"]:visible')
        self.page.wait_for_timeout(SETTLE)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def answer(self, *keys: str) -> None:
        """Answer as many pairs with keys, each when it is ready."""
        for key in keys:
            self.ready()
            self.press(key)

    def until(self, expression: str) -> None:
        """Wait until an expression is true in the page; Playwright's own way needs `eval`, which the policy forbids."""
        for _ in range(600):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"never true: {expression}")

    def next_screen(self) -> None:
        """Wait for the next pair or another page."""
        self.until("document.body.dataset.screen !== 'trial' || stage.dataset.ready === 'true'")

    def saved(self, count: int) -> None:
        """Wait until the server has `count` answers of this person."""
        for _ in range(600):
            if self.state()["progress"]["answered"] == count:
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{self.state()['progress']} instead of {count} answers")

    def unsaved(self) -> int:
        """Answers that wait in the browser."""
        return self.page.evaluate("Object.keys(localStorage).filter((name) => name.includes('vote.')).length")

    def shown(self) -> str:
        """Assignment on the screen."""
        return self.page.get_attribute("#pair img", "src").split("/")[-2]

    def number(self) -> str:
        return self.page.inner_text("#count")

    def wide(self) -> int:
        """CSS px by which the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def events(site):
    """All recorded answers in the order of recording, with the state and kind of their trials."""
    columns = (vote_event, assignment.c.state, assignment.c.order_index, assignment.c.reason, pair.c.role)
    query = (
        select(*columns)
        .join(assignment, assignment.c.id == vote_event.c.assignment)
        .join(pair, pair.c.id == assignment.c.pair)
        .order_by(vote_event.c.id)
    )
    return site.storage.read(lambda c: c.execute(query).all())


def assignments(site):
    """All trials given out, in the order of the sitting."""
    return site.storage.read(lambda c: c.execute(select(assignment).order_by(assignment.c.order_index)).all())


def simulate(site) -> str:
    """Mark a study's votes as simulated; returns a link that goes with it."""
    link = site.invite
    for table in (study, invite):
        site.storage.write(lambda c, table=table: c.execute(update(table).values(source="simulated")))
    return link


def walk(person, on_screen, link=None) -> None:
    """Go through all screens of a person with the mouse and call on_screen(name) on each."""
    page = person.page

    def at(screen, name=None):
        person.shows(screen)
        on_screen(name or screen)

    page.goto(person.site.url)
    at("resume", "no invite")
    page.goto(link or person.site.invite)
    at("welcome")
    page.click("[data-action=resume]")
    at("resume")
    page.click("[data-action=back]")
    page.click("[data-action=start]")
    at("consent")
    page.click("text=Agree and go on")
    on_screen("consent without the tick")
    page.check("#agree")
    page.click("text=Agree and go on")
    at("code")
    page.click('section[data-screen="code"] [data-action="go"]')
    at("questionnaire")
    page.click("[data-action=skip]")
    at("instructions")
    page.click("text=Start the practice")
    for number in range(6):
        person.ready()
        if number == 0:
            on_screen("practice")
        page.click("#right" if number % 2 else "#left")
        page.wait_for_selector("#feedback:visible")
        if number == 0:
            on_screen("feedback")
        page.click("#onward")
    at("notice", "ready")
    person.go()
    person.ready()
    on_screen("trial")
    for name, opener in (("help", "#help"), ("withdraw", "#withdraw"), ("zoom", "#zoom")):
        page.click(opener)
        page.wait_for_selector(f"#{name}-dialog[open]")
        on_screen(f"{name} dialog")
        page.keyboard.press("Escape")
    while person.screen() != "finish":
        person.ready()
        page.click("#left")
        person.next_screen()
        if person.screen() == "notice":
            on_screen("break")
            person.go()
    at("finish")
    page.click("text=Finish")
    at("done")
