"""The report in a real browser: one screen, no sideways scrolling, and the viewer of pairs by mouse and keys."""

import pytest

from hlf.paper import pairs
from study_browser import browser  # noqa: F401
from test_paper import MODELS
from test_report import RUN, root, viewer_table, write  # noqa: F401

SIZES = [(1440, 900), (390, 844)]


@pytest.fixture
def page(browser, root, tmp_path, request):  # noqa: F811
    """The report in a browser window, from the disk; faults and requests fail the test at its end."""
    width, height = getattr(request, "param", SIZES[0])
    path = tmp_path / "report.html"
    write(path, root)
    context = browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(10_000)
    found = context.new_page()
    faults, asked = [], []
    found.on("console", lambda message: faults.append(message.text))
    found.on("pageerror", lambda error: faults.append(str(error)))
    found.on("request", lambda one: asked.append(one.url.split(",")[0]))
    found.goto(path.as_uri())
    yield found
    assert not faults
    assert {one for one in asked if not one.startswith("data:image/png")} == {path.as_uri()}
    context.close()


@pytest.mark.parametrize("page", SIZES, indirect=True)
def test_no_page_scrolls_sideways_and_all_pictures_are_there(page) -> None:
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) == 0
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    assert page.evaluate(wide) == 0
    lost = page.locator("img").evaluate_all("all => all.filter((one) => !one.complete || !one.naturalWidth).length")
    assert lost == 0


def test_the_summary_fits_the_first_screen(page) -> None:
    box = page.locator("#summary").bounding_box()
    assert box["y"] + box["height"] <= 900 and page.locator(".stamp").is_visible()
    assert page.locator(".headline").count() == 3 and page.locator(".verdicts").inner_text().endswith("1 opposite")
    page.locator(".headline a").first.click()
    assert page.url.endswith("#table2")
    assert page.locator("#table2 h3").bounding_box()["y"] >= page.locator("nav").bounding_box()["height"] - 1


def test_the_navigation_stays_and_marks_the_section_that_is_read(page) -> None:
    page.locator("nav a", has_text="4.1 Measures").click()
    page.locator('nav a[aria-current][href="#measures"]').wait_for()
    assert page.locator("nav").bounding_box()["y"] == 0


def expected_order(sort: str, highest: bool = True) -> list[str]:
    table = viewer_table().iloc[pairs.in_turn(viewer_table(), 4)]
    column = {"hlf": "prediction"}.get(sort, sort.replace("-gap", "_gap"))
    values = table[column].abs() if sort.endswith("-gap") else table[column]
    table = table.assign(key=-values if highest else values)
    return table.sort_values(["key", "pair_id"], na_position="last")["pair_id"].tolist()


def listed(page) -> list[str]:
    return page.locator(".list button").evaluate_all("all => all.map((one) => one.dataset.id)")


@pytest.mark.parametrize("sort", ["score", "hlf", "lpips", "vif", "lpips-gap", "vif-gap"])
def test_the_viewer_sorts_rightly_both_ways(page, sort: str) -> None:
    page.select_option("#sort", sort)
    assert listed(page) == expected_order(sort)
    page.click("#order")
    assert page.locator("#order").inner_text() == "Lowest first" and listed(page) == expected_order(sort, False)


def test_the_viewer_filters_by_model_and_part(page) -> None:
    everything = listed(page)
    assert page.locator(".gallery").is_hidden() and page.locator("#count").inner_text() == f"{len(everything)} pairs"
    page.select_option("#model", MODELS[1])
    some = listed(page)
    assert some == [name for name in everything if name.endswith(MODELS[1])] and some
    assert "tags: cat, <b>dog</b>" in page.locator(".about").inner_text()
    page.select_option("#part", "train")
    training = set(RUN["split"].loc[RUN["split"]["part"] == "train", "pair_id"])
    assert listed(page) == [name for name in some if name in training]


def share(page) -> float:
    """Where the line stands, as a share of the pictures' width."""
    edge, stage = (page.locator(one).bounding_box() for one in (".edge", ".stage"))
    return (edge["x"] + edge["width"] / 2 - stage["x"]) / stage["width"]


@pytest.mark.parametrize("page", SIZES, indirect=True)
def test_the_line_between_gt_and_sr_moves_by_mouse_and_keys(page) -> None:
    page.locator(".stage").scroll_into_view_if_needed()
    stage = page.locator(".stage").bounding_box()
    middle = stage["y"] + stage["height"] / 2
    assert share(page) == pytest.approx(0.5, abs=0.01)
    page.mouse.move(stage["x"] + stage["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(stage["x"] + 0.2 * stage["width"], middle, steps=4)
    page.mouse.up()
    assert share(page) == pytest.approx(0.2, abs=0.03)
    before = share(page)
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert share(page) == pytest.approx(before + 0.05, abs=0.005)
    page.keyboard.press("End")
    assert share(page) == pytest.approx(1, abs=0.01)


def test_keys_step_swap_and_flicker(page) -> None:
    names = listed(page)
    now = page.locator(".list button[aria-current=true]")
    page.locator("#slider").focus()
    page.keyboard.press("n")
    assert now.get_attribute("data-id") == names[1] and page.locator(".about").inner_text().startswith(names[1])
    for _ in range(2):
        page.keyboard.press("p")
    assert now.get_attribute("data-id") == names[-1]
    shown = page.locator(".stage img.sr").get_attribute("src")
    assert shown == page.locator(f'.pair[data-id="{names[-1]}"] img').get_attribute("src")
    assert share(page) == pytest.approx(0.5, abs=0.01) and page.locator(".edge").is_visible()
    page.keyboard.press("g")
    assert page.locator("#swap").get_attribute("aria-pressed") == "true" and page.locator(".edge").is_hidden()
    page.keyboard.press("g")
    page.keyboard.press("f")
    for wanted in ("true", "false", "true"):
        page.locator(f"#swap[aria-pressed={wanted}]").wait_for()
    page.keyboard.press("f")
    still = [page.locator(f"#{name}[aria-pressed=false]") for name in ("swap", "flicker")]
    assert all(one.count() == 1 for one in still)
    page.wait_for_timeout(700)
    assert all(one.count() == 1 for one in still)
    # letters still choose in a list of options
    page.locator("#sort").focus()
    page.keyboard.press("n")
    assert now.get_attribute("data-id") == names[-1]


def test_tables_sort_by_value_with_signs_and_dashes(page) -> None:
    heading = page.locator("#table2 th button", has_text="SRCC").first
    column = "rows => rows.map((row) => Number(row.children[2].textContent))"
    for order in (sorted, lambda values: sorted(values, reverse=True)):
        heading.click()
        values = page.locator("#table2 tbody tr").evaluate_all(column)
        assert values == order(values) and len(values) == 3


def test_without_scripts_every_pair_can_be_read(browser, root, tmp_path) -> None:  # noqa: F811
    write(tmp_path / "r.html", root)
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    found = context.new_page()
    found.goto((tmp_path / "r.html").as_uri())
    assert found.locator(".viewer").is_hidden() and found.locator(".gallery .pair").first.is_visible()
    assert found.locator(".gallery .pair").count() == len(pairs.in_turn(viewer_table(), 4))
    assert found.locator(".gallery .facts").first.inner_text().startswith("Score ")
    context.close()
