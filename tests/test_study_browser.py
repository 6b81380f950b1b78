"""The study in a real browser: every way through it, from the invitation to the completion code."""

# ruff: noqa: F811  (tests name the fixtures that they are given)

from hlf.study.running.storage import tables
from study_browser import PHONE, browser, events, join, site  # noqa: F401


def test_whole_flow_with_keys(join, site):
    person = join()
    page = person.page
    page.goto(site.invite)
    person.shows("welcome")
    assert page.url == f"{site.url}/"
    person.press("Tab", "Enter")
    person.shows("consent")
    assert not page.is_checked("#agree")
    person.press("Tab", "Space", "Tab", "Enter")
    person.shows("code")
    assert len(page.inner_text('section[data-screen="code"] .code').split()) == 4
    person.press("Tab", "Enter")
    person.shows("questionnaire")
    page.select_option("#vision", "corrected")
    page.click("text=Save and go on")
    person.shows("instructions")
    person.press("Tab", "Enter")
    for number in range(6):
        person.answer("ArrowRight" if number % 2 else "n")
        page.wait_for_selector("#feedback:visible")
        assert "That is right." in page.inner_text("#feedback")
        person.press("Enter")
    person.go()
    total = person.state()["progress"]["total"]
    given = []
    for number in range(total):
        if number in (5, 10):
            person.shows("notice")
            assert f"answered {number} of {total}" in person.text()
            person.press("Tab", "Enter")
        person.ready()
        assert person.number() == f"Pair {number + 1} of {total}"
        assert page.get_attribute("#progress", "aria-valuenow") == str(number)
        assert page.evaluate("document.activeElement.id") == "region"
        given.append(number % 3 == 0)
        person.press(("ArrowRight", "y")[number % 2] if given[-1] else ("n", "ArrowLeft")[number % 2])
        if number == 0:
            person.until(f"live.textContent === 'Saved. Pair 2 of {total}'")
    person.shows("finish")
    assert f"All {total} answers are saved." in person.text()
    page.fill("#comment", "<b>thanks</b>")
    person.press("Tab", "Enter")
    person.shows("done")
    assert f"All {total} answers are saved." in person.text() and "DONE-42" in person.text()
    found = events(site)
    assert [event.answer for event in found] == given
    assert [event.order_index for event in found] == sorted(event.order_index for event in found)
    assert all(event.rt_ms >= 300 and 0 <= event.rt_active_ms <= event.rt_ms for event in found)
    assert found[0].display == {"css_w": 160, "css_h": 160, "dpr": 1, "viewport_w": 1440, "viewport_h": 900,
        "layout": "row", "zoom_count": 0, "zoom_max": 0}  # fmt: skip
    row = site.storage.read(lambda c: c.execute(tables.participant.select()).one())
    assert row.outcome == "complete" and row.comment == "<b>thanks</b>" and row.questionnaire["vision"] == "corrected"
    assert row.device["css_w"] >= 160
    page.reload()
    page.wait_for_selector(f"text=All {total} answers are saved.")


def test_tab_and_enter_are_enough(join, site):
    person = join()
    page = person.page

    def enter(selector):
        for _ in range(30):
            if page.evaluate("(s) => document.activeElement.matches(s)", selector):
                page.keyboard.press("Enter")
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {selector}")

    page.goto(site.invite)
    for screen, selectors in {
        "welcome": ["[data-action=start]"], "consent": ["#agree", "[type=submit]"], "code": ["[data-action=go]"],
        "questionnaire": ["[data-action=skip]"], "instructions": ["[data-action=go]"],
    }.items():  # fmt: skip
        person.shows(screen)
        for selector in selectors:
            enter(selector)
    for number in range(6):
        person.ready()
        enter("#right" if number % 2 else "#left")
        page.wait_for_selector("#feedback:visible")
        enter("#onward")
    person.shows("notice")
    enter("[data-action=go]")
    person.ready()
    enter("#help")
    enter("#help-dialog [data-action=close]")
    enter("#zoom")
    enter("[data-zoom=close]")
    total = person.state()["progress"]["total"]
    for number in range(total):
        if person.screen() == "notice":
            enter("[data-action=go]")
        person.ready()
        enter("#right" if number % 2 else "#left")
        person.next_screen()
    person.shows("finish")
    enter("[type=submit]")
    person.shows("done")
    assert [event.answer for event in events(site)] == [number % 2 for number in range(total)]


def test_practice_repeats_once_and_then_ends_with_a_code(join, site):
    person = join()
    person.agree()
    page = person.page
    page.goto(site.url)
    for attempt in range(2):
        person.shows("instructions")
        page.click("text=Start the practice")
        for number in range(6):
            person.answer("ArrowLeft")
            page.wait_for_selector("#feedback:visible")
            told = page.inner_text("#feedback")
            assert ("The answer is Yes. The pictures show other things." in told) == (number % 2 == 1)
            person.press("Enter")
        if attempt == 0:
            person.go()
    person.shows("done")
    assert "DONE-42" in person.text()
    assert events(site) == []


def test_reload_goes_on_with_the_same_pair(join, site):
    person = join()
    person.reach_trials()
    person.answer("ArrowRight", "ArrowLeft", "ArrowRight")
    person.ready()
    before = person.shown()
    person.saved(3)
    person.page.reload()
    person.shows("notice")
    assert "answered 3 of" in person.text()
    person.go()
    person.ready()
    assert person.shown() == before and person.number().startswith("Pair 4 of")
    assert [event.answer for event in events(site)] == [1, 0, 1]


def test_resume_code_in_another_browser(join, site):
    first, second = join(), join(**PHONE)
    code = first.reach_trials()
    first.answer("ArrowRight", "ArrowRight")
    first.saved(2)
    second.page.goto(site.url)
    second.shows("resume")
    second.page.fill("#resume-code", "no such code here")
    second.press("Enter")
    second.page.wait_for_selector("#resume-error:not(:empty)")
    second.page.fill("#resume-code", code.replace(" ", "  ").title())
    second.press("Enter")
    second.go()
    second.ready()
    assert second.number().startswith("Pair 3 of")
    second.page.tap("#left")
    second.saved(3)
    # the first browser's cookie has ended: what is answered there waits for the code
    first.answer("ArrowLeft")
    first.shows("resume")
    first.page.fill("#resume-code", code)
    first.press("Enter")
    first.go()
    first.ready()
    assert first.unsaved() == 0
    first.saved(3)
    assert [event.answer for event in events(site)] == [1, 1, 0]


def test_withdraw_erases_the_answers(join, site):
    person = join()
    page = person.page
    page.goto(site.invite)
    person.shows("welcome")
    page.click("#withdraw")
    assert "Nothing about you is stored yet" in page.inner_text("#withdraw-dialog")
    person.press("Escape")
    person.reach_trials()
    person.answer("ArrowRight")
    person.saved(1)
    page.click("#withdraw")
    page.click("[data-action=stay]")
    person.answer("ArrowRight")
    person.saved(2)
    page.click("#withdraw")
    page.click("[data-action=withdraw]")
    page.wait_for_selector("text=You have withdrawn")
    assert page.evaluate("localStorage.length") == 0
    assert events(site) == []


def test_decline_stores_nothing(join, site):
    person = join()
    person.page.goto(site.invite)
    person.page.click("[data-action=start]")
    person.page.click("[data-action=decline]")
    person.shows("notice")
    assert "nothing about you was stored" in person.text()
    assert site.storage.read(lambda c: c.execute(tables.participant.select()).all()) == []
