"""The table of speeds: its frame on stand-ins, its hot paths by name, the cheapest of them for real."""

import importlib
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest

from hlf.errors import HlfError
from workflow_helpers import ROOT

sys.path.append(str(ROOT / "benchmarks"))

import frame
import table

STAND_IN = '''"""Two ways that make the same numbers; one takes much longer."""

import time
from contextlib import contextmanager

from frame import HotPath


def way(seconds, value):
    @contextmanager
    def enter(folder):
        assert (folder / "input").read_text() == "ready"

        def call():
            end = time.process_time() + seconds
            while time.process_time() < end:
                pass
            return value

        yield call

    return enter


def broken(folder):
    raise ValueError("the disk is on fire")


def path(name, baseline):
    def prepare(folder):
        (folder / "input").write_text("ready")

    ways = way(0.02, 1.0), baseline
    return HotPath(
        name, name, "a slow one", "thing", 2, prepare, *ways, lambda a, b: abs(a - b), 0.1, rounds=3
    )


PATHS = [path("same", way(0.3, 1.05)), path("other", way(0.02, 2.0)), path("broken", broken)]
'''


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Hot paths that can be found here and in fresh processes, by name."""
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield lambda name: frame.find("stand_in", name)
    sys.modules.pop("stand_in", None)


def made(ours, theirs, **more):
    """What was measured of a hot path of two items, from seconds of warm calls."""
    path = frame.HotPath("p", "doing it", "doing it slowly", "thing", 2, print, print, print, **more)
    return frame.Measured(path, {"ours": [2.0], "baseline": [4.0]}, {"ours": ours, "baseline": theirs}, 1e-7)


def test_frame_measures_both_ways(stand_in):
    found = frame.measure(stand_in("same"), "stand_in")
    assert found.apart == pytest.approx(0.05)
    assert {way: len(times) for way, times in found.warm.items()} == {"ours": 3, "baseline": 3}
    assert {way: len(times) for way, times in found.cold.items()} == {"ours": frame.COLD, "baseline": frame.COLD}
    assert min(found.warm["ours"]) >= 0.02 and min(found.warm["baseline"]) >= 0.3
    # a process that starts takes longer than its first call
    assert min(found.cold["baseline"]) > 0.3
    assert found.ratio("warm") > 5


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("other", r"results of the two ways differ by 1, expected at most 0\.1"),
        ("broken", r"'broken' \(baseline\) failed: ValueError: the disk is on fire; to see all of it: \S+frame\.py"),
    ],
)
def test_frame_refuses(stand_in, name, sentence):
    with pytest.raises(HlfError, match=sentence):
        frame.measure(stand_in(name), "stand_in")


def test_ratio_is_taken_round_by_round():
    # a burden on the machine that hits both ways of the second round
    found = made([1.0, 10.0, 1.0], [3.0, 30.0, 3.3])
    assert found.ratio("warm") == pytest.approx(3.0)
    assert found.ratio("cold") == 2.0
    assert found.seconds("warm", "ours") == 0.5  # an item
    assert found.seconds("cold", "baseline") == 4.0  # a start


def test_table_and_what_is_slower(tmp_path):
    slow = [made([1.0], [0.5]), made([1.0], [0.5], floor=True), made([1.0], [3.0])]
    page = table.write(slow, tmp_path, docs=False)
    lines = page.splitlines()
    assert lines[2] == "| doing it | **0.50** | 2.00 | 500 ms per thing | 2.0 s | doing it slowly | 1e-07 |"
    assert "| floor: doing it slowly |" in lines[3]
    assert page.count("Slower than its baseline: p (warm 0.50).") == page.count("Slower") == 1
    assert (tmp_path / "bench.md").read_text() == page
    numbers = pd.read_csv(tmp_path / "bench.csv")
    assert numbers["ratio_warm"].tolist() == [0.5, 0.5, 3.0] and numbers["baseline_warm"].tolist() == [0.25, 0.25, 1.5]


def test_hot_paths_by_name():
    modules = set(table.PLACES.values())
    named = {path.name: module for module in modules for path in importlib.import_module(module).PATHS}
    assert named == table.PLACES
    for name, module in table.PLACES.items():
        path = frame.find(module, name)
        assert path.title and path.against and path.items > 0 and path.rounds > 0
        # another way of doing the same must give the same; a floor does less
        assert path.floor == (path.apart is None), name
    with pytest.raises(HlfError, match="holds no hot path 'nothing'"):
        frame.find("bench_sr", "nothing")


def test_page_names_what_is_there():
    page = (ROOT / "docs/speed.md").read_text()
    for name, module in table.PLACES.items():
        assert f"| {frame.find(module, name).title} |" in page, "python benchmarks --docs writes it anew"
    for word in page.replace("`", " ").split():
        if word.startswith("benchmarks/"):
            assert (ROOT / word).is_file(), word


def test_cheapest_hot_path_for_real():
    found = frame.measure(replace(frame.find("bench_degradation", "degradation"), rounds=1), "bench_degradation")
    assert found.ratio("warm") > 2  # about 20


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--only", "degradation", "nonsense"], "hot path 'nonsense' is unknown, expected one of degradation, bsrgan"),
        (["--only", "seesr", "--docs"], "--docs writes the whole table, but --only names some of it"),
    ],
)
def test_wrong_use_is_one_sentence(arguments, sentence):
    done = subprocess.run([sys.executable, "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(sentence) and len(done.stderr.splitlines()) == 1
