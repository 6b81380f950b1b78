"""docs/errors.md holds every sentence with which the code refuses, each with a test; nothing in it is stale."""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOL = ROOT / "docs" / "write_errors.py"
spec = importlib.util.spec_from_file_location("write_errors", TOOL)
table = importlib.util.module_from_spec(spec)
sys.modules["write_errors"] = table  # dataclasses look their module up
spec.loader.exec_module(table)

PAGE = table.PAGE.read_text(encoding="utf8")
TESTS, INTERNAL = table.read(PAGE)
SITES = table.sites()
# a sentence begins small, but for names and for what stands first as a value
NAMES = ("GT ", "SR ", "KonIQ++", "JOINT", "VIF", "PASD", "Table 2", "ControlNet", "Dawid-Skene", "Williams", "Figure ")
# says what to do, or what was expected, where no clause of its own does
ADVICE = re.compile(r"\b(expected|needs?|needed|must|allowed|use|give)\b|<advice>|<found>|<todo>")


USERS = [site for site in SITES if not table.reason_of(site, INTERNAL)]


# --- the page ---


def test_the_page_is_what_the_code_says():
    """Nothing is missing and nothing stale."""
    now = table.page(TESTS, INTERNAL, {})
    assert now.splitlines() == PAGE.splitlines(), "run `python docs/write_errors.py` and name the tests of new rows"


def test_every_sentence_has_a_test_that_exists():
    assert len(TESTS) > 350
    known = {
        f"{path.name}::{node.name}"
        for path in (ROOT / "tests").glob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf8")).body
        if isinstance(node, ast.FunctionDef)
    }
    assert {test for test in TESTS.values() if test not in known} == set()


def test_internal_ones_are_given_a_reason_and_are_all_in_the_code():
    idle = [(f, b) for f, b in INTERNAL if not [s for s in SITES if s.file == f and s.text.startswith(b)]]
    assert not idle and all(len(reason.split()) > 3 for reason in INTERNAL.values())
    assert len(USERS) > len(SITES) * 2 / 3


def test_no_refusal_of_a_rule_is_overlooked():
    rules = {path: path.read_text(encoding="utf8") for path in ROOT.glob("rules/*.smk")}
    raised = sum(len(re.findall(r"raise WorkflowError\((?!str\(error\))", text)) for text in rules.values())
    found = [site for site in SITES if site.file.startswith("rules/") and site.text != "<error>"]
    assert len(found) == raised >= 2


# --- one style ---


def test_a_sentence_says_what_is_wrong_and_what_to_do():
    wrong = []
    for site in USERS:
        says, todo = table.row(site.text)
        told = {
            "add what to do, behind a semicolon": todo or ADVICE.search(says),
            "end without a mark": not site.text.endswith((".", "!", ":", ";")),
            "begin small": site.text[0] in "<'-" or site.text[0].islower() or site.text.startswith(NAMES),
            "say what was expected": not re.search(r"(?i)\b(invalid|illegal|sorry|oops|error:)", site.text),
            "put values in single quotes": '"' not in site.text.replace('"metric": "hlf"', ""),
        }
        wrong += [(site.file, site.text, what) for what, good in told.items() if not good]
    assert not wrong


# --- the tool ---


@pytest.fixture
def library(tmp_path, monkeypatch):
    (tmp_path / "hlf").mkdir()
    (tmp_path / "rules").mkdir()
    (tmp_path / "hlf" / "a.py").write_text(
        "class Small(Middle): ...\nclass Middle(HlfError): ...\n"
        "def f(path, known):\n"
        "    raise HlfError(f\"{path.name} is '{len(known)}', \" 'expected | '\n"
        "        + f\"one of {', '.join(known)}; mend it\")\n"
        "def g(): raise Small(404, 'gone')\n"
        "def a_problems(x):\n    found = [f'{x} is big; lower it']\n    found.append('b')\n    return found\n"
    )
    (tmp_path / "rules" / "r.smk").write_text(
        "rule one:\n    input: 'x'\n\ndef stop(\n    dag,\n):\n    raise WorkflowError(f'no {dag}')\n\nuse: 1\n"
    )
    monkeypatch.setattr(table, "ROOT", tmp_path)
    monkeypatch.setattr(table, "LIBRARY", tmp_path / "hlf")
    return tmp_path


def test_sentences_are_found_wherever_they_are_built(library):
    found = table.sites()
    assert [(site.file, site.text) for site in found] == [
        ("a.py", "<name> is '<number>', expected / one of <known>; mend it"),
        ("a.py", "gone"),
        ("a.py", "<x> is big; lower it"),
        ("a.py", "b"),
        ("rules/r.smk", "no <dag>"),
    ]
    assert found[0].says("x.png is '3', expected | one of a, b; mend it")
    assert not found[0].says("x.png is '3', expected | one of a, b; mend it all") and not found[1].says("all gone")
    assert table.row(found[0].text) == ("<name> is '<number>'", "expected / one of <known>; mend it")


def test_a_page_keeps_its_tests_and_marks_what_has_none(library):
    internal = {("a.py", "gone"): "Only the test says so"}
    text = table.page({("no <dag>", ""): "test_x.py::test_y"}, internal, {})
    assert table.NO_TEST in text and "| `no <dag>` |  | `test_x.py::test_y` |" in text
    tests, kept = table.read(text)
    assert kept == internal and tests["no <dag>", ""] == "test_x.py::test_y" and len(tests) == 4
    record = [["a.py", "7 is big; lower it", "test_x.py::test_z"], ["a.py", "unknown", "test_x.py::test_y"]]
    raised = table.tests_of("\n".join(map(json.dumps, record)), table.sites())
    again = table.page(tests | {("<x> is big", "lower it"): ""}, internal, raised)
    assert "| `<x> is big` | lower it | `test_x.py::test_z` |" in again


def test_tests_note_what_they_raise(tmp_path):
    code = "import error_record\nfrom hlf.images import list_images\ntry: list_images('/none')\nexcept Exception: pass"
    record = tmp_path / "record.jsonl"
    more = {"HLF_RECORD": str(record), "PYTEST_CURRENT_TEST": "tests/test_x.py::test_y[1] (call)"}
    paths = os.pathsep.join([str(ROOT / "tests"), str(ROOT / "workflow_scripts")])
    subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths, **more}, check=True, timeout=60
    )
    file, sentence, test = json.loads(record.read_text())
    assert (file, test) == ("images.py", "test_x.py::test_y") and sentence.startswith(
        "image folder /none does not exist"
    )
