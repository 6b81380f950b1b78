"""What goes wrong while people answer: no network, lost replies, broken images, pauses, small screens."""

# ruff: noqa: F811  (tests name the fixtures that they are given)

from hlf.study.running.studies import set_status
from study_browser import assignments, browser, events, join, settings, site  # noqa: F401


def test_a_minute_without_network_loses_and_skips_nothing(join, site):
    person = join()
    person.page.clock.install()
    person.reach_trials()
    person.answer("ArrowRight")
    person.saved(1)
    person.ready()
    person.context.set_offline(True)
    person.answer("ArrowRight", "ArrowLeft", "ArrowRight")
    person.page.wait_for_selector("text=Saving your answers")
    assert person.unsaved() == 3
    person.press("ArrowLeft")
    tries = len(person.urls)
    for _ in range(60):  # of the page's clock, a second at a time, so that each try can fail before the next is due
        person.page.clock.run_for(1000)
    assert person.unsaved() == 3 and len([url for url in person.urls[tries:] if url.endswith("/api/vote")]) > 4
    person.context.set_offline(False)
    person.ready()
    assert person.unsaved() == 0 and person.number().startswith("Pair 5 of")
    total = person.state()["progress"]["total"]
    person.answer("ArrowLeft")
    for _ in range(total - 5):
        person.next_screen()
        if person.screen() == "notice":
            person.go()
        person.answer("ArrowLeft")
    person.shows("finish")
    assert [event.answer for event in events(site)] == [1, 1, 0, 1] + [0] * (total - 4)
    given = assignments(site)
    assert [row.order_index for row in given] == list(range(total)) and {row.state for row in given} == {"voted"}


def test_unsent_answers_survive_the_end_of_the_tab(join, site):
    person = join()
    person.reach_trials()
    person.context.set_offline(True)
    person.answer("ArrowRight", "ArrowLeft")
    person.ready()
    person.page.close()
    assert events(site) == []
    person.context.set_offline(False)
    person.page = person.new_page()
    person.page.goto(site.url)
    person.saved(2)
    person.go()
    person.ready()
    assert person.number().startswith("Pair 3 of") and person.unsaved() == 0
    assert [event.answer for event in events(site)] == [1, 0]


def test_lost_replies_are_asked_for_again_under_the_same_key(join, site):
    person = join()
    person.reach_trials()
    keys = []

    def lose(route):
        keys.append(route.request.post_data_json["key"])
        if len(keys) == 1:
            route.fulfill(status=500)
        elif len(keys) == 2:
            route.fetch()  # the server saves it, and the reply never arrives
            route.abort()
        else:
            route.continue_()

    person.page.route("**/api/vote", lose)
    person.answer("ArrowRight")
    person.until("saving.checkVisibility()")
    person.saved(1)
    person.until("!saving.checkVisibility()")
    assert len(keys) == 3 and len(set(keys)) == 1
    assert len(events(site)) == 1


def test_a_broken_image_is_tried_twice_and_its_pair_given_back(join, site):
    person = join()
    tries = {}

    def spoil(route):
        name = route.request.url.split("/")[-2]
        tries[name] = tries.get(name, 0) + 1
        bad = list(tries).index(name) == 0 or (list(tries).index(name) == 1 and tries[name] == 1)
        route.fulfill(body=b"no image", content_type="image/png") if bad else route.continue_()

    person.context.route("**/image/*/b", spoil)
    person.reach_trials()
    first, second = list(tries)[:2]
    assert person.shown() == second
    states = {row.id: (row.state, row.reason) for row in assignments(site)}
    assert states[first] == ("released", "load_error") and states[second] == ("held", "")
    person.answer("ArrowRight")
    person.saved(1)


def test_a_paused_study_goes_on_by_itself(join, site):
    person = join()
    person.page.clock.install()
    person.reach_trials()
    set_status(site.storage, site.study.id, "paused", "test")
    person.answer("ArrowRight")
    person.shows("notice")
    assert len(events(site)) == 1, "an answer given before the pause was known is kept"
    set_status(site.storage, site.study.id, "open", "test")
    person.page.clock.fast_forward(31_000)
    person.page.wait_for_selector("text=answered 1 of")
    set_status(site.storage, site.study.id, "closed", "test")
    person.page.reload()
    person.page.wait_for_selector("text=This study is closed")


def test_a_sign_of_life_every_minute(join, site):
    person = join()
    person.page.clock.install()
    person.reach_trials()
    with person.page.expect_request("**/api/heartbeat"):
        person.page.clock.fast_forward(61_000)


@settings(min_css_px=300)
def test_a_screen_too_small_is_told_and_looked_at_again(join, site):
    person = join(viewport={"width": 780, "height": 360}, has_touch=True, is_mobile=True)
    page = person.page
    page.goto(site.invite)
    person.shows("device")
    assert "rotate your device" in person.text()
    page.set_viewport_size({"width": 320, "height": 480})
    page.wait_for_selector("text=use a larger screen")
    page.set_viewport_size({"width": 412, "height": 900})
    person.shows("welcome")
    person.reach_trials()
    assert page.get_attribute("#pair", "data-layout") == "stack"
    sizes = page.evaluate("[...document.querySelectorAll('#pair img')].map((i) => [i.clientWidth, i.clientHeight])")
    assert sizes == [[300, 300]] * 2
