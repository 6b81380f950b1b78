"""docs/licences.md: every asset and every library has a row, with the licence that manifest and package tell."""

import importlib.metadata
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hlf.images import write_png
from hlf.release.licences import REMARKS
from hlf.zoo.assets import assets

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/licences.md"


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    spec = spec_from_file_location("licences_writer", ROOT / "docs/licences.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(text: str) -> list[list[str]]:
    """Cells of the page's table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def libraries() -> dict[str, str]:
    return {n: row[2] for row in rows(PAGE.read_text()) if row[0] == "library" for n in row[1].split(", ")}


def test_every_pinned_library_has_a_row_and_no_other_has(writer: ModuleType) -> None:
    assert len(writer.packages()) > 150 and "basicsr" in writer.packages()
    assert set(libraries()) == set(writer.packages()), "python docs/licences.py writes the table anew"


def test_rows_tell_what_the_installed_packages_state(writer: ModuleType) -> None:
    # a package of another version, or for other machines, may not be here in this version
    here = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    same = {name for name, version in writer.packages().items() if here.get(name) == version}
    assert len(same) > 50
    assert {name: libraries()[name] for name in same} == {name: writer.licence_of(name) for name in same}


def test_every_asset_has_its_licence_and_what_to_mind(writer: ModuleType) -> None:
    made = writer.asset_rows()
    told = {}
    for row in rows("\n".join(["| head |", *made])):
        told |= dict.fromkeys(re.findall(r"\[([\w-]+)\]\(", row[1]), (row[2], row[4]))
    assert {name: licence for name, (licence, _) in told.items()} == {n: a.licence for n, a in assets().items()}
    assert told["stablesr"][1] == REMARKS["S-Lab"] and told["bsrgan"][1] == ""
    assert set(made) <= set(PAGE.read_text().splitlines()), "python docs/licences.py writes the table anew"


def test_a_package_that_tells_nothing_is_refused(writer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "metadata", lambda _: _Mute())
    with pytest.raises(ValueError, match=r"silent states its licence as .*add it to READ"):
        writer.licence_of("silent")


class _Mute(dict):
    """Metadata of a package without a word on licences."""

    def get_all(self, _: str) -> None:
        return None


def test_what_the_page_says_works_without_pyiqa_does(tmp_path: Path) -> None:
    """`hlf sr` and `hlf score` with an HLF metric run where pyiqa cannot be imported."""
    write_png(tmp_path / "lr.png", np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3))
    code = (
        "import sys\nsys.modules['pyiqa'] = None\nfrom hlf.cli import main\n"
        "assert main(['sr', '-m', 'bsrgan', '-i', 'lr.png', '-o', 'sr', *zoo]) == 0\n"
        "assert main(['sr', '-m', 'bicubic', '-i', 'lr.png', '-o', 'gt']) == 0\n"
        "assert main(['score', '-t', 'sr/lr.png', '-r', 'gt/lr.png', '-o', 'score.csv', *zoo]) == 0\n"
    ).replace("*zoo", repr(["--zoo-folder", str(ROOT / "resources/zoo/mini")]).strip("[]"))
    environment = {"PYTHONPATH": str(ROOT / "workflow_scripts"), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "1 values in score.csv, 0 failed" in done.stdout
