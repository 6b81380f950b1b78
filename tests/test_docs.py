"""README and docs say what is there: links, commands, options, files, modules, configuration keys, derived numbers."""

import argparse
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from hlf.cli import parser
from hlf.sr.registry import model_module, registered
from hlf.zoo.assets import assets

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "results/README.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
# history names files and keys of its day
TODAY = [name for name in NAMES if name != "CHANGELOG.md"]
FOLDERS = ("hlf", "rules", "tests", "benchmarks", "docs", "profiles", "workflow_scripts", "resources", "envs", ".ci")
# shown to be filled in by the reader, or by the page itself before
PLACEHOLDER = re.compile(r"^(<.*>|[A-Z_]+(_DIR)?|\.\.\.|…)$")


@cache
def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf8")


def prose(name: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text(name), flags=re.MULTILINE | re.DOTALL)


def anchors(name: str) -> set[str]:
    """Names of headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", prose(name), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", re.sub(r"\]\([^)]*\)", "", head).lower()).replace(" ", "-") for head in heads}


@cache
def config(name: str = "config.yaml") -> Any:
    return yaml.safe_load(text(name))


# --- links


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_files_and_headings(name: str) -> None:
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(name)):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        file = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        if not file.exists() or (anchor and anchor not in anchors(str(file.relative_to(ROOT)))):
            lost.append(target)
    assert lost == []


def test_every_page_is_in_the_readme_and_every_picture_on_a_page() -> None:
    linked = set(re.findall(r"\]\((?:\./)?((?:docs|results)/[\w./]+\.md)", text("README.md")))
    assert {name for name in NAMES if "/" in name} - linked == set()
    shown = {Path(t).name for name in NAMES for t in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text(name))}
    assert {picture.name for picture in (ROOT / "docs/images").iterdir()} - shown == set()


# --- commands


def lines(name: str) -> Iterator[str]:
    """Shell lines of a page: of its blocks, of comments in YAML blocks, and in `marks` within sentences."""
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", text(name), re.MULTILINE | re.DOTALL):
        if language == "sh":
            yield from block.replace("\\\n", " ").splitlines()
        elif language == "yaml":
            yield from (line.lstrip("# ") for line in block.splitlines() if line.startswith("#"))
    for span in re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", prose(name)):
        yield span.replace("\n", " ")


def commands(name: str, *programs: str) -> Iterator[list[str]]:
    """Words of each command of these programs, without the program."""
    for line in lines(name):
        for part in re.split(r"\s&&\s|;\s|\s\|\s|\bthen:? ", line):
            try:
                words = shlex.split(part, comments=True)
            except ValueError:  # an apostrophe of prose
                continue
            if words and Path(words[0]).name in programs and len(words) > 1:
                yield [word for word in words[1:] if not PLACEHOLDER.match(word)]


def unknown(known: argparse.ArgumentParser, words: list[str]) -> list[str]:
    """Sub-commands and options in a command of ours that the parser does not have."""
    for action in known._subparsers._group_actions if known._subparsers else []:
        if words and not words[0].startswith("-"):
            found = action.choices.get(words[0].rstrip(",.:"))
            return unknown(found, words[1:]) if found else [words[0]]
    options = {word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)}
    return sorted(options - set(known._option_string_actions))


@pytest.mark.parametrize("name", TODAY)
def test_commands_of_hlf_exist_with_their_options(name: str) -> None:
    told = list(commands(name, "hlf"))
    assert [(words, lost) for words in told if (lost := unknown(parser(), words))] == []
    assert told or name not in ("README.md", "docs/study.md", "docs/paper_scale.md", "docs/metric.md")


def rule_names() -> set[str]:
    files = [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]
    made = {m for f in files for m in re.findall(r"^ *rule (\w+):", f.read_text(encoding="utf8"), re.MULTILINE)}
    # rules made in a loop bear the names of what they make
    return made | set(TARGETS)


TARGETS = ("all", "figure4", "figure5")


# error sentences that begin with the program's name are no commands
@pytest.mark.parametrize("name", [name for name in TODAY if name != "docs/errors.md"])
def test_commands_of_snakemake_exist_with_their_targets(name: str) -> None:
    from snakemake.cli import get_argument_parser

    reader, rules = get_argument_parser(), rule_names()
    for words in commands(name, "snakemake"):
        args = reader.parse_args(words)
        targets = [str(t) for t in args.targets or []]
        assert [t for t in targets if t not in rules and not t.startswith("results/")] == [], (name, words)
        for file in args.configfile or []:
            # an overlay of the reader's is named in a sentence, or over the block that shows it
            told = f"`{file}`" in text(name) or re.search(rf"^# .*{file}", text(name), re.MULTILINE)
            assert (ROOT / file).is_file() or told, (name, words)
        profile = args.workflow_profile
        assert profile is None or (ROOT / profile).is_dir(), (name, words)


def test_targets_of_the_readme_are_rules() -> None:
    span = re.search(r"Named targets: (.*?)\(", text("README.md"), re.DOTALL).group(1)
    assert set(re.findall(r"`(\w+)`", span)) <= rule_names()


@pytest.mark.parametrize("name", TODAY)
def test_targets_of_make_exist(name: str) -> None:
    known = set(re.findall(r"^([\w./-]+):", text("Makefile"), re.MULTILINE))
    told = {word for words in commands(name, "make") for word in words if "=" not in word and word != "-j"}
    assert told - known == set()


@pytest.mark.parametrize("name", TODAY)
def test_programs_of_the_checkout_exist_with_their_options(name: str) -> None:
    for words in commands(name, "python", "pytest"):
        if words[0] in ("-c", "-m"):
            continue
        program = ROOT / words[0]
        if words[0].startswith(("benchmarks", "docs", "tests")):
            source = (program / "__main__.py" if program.is_dir() else program).read_text(encoding="utf8")
            assert [w for w in words[1:] if w.startswith("--") and f'"{w}"' not in source] == [], (name, words)


# --- files, modules, keys


def exists(path: str) -> bool:
    """Whether a file, folder or module of this path is in the checkout; <name> stands for any."""
    pattern = re.sub(r"<\w+>|\{\w+\}", "*", path.rstrip("/."))
    places = [pattern, f"{pattern}.py", f"workflow_scripts/{pattern}", f"workflow_scripts/{pattern}.py"]
    return any(any(ROOT.glob(place)) for place in places)


def module_exists(dotted: str) -> bool:
    """Whether hlf.a.b is a module, or a name in one."""
    path = dotted.replace(".", "/")
    if exists(path):
        return True
    module, _, attribute = path.rpartition("/")
    files = [f"workflow_scripts/{module}.py", f"workflow_scripts/{module}/__init__.py"]
    return any((ROOT / f).is_file() and re.search(rf"\b{attribute}\b", text(f)) for f in files)


@pytest.mark.parametrize("name", TODAY)
def test_files_and_modules_exist(name: str) -> None:
    spans = [word for span in re.findall(r"`([^`]+)`", prose(name)) for word in span.split()]
    files = [w for w in spans if re.match(rf"({'|'.join(map(re.escape, FOLDERS))})/[\w<*]", w)]
    modules = [w.partition("(")[0].rstrip(",;:") for w in spans if re.match(r"hlf(\.\w+)+", w)]
    files = [f for f in files if not f.startswith("resources/zoo/official")]  # the reader's own
    assert [f for f in files if not exists(f.split("::")[0].rstrip(",;:)"))] == []
    assert [m for m in modules if not module_exists(m)] == []
    alone = [w for w in spans if re.fullmatch(r"\w+\.smk|test_[\w*]+", w)]
    places = {w: f"rules/{w}" if w.endswith(".smk") else f"tests/{w}.py" for w in alone}
    assert [w for w, place in places.items() if not any(ROOT.glob(place))] == []


@pytest.mark.parametrize("name", TODAY)
def test_imports_of_examples_exist(name: str) -> None:
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", text(name), re.MULTILINE | re.DOTALL))
    taken = re.findall(r"^from (hlf(?:\.\w+)*) import ([\w, ]+)$", code, re.MULTILINE)
    names = [f"{module}.{one.strip()}" for module, some in taken for one in some.split(",")]
    assert [one for one in names if not module_exists(one)] == []


@cache
def keys() -> Any:
    """Groups and keys of the configuration, with the options of each SR model."""
    found = {group: dict(values) if isinstance(values, dict) else values for group, values in config().items()}
    for model in registered():
        found["sr"][model] = dict(model_module(model).OPTIONS)
    return found


@pytest.mark.parametrize("name", TODAY)
def test_keys_of_the_configuration_exist(name: str) -> None:
    files = ("smk", "py", "md", "yaml", "csv", "parquet", "json", "html", "png")
    lost = []
    for span in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)(?:[:= ][^`]*)?`", prose(name)):
        value = keys()
        words = span.split(".")
        if words[0] in value and words[-1] not in files:
            for key in words:
                if not isinstance(value, dict) or key not in value:
                    lost.append(span)
                    break
                value = value[key]
    assert lost == []


# --- numbers that follow from the code


def paper() -> Any:
    from hlf.config import load

    return load(ROOT, ["config.paper.yaml"])


def derived() -> dict[tuple[str, str], float]:
    """(page, pattern around a number) -> what the number must be."""
    from hlf.needs import by_table
    from hlf.scenes import vocabulary

    mini, full = config(), paper()
    tuning, study = mini["tuning"], full["study"]
    candidates = full["images"]["dataset"] * len(full["degradation"]["levels"]) * len(full["sr"]["models"])
    people = -(-full["sampling"]["total"] * study["votes_per_pair"] // study["people_quota"])
    cards = [card.read_text(encoding="utf8") for card in (ROOT / "resources/zoo/mini").rglob("README.md")]
    minutes = sum(float(n) for card in cards for n in re.findall(r"^\| minutes \| ([\d.]+) \|", card, re.MULTILINE))
    assert len(full["sr"]["models"]) == len(full["metric"]["backbones"]) == 5 and len(full["iqa"]["metrics"]) == 15
    assert "five SR models, fifteen measures, five backbones" in " ".join(text("README.md").split())
    return {
        ("README.md", r"# (\d+) data sets and checkpoints"): len(by_table(full)),
        ("README.md", r"(\d+) pairs with at least 12 votes each"): full["sampling"]["total"],
        ("README.md", r"pairs with at least (\d+) votes each"): study["votes_per_pair"],
        ("docs/tuning.md", r"fine-tunes with (\d+) scenes"): tuning["images"],
        ("docs/tuning.md", r"fine-tunes with 640 scenes, (\d+) steps"): tuning["images"] / tuning["step_images"],
        ("docs/tuning.md", r"With ([\d,]+) scenes, 600 steps"): 600 * tuning["step_images"],
        ("docs/tuning.md", r"over (\d+) evaluation scenes"): mini["images"]["evaluation"],
        ("docs/tuning.md", r"paper: ([\d,]+) COCO images, 10 epochs"): full["tuning"]["images"],
        ("docs/tuning.md", r"COCO images, (\d+) epochs"): full["tuning"]["epochs"],
        ("docs/tuning.md", r"--cpus-per-task=(\d+)"): 4 * (1 + full["tuning"]["workers"]),
        ("docs/cluster.md", r"\(([\d,]+) at the\s+paper's scale\)"): candidates,
        ("docs/study.md", r"at 150 pairs each: (\d+) people"): people,
        ("docs/design.md", r"one to three of (\d+) pictograms"): len(vocabulary.GLYPHS),
        ("docs/design.md", r"sign plates with\s+(\d+) words"): len(vocabulary.WORDS),
        ("docs/mini_zoo.md", r"about (\d+) core-hours"): round(minutes / 60),
        ("docs/licences.md", r"KonIQ-10k, ([\d,]+) photographs"): assets()["koniq10k"].files[0].images,
    }


def test_numbers_that_follow_from_the_code_are_right() -> None:
    wrong = {}
    for (name, pattern), value in derived().items():
        found = [float(number.replace(",", "")) for number in re.findall(pattern, text(name))]
        if found != [value]:
            wrong[name, pattern] = (found, value)
    assert wrong == {}


def test_versions_of_python_are_those_of_the_package() -> None:
    (lowest, above) = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', text("pyproject.toml")).groups()
    assert f"Python 3.{lowest} or 3.{int(above) - 1}" in text("README.md")


def test_the_short_table_4_is_that_of_the_mini_results() -> None:
    """Both are copied from one run by docs/copy_tables.py."""
    rows = re.findall(r"^\| SeeSR-(?:Original|Finetuned).*$", text("docs/mini_results.md"), re.MULTILINE)
    whole = [[float(re.sub(r"[*<>/u ]", "", cell)) for cell in row.split("|")[3:-1]] for row in rows[:3]]
    made = text("docs/tuning.md").split("<!-- made by docs/copy_tables.py -->")[1].split("<!-- end")[0]
    short = [[float(cell.strip(" *")) for cell in row.split("|")[2:-1]] for row in made.strip().splitlines()[2:]]
    assert len(whole) == len(short) == 3 and len(whole[0]) == 10
    before, *tuned = whole
    # PSNR is printed with two digits there, all else with four; three are printed here
    digits = [{3: 5e-3}.get(n, 5e-5) + 5e-4 for n in range(10)]
    for number, same, within in zip(short[0], before, digits, strict=True):
        assert number == pytest.approx(same, abs=within)
    for row, changed in zip(tuned, short[1:], strict=True):
        for change, a, b, within in zip(changed, row, before, digits, strict=True):
            assert change == pytest.approx(a - b, abs=2 * within)


UNITS = r"s|ms|seconds?|minutes?|hours?|days?|core-hours|[GM]i?B|GPU[- ]hours|images/s|votes/s|TFLOP(?:/s)?"
COUNTS = r"\d[\d,.]*|one|two|three|four|five|six|ten|fifteen|twenty|thirty|some|half an?"
MEASURED = re.compile(rf"\b(?:{COUNTS})[ -](?:{UNITS})\b")
# a command, a test or a file of measured costs; or a key of the configuration, which is no measurement
SOURCE = re.compile(
    r"`[^`]*\b(?:python|make|hlf|snakemake|pytest)\b[^`]*`|tests/|benchmarks/|measured\.yaml|costs\.csv|^```"
    r"|`[a-z]+\.[a-z_]+[`:]|not measured",
    re.MULTILINE,
)
# limits and settings, which tests/test_study_docs.py holds against the code; and pages that are written by commands
OWN = ("docs/study.md", "docs/study_data.md", "docs/mini_results.md", "docs/errors.md", "docs/licences.md")


def blocks(name: str) -> Iterator[str]:
    """Paragraphs, list items and code of a page; a table with the paragraphs around it."""
    for section in re.split(r"^#+ .*$", text(name), flags=re.MULTILINE):
        parts = [part for part in re.split(r"\n(?=\n|- |\*\*)", section) if part.strip()]
        for i, part in enumerate(parts):
            table = part.lstrip().startswith("|")
            yield "\n".join(parts[max(i - 1, 0) : i + 2]) if table else part


@pytest.mark.parametrize("name", [name for name in TODAY if name not in OWN])
def test_times_and_sizes_stand_beside_the_command_that_gives_them(name: str) -> None:
    bare = [block.strip()[:200] for block in blocks(name) if MEASURED.search(block) and not SOURCE.search(block)]
    assert bare == []


# --- docs/verification.md


def test_all_golden_vectors_and_their_tests_are_on_the_page_of_verification() -> None:
    page = text("docs/verification.md")
    folders = {f.name for f in (ROOT / "tests/golden").iterdir() if f.is_dir()}
    assert folders == set(re.findall(r"golden `(\w+)`", page))
    tests = {f.name for f in (ROOT / "tests").glob("test_golden_*.py")}
    assert tests - set(re.findall(r"tests/(\w+\.py)", page)) == set()


# --- CHANGELOG.md


def test_every_line_of_the_changelog_says_whether_results_change() -> None:
    releases = re.split(r"^## ", text("CHANGELOG.md"), flags=re.MULTILINE)[1:]
    assert releases[0].startswith("Unreleased")
    for release in releases:
        groups = re.findall(r"\n([A-Z]\w+)(?=\n)", release)
        assert groups == [g for g in ("Added", "Changed", "Fixed") if g in groups]
        entries = re.findall(r"^- .*?(?=^- |^\n|\Z)", release, re.MULTILINE | re.DOTALL)
        assert entries and [entry for entry in entries if "Results: " not in entry] == []
