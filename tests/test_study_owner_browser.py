"""The owner's pages in a browser: without scripts, on a phone, scanned for accessibility, and renewing themselves."""

import pytest
from sqlalchemy import update

from hlf.study.running import accounts
from hlf.study.running.storage import tables
from hlf.study.running.studies import new_invite
from study_browser import PHONE, Visitor, browser  # noqa: F401
from study_owner import PAGES, WORDS, filled_study
from study_server import served

CONFIRM = ("/confirm/pause", "/confirm/close", "/confirm/unblind")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    study, _ = filled_study(tmp_path_factory.mktemp("owner"))
    with served(study) as found:
        new_invite(found.storage, study, "first class", one_use=True)
        found.storage.write(lambda c: c.execute(update(tables.study).values(source="simulated")))
        yield found


@pytest.fixture
def visit(browser, site):  # noqa: F811
    """visit(): another browser on the login page; its faults fail the test at its end."""
    found = []

    def new(**options):
        found.append(Visitor(browser, site, **options))
        found[-1].page.goto(f"{site.url}/owner")
        return found[-1]

    yield new
    for one in found:
        one.close()


def log_in(page):
    page.fill("#name", "vera")
    page.fill("#password", WORDS)
    page.click("button:text-is('Log in')")
    page.wait_for_url("**/owner")


def test_everything_works_without_scripts(visit, site):
    page = visit(java_script_enabled=False).page
    log_in(page)
    for path in PAGES[1:]:
        page.click(f'nav a[href="/owner{path}"]')
        assert page.locator("nav [aria-current]").get_attribute("href") == f"/owner{path}"
    page.click('nav a[href="/owner"]')
    page.click('a[href="/owner/confirm/pause"]')
    page.click("button:text-is('Pause')")
    assert site.platform.state()[0] == "paused" and "The study is paused" in page.inner_text(".said")
    page.click('a[href="/owner/confirm/open"]')
    page.click("button:text-is('Open')")
    assert site.platform.state()[0] == "open"
    page.click('nav a[href="/owner/people"]')
    page.click("text=Judge everybody now")
    assert "failed 8 of 8 traps" in page.inner_text("table")
    page.click("text=Log out")
    assert "You are logged out" in page.inner_text("main")


@pytest.mark.parametrize("screen", [{}, PHONE], ids=["desk", "phone"])
def test_pages_fit_the_screen_and_are_accessible(visit, site, screen):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit(**screen).page
    for path in ("/login", *PAGES, *CONFIRM):
        if path != "/login":
            page.goto(f"{site.url}/owner{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        found = axe.run(page).response["violations"]
        assert [(path, one["id"], one["nodes"][0]["html"]) for one in found] == []
        if path == "/login":
            log_in(page)


def test_the_overview_renews_itself_when_asked_to(visit, site):
    page = visit().page
    page.clock.install()
    log_in(page)

    def declined():
        return page.locator("dt:text-is('Did not consent') + dd").inner_text()

    before = declined()
    site.platform.decline()
    page.clock.run_for(31_000)
    page.wait_for_timeout(300)
    assert declined() == before
    page.check("text=Renew every 30 s")
    with page.expect_response(f"{site.url}/owner") as answer:
        page.clock.run_for(31_000)
    assert answer.value.request.headers["x-unattended"] == "1"
    page.locator(f"dt:text-is('Did not consent') + dd:text-is('{int(before) + 1}')").wait_for()
    assert page.locator("input[type=checkbox]").is_checked() and page.locator("main > *").count() >= 4
    # a session that is over leads back to the login
    accounts.add_admin(site.storage, site.study.id, "vera", "owner", WORDS)
    page.clock.run_for(31_000)
    page.wait_for_url("**/owner/login")
