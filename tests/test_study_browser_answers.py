"""Keys, buttons, undo, zoom and times of a pair in a real browser."""

# ruff: noqa: F811  (tests name the fixtures that they are given)

from study_browser import PHONE, SETTLE, browser, events, join, settings, site  # noqa: F401


def test_a_held_key_answers_once(join, site):
    person = join()
    person.reach_trials()
    for _ in range(12):  # a second and more key-down events of one press repeat
        person.page.keyboard.down("ArrowRight")
        person.page.wait_for_timeout(100)
    person.page.keyboard.up("ArrowRight")
    person.saved(1)
    person.page.focus("#left")
    for _ in range(12):
        person.page.keyboard.down("Enter")
        person.page.wait_for_timeout(100)
    person.page.keyboard.up("Enter")
    person.saved(2)
    assert [event.answer for event in events(site)] == [1, 0]


def test_what_is_no_answer(join, site):
    person = join()
    person.reach_trials()
    for keys in ("Control+ArrowRight", "Shift+ArrowRight", "Alt+y", "Meta+n", "a", "ArrowUp"):
        person.press(keys)
        person.ready()
        assert person.number().startswith("Pair 1 of"), keys
    for key in ("?", "z"):
        person.press(key)
        person.page.wait_for_selector("dialog[open]")
        person.press("ArrowLeft", "n", "u", "Escape")
        person.page.wait_for_selector("dialog[open]", state="detached")
    person.ready()
    assert person.number().startswith("Pair 1 of")
    # the clock stands: on a busy machine the next three would else come after the time that makes them answers
    person.page.evaluate("const now = performance.now(); performance.now = () => now")
    person.press("ArrowRight")
    # the next pair is there at once, and takes no answer before it has been seen
    person.until("count.textContent.startsWith('Pair 2') && stage.dataset.ready === 'true'")
    person.press("ArrowRight", "y")
    person.page.dblclick("#right", delay=0)
    person.page.evaluate("delete performance.now")
    person.saved(1)
    person.ready()
    assert person.number().startswith("Pair 2 of")
    assert len(events(site)) == 1


def test_no_answer_before_both_images_are_there(join, site):
    person = join()
    slow = {}
    person.context.route(
        "**/image/*/b", lambda route: slow.setdefault("route", route) if not slow else route.continue_()
    )
    person.agree()
    for number in range(1, 7):
        person.call("practice", number=number, answer=(number - 1) % 2)
    person.page.goto(site.url)
    with person.page.expect_request("**/image/*/b"), person.page.expect_response("**/image/*/a"):
        person.go()
    person.page.wait_for_selector("#waiting:has-text('Loading'):visible")
    person.page.wait_for_timeout(SETTLE)
    assert person.page.locator("#pair img").count() == 0
    person.press("ArrowRight")
    slow["route"].continue_()
    person.ready()
    assert person.page.locator("#pair img").count() == 2
    assert person.state()["progress"]["answered"] == 0


@settings(letter_keys=False)
def test_letter_keys_follow_the_settings_and_the_person(join, site):
    person = join()
    person.reach_trials()
    person.press("y", "n")
    person.press("?")
    assert person.page.is_hidden("[data-part=letters]")
    person.page.uncheck("#single-keys")
    person.press("Escape")
    person.press("z", "?", "u")
    assert person.page.locator("dialog[open]").count() == 0
    person.answer("ArrowRight")
    person.saved(1)
    person.answer("Backspace")
    person.saved(0)


@settings(mirror_keys=True)
def test_mirrored_keys(join, site):
    join().reach_trials()
    second = join()
    second.reach_trials()
    assert second.page.inner_text("#left") == "Yes" and second.page.inner_text("#right") == "No"
    assert "(←) for Yes" in second.page.inner_text("#hint")
    second.answer("ArrowLeft", "ArrowRight", "y")
    second.ready()
    second.page.click("#left")
    second.saved(4)
    assert [event.answer for event in events(site)] == [1, 0, 1, 1]


def test_undo_takes_back_the_last_answer_only(join, site):
    person = join()
    person.reach_trials()
    person.answer("ArrowRight", "ArrowRight")
    person.saved(2)
    person.ready()
    third = person.shown()
    person.press("u")
    person.until("count.textContent.startsWith('Pair 2')")
    assert person.state()["progress"]["answered"] == 1
    assert person.page.get_attribute("#undo", "aria-disabled") == "true"
    person.answer("ArrowLeft")
    person.saved(2)
    person.ready()
    assert person.shown() == third
    found = events(site)
    assert [event.answer for event in found] == [1, 1, None, 0]
    assert len({event.assignment for event in found[1:]}) == 1
    # at the break after 5 pairs, with the mouse
    person.answer("ArrowRight", "ArrowRight", "ArrowRight")
    person.saved(5)
    person.page.click("text=Undo last >> visible=true")
    person.ready()
    assert person.number().startswith("Pair 5 of")
    person.saved(4)


def test_reaction_time_leaves_out_the_time_away(join, site):
    person = join()
    person.reach_trials()
    away = "(on) => { document.hasFocus = () => !on; dispatchEvent(new Event(on ? 'blur' : 'focus')); }"
    person.page.evaluate(away, True)
    person.page.wait_for_timeout(800)
    person.page.evaluate(away, False)
    person.answer("ArrowRight", "ArrowRight")
    person.saved(2)
    first, second = events(site)
    assert first.rt_ms > 1100 and 750 < first.rt_ms - first.rt_active_ms < first.rt_ms - 300
    assert second.rt_ms == second.rt_active_ms


def test_zoom_moves_both_images_and_is_logged(join, site):
    person = join()
    person.reach_trials()
    page = person.page
    person.press("z")
    page.wait_for_selector("#zoom-dialog[open]")
    page.click("[data-zoom=one]")
    looks = """[...document.querySelectorAll('.pane img')]
        .map(({ style }) => [style.width, style.transform, style.imageRendering])"""
    one, other = page.evaluate(looks)
    assert one == other and one[0] == "48px" and one[2] == "pixelated"
    page.set_viewport_size({"width": 300, "height": 400})  # panes smaller than the enlarged images
    person.press("+", "+", "+", "+", "+", "+")
    before = page.evaluate(looks)
    assert before[0][0] == "192px"
    person.press("ArrowRight", "ArrowDown")
    after = page.evaluate(looks)
    assert after[0] == after[1] and after[0][1] != before[0][1]
    page.mouse.move(80, 200)
    page.mouse.down()
    page.mouse.move(120, 200)
    page.mouse.up()
    assert page.evaluate(looks)[0][1] != after[0][1]
    person.press("Escape")
    page.wait_for_selector("#zoom-dialog[open]", state="detached")
    page.set_viewport_size({"width": 1440, "height": 900})
    assert person.state()["progress"]["answered"] == 0
    page.click("#pair img >> nth=1")
    person.press("Escape")
    person.answer("ArrowRight", "ArrowRight")
    person.saved(2)
    first, second = (event.display for event in events(site))
    assert (first["zoom_count"], first["zoom_max"]) == (2, 4)
    assert (second["zoom_count"], second["zoom_max"]) == (0, 0)


def test_pinch_opens_the_zoom(join, site):
    person = join(**PHONE)
    person.reach_trials()
    box = person.page.locator("#pair img").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = person.context.new_cdp_session(person.page)

    def touch(kind, spread):
        points = [{"x": x - spread, "y": y, "id": 0}, {"x": x + spread, "y": y, "id": 1}] if spread else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 10)
    for spread in (15, 20, 30, 40):
        touch("touchMove", spread)
    person.page.wait_for_selector("#zoom-dialog[open]")
    touch("touchEnd", 0)


def test_swapping_images_exists_and_is_off(join, site):
    person = join()
    person.reach_trials()
    person.press("z")
    assert person.page.is_hidden("[data-zoom=swap]")

    def allow(route):
        reply = route.fetch()
        state = reply.json()
        route.fulfill(response=reply, json={**state, "study": {**state["study"], "flicker": True}})

    person.page.route("**/api/state", allow)
    person.page.reload()
    person.go()
    person.ready()
    person.press("z")
    order = "[...document.querySelectorAll('.pane img')].map((image) => image.src.at(-1))"
    assert person.page.evaluate(order) == ["a", "b"]
    person.page.click("[data-zoom=swap]")
    assert person.page.evaluate(order) == ["b", "a"]
