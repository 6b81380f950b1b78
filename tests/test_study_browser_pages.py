"""What the pages of a study are in a real browser, and what they must never show."""

# ruff: noqa: F811  (tests name the fixtures that they are given)

import re

import pytest

from study_browser import PHONE, assignments, browser, join, simulate, site, walk  # noqa: F401
from study_server import MODELS


def test_every_screen_is_accessible_and_marks_simulated_votes(join, site):
    from axe_playwright_python.sync_playwright import Axe

    link = simulate(site)
    person = join(bypass_csp=True)  # the checker comes as an inline script
    seen = []

    def scan(name):
        seen.append(name)
        if name != "no invite":  # of which study, is not known before
            assert "votes are simulated; they test the software" in person.page.inner_text("#banner").lower(), name
        found = Axe().run(person.page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], name

    walk(person, scan, link)
    assert {"consent", "trial", "feedback", "break", "help dialog", "zoom dialog", "done"} <= set(seen)


@pytest.mark.parametrize(
    ("size", "text"), [((360, 740), 100), ((360, 740), 200), ((740, 360), 100), ((1440, 900), 200)]
)
def test_every_screen_fits(join, site, size, text):
    options = PHONE if size[0] < 1000 else {}
    person = join(**{**options, "viewport": {"width": size[0], "height": size[1]}})
    person.context.add_init_script(
        f"addEventListener('DOMContentLoaded', () => {{ document.documentElement.style.fontSize = '{text}%'; }})"
    )
    small = """() => [...document.querySelectorAll('button, a[href], input, select, textarea')]
        .filter((e) => e.checkVisibility() && !e.closest('label'))
        .filter((e) => (document.querySelector('dialog[open]') ?? document).contains(e))
        .map((e) => [e.id || e.textContent, e.getBoundingClientRect()])
        .filter(([name, box]) => box.width < 43.9 || box.height < 43.9 || box.left < 0 || box.right > innerWidth + 1)
        .map(([name]) => name)"""

    def fits(name):
        assert person.wide() <= 0, name
        assert person.page.evaluate(small) == [], name
        if name == "trial":
            left, right = (person.page.locator(side).bounding_box() for side in ("#left", "#right"))
            assert abs(left["width"] - right["width"]) < 1 and left["height"] == right["height"]
            assert right["y"] + right["height"] <= size[1] or text == 200

    walk(person, fits)


def test_trials_reveal_nothing(join, site):
    person = join()
    replies = []
    person.page.on("response", lambda reply: replies.append(reply) if "/image/" in reply.url else None)
    person.reach_trials()
    seen = []
    for number in range(4):
        person.ready()
        texts = [image.get_attribute("alt") for image in person.page.locator("#pair img").all()]
        assert texts == [f"Image {side} of pair {number + 1}" for side in "AB"]
        seen.append(person.page.content())
        person.press("ArrowRight")
    person.saved(4)
    rows = assignments(site)
    told = "\n".join([*seen, *person.urls, *(str(reply.headers) for reply in replies)])
    for row in rows:  # drawn by chance, which may spell any of the words
        told = told.replace(row.id, "")
    told = told.lower()
    for word in (*MODELS, "trap_", "ground truth", "gt_", "sr_", "img0", ".png", "etag", "last-modified"):
        assert word not in told.replace("/static/check.png", ""), word
    assert {row.gt_side for row in rows} == {"left", "right"}
    names = {re.sub(r"x-request-id|date|content-length", "", ",".join(sorted(reply.headers))) for reply in replies}
    assert len(names) == 1 and len(replies) >= 8


def test_first_page_is_light_and_plain(join, site):
    person = join()
    sizes = []
    person.page.on("response", lambda reply: sizes.append(int(reply.headers.get("content-length", 0))))
    person.page.goto(site.invite)
    person.shows("welcome")
    assert 20_000 < sum(sizes) <= 100_000
    html = person.context.request.get(site.url).text()
    assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]*\ssrc=)", html)
    assert '<html lang="en">' in html and "<noscript>" in html
    assert not re.search(r"user-scalable|maximum-scale", html)


def test_the_next_pair_is_painted_at_once(join, site):
    person = join()
    person.reach_trials()
    person.page.evaluate("""() => {
        window.waits = [];
        addEventListener('keydown', () => { window.pressed = performance.now(); }, true);
        new MutationObserver(() => {
            if (stage.dataset.ready === 'true') window.waits.push(performance.now() - window.pressed);
        }).observe(stage, { attributes: true, attributeFilter: ['data-ready'] });
    }""")
    for _ in range(4):
        person.answer("ArrowRight")
        person.page.wait_for_timeout(400)
    waits = sorted(person.page.evaluate("window.waits"))
    assert len(waits) == 4 and waits[1] < 150, waits
