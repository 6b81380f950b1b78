"""Figure 3: the page of a trial from a real browser, chosen by rule, the same bytes each time."""

import html
import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hlf.errors import HlfError
from hlf.images import read_image
from hlf.paper import compose, figure3, report, style
from hlf.paper.facts import Facts
from hlf.study.server import screenshot
from hlf.study.shown.bundle import read_bundle
from study_server import program, write_bundle
from workflow_helpers import command, copy_project

MINI = Facts("tiny", "mini", "mini", "", 0, 42, "abcdef")


def pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Pictures of one colour each, so that they can be found on the page."""
    folder = write_bundle(tmp_path_factory.mktemp("page") / "bundle", trials=12, settings={"min_css_px": 160})
    found = read_bundle(folder)
    for number, pair in enumerate(found.pairs):
        for name, blue in ((pair.gt_file, 10), (pair.sr_file, 200)):
            Image.fromarray(np.full((48, 48, 3), (7 * number, 90, blue), dtype=np.uint8)).save(folder / "images" / name)
    return read_bundle(folder)


@pytest.fixture(scope="module")
def page(bundle):
    program("chromium", "chromium")
    return screenshot.trial_page(bundle, bundle.pairs[5].pair_id)


def test_the_page_shows_the_pair_side_by_side_in_a_window_of_fixed_size(page, bundle) -> None:
    shown = pixels(page)
    assert shown.shape == (900, 1440, 3)
    columns = []
    for blue in (10, 200):
        rows, across = np.nonzero((np.abs(shown.astype(int) - (35, 90, blue)) <= 1).all(axis=2))
        # both pictures, of one size and on one height
        columns.append((across.min(), np.ptp(across), rows.min(), np.ptp(rows)))
    (one, wide, top, high), (other, *same) = sorted(columns)
    assert [wide, top, high] == same and wide >= 90 and other > one + wide


def test_the_page_is_the_same_each_time(page, bundle) -> None:
    assert screenshot.trial_page(bundle, bundle.pairs[5].pair_id) == page


def test_the_figure_is_the_page_with_its_stamp(page, tmp_path: Path) -> None:
    for name in ("one", "two"):
        drawn = figure3.figure3(page, MINI)
        style.save_figure(drawn, tmp_path / f"{name}.pdf", tmp_path / f"{name}.png", 150)
    for kind in ("pdf", "png"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()
    texts = [text.get_text() for text in drawn.texts]
    assert any("MINI models" in text for text in texts)
    # at the default resolution every pixel of the page is a pixel of the figure, but for the frame's line
    whole, shown = read_image(tmp_path / "one.png"), pixels(page)[450, 20:-20]
    assert whole.shape[1] == 1440 + 2 * 15
    assert any(np.array_equal(row[35:-35], shown) for row in whole[400:600])


def table(*rows: tuple[str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["pair_id", "level", "similarity"])


def test_the_pair_is_chosen_by_rule() -> None:
    mild = [(f"m{i}", 0.3, value) for i, value in enumerate((0.9, 0.1, 0.5, 0.7, 0.3))]
    assert screenshot.typical_pair(table(("hard", 1.0, 0.99), *mild)) == "m3"
    assert screenshot.typical_pair(table(*reversed(mild))) == "m3"
    assert screenshot.typical_pair(table(("b", 0.5, 0.2), ("a", 0.5, 0.2))) == "a"
    with pytest.raises(HlfError, match="no pair to show"):
        screenshot.typical_pair(table())


def test_a_pair_that_the_bundle_lacks_is_refused(bundle) -> None:
    with pytest.raises(HlfError, match="no trial trap_no_00"):
        screenshot.trial_page(bundle, "trap_no_00")


def test_a_machine_without_a_browser_is_told_how_to_get_one(bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert screenshot.find_browser() is None
    with pytest.raises(HlfError, match="apt-get install chromium"):
        screenshot.trial_page(bundle, bundle.pairs[0].pair_id)
    monkeypatch.setattr(screenshot, "PACKAGES", ("json", "no_such_package"))
    assert re.search(r"packages no_such_package are not installed: pip install '\.\[study\]'", screenshot.lacking())


def test_every_relative_of_chromium_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in reversed(screenshot.BROWSERS):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
        assert screenshot.find_browser() == str(tmp_path / name)


def test_the_report_tells_how_to_get_a_figure_that_is_not_there(tmp_path: Path) -> None:
    assert "snakemake figure3" in figure3.FIGURE3_ABSENT
    (study,) = compose.chapters({"figure3": report.Note(figure3.FIGURE3_ABSENT)})
    report.write_report(tmp_path / "r.html", MINI, report.Report({}, {}, [study]))
    assert html.escape(figure3.FIGURE3_ABSENT, quote=False) in html.unescape((tmp_path / "r.html").read_text())
    order = [name for *_, names in compose.CHAPTERS for name in names]
    assert order.index("figure3") < order.index("figure4")


@pytest.mark.workflow
def test_the_chain_draws_it_where_there_is_a_browser_and_goes_without_elsewhere(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    # a search path with all that this one has but browsers
    few = tmp_path / "bin"
    few.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for tool in sorted(Path(folder).glob("*")) if Path(folder).is_dir() else []:
            if tool.name not in screenshot.BROWSERS and not (few / tool.name).exists():
                (few / tool.name).symlink_to(tool)

    def plan(target: str, path: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
        words = command("-n" if target == "all" else "-c1", target)
        return subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True, check=False)

    without = plan("all", str(few))
    assert without.returncode == 0 and "figure3" not in without.stdout
    refused = plan("figure3", str(few))
    assert refused.returncode == 1 and "apt-get install chromium" in refused.stderr + refused.stdout
    assert not (project / "results").exists() or not any((project / "results").rglob("*.png"))
    if shutil.which("chromium"):
        assert "figure3" in plan("all", os.environ["PATH"]).stdout
