"""Write docs/errors.md anew: every sentence with which code can refuse, taken from the code, and its test.

`python docs/write_errors.py [RECORD]`. The page itself keeps which test belongs to which sentence, and which sentences
are internal and why; for new sentences RECORD tells in which tests they were raised (`tests/error_record.py`). What is
then still without a test is marked so, and tests/test_errors_table.py fails.
"""

import ast
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "errors.md"
LIBRARY = ROOT / "workflow_scripts" / "hlf"
NO_TEST = "NO TEST"
ROW = re.compile(r"\| (?P<says>.+?) \| (?P<todo>.*?) \| (?P<test>[^|]+?) \|")
REASON, INTERNAL = re.compile(r"\*\*(.+)\*\*"), re.compile(r"- `([^`]+)`: (.+)")
# where a sentence turns from what is wrong to what to do
TURN = re.compile(r"; |, (?=(?:expected|allowed|known) )|: (?=(?:expected|run: ))|(?<=[^,;:] )(?=expected )")
# heading, files whose path begins so (the longest counts), and when the sentences come
PARTS = (
    ("Command line", ("cli/",), "From `hlf` itself, before anything is read: the command and its arguments."),
    ("Configuration", ("config", "device", "tuning/division", "tuning/variants"),
     "From `snakemake` and `hlf plan` before any job, about a key of config.yaml or of an overlay. All are "
     "listed in one sentence: `the configuration cannot be used: ...`."),
    ("Starting a run", ("rules/", "start/", "needs"),
     "From `snakemake` before its first job, or after its last: what is missing, and jobs that a killed run "
     "left."),
    ("Images", ("images", "data/", "scenes/"),
     "Rule prepare_images, and every command that reads pictures. One picture that cannot be used is listed "
     "with its reason (`rejected.csv`, `failures.csv`, a row that says so): exit code 1 of a command."),
    ("Degradation", ("degradation/",), "Rule degrade, and `hlf.degradation.degrade` in Python."),
    ("SR models", ("sr/", "nets/"),
     "`hlf sr`, and rules super_resolve, measure_sr and upscale_variant. What concerns one picture stands in "
     "`failures.csv` too: exit code 1 of the command."),
    ("Choice of pairs", ("sampling/", "backbones/"),
     "Rules embed_pairs, score_pairs and sample_pairs, and the metric."),
    ("Study", ("study/",),
     "`hlf study`, and rules study_bundle, import_votes, simulate_votes and split_dataset. Sentences of a page"
     " are shown to the person in the browser."),
    ("Measures of Table 2", ("iqa/",),
     "`hlf iqa` and `hlf score`, rules measure_iqa and table2. What concerns one picture or measure is a row "
     "that says so: exit code 1 of a command."),
    ("Metric", ("metric/", "stats/"),
     "`hlf score`, `hlf.load_metric` in Python, rules finetune_metric, score_tuned and those of Table 3."),
    ("Fine-tuning of SeeSR", ("tuning/", "training/"), "Rules finetune_sr, evaluate_variant; target train_zoo."),
    ("Weights and data sets", ("zoo/",),
     "`hlf zoo`, and every command and rule that loads weights. What concerns one asset stands in the list of "
     "`hlf zoo check` or `hlf zoo fetch`: exit code 1."),
    ("Tables, figures, report", ("paper/", "provenance"), "Rules of tables and figures."),
    ("Release", ("release/",), "`hlf release`, and target release."),
    ("Cost and plan", ("costs/",), "`hlf plan` and the cost sheet."),
    ("Files, packages, system", ("",),
     "Every command and rule: files that cannot be read or written, packages that are not installed, and what "
     "the system refuses where nothing above foresees it."),
)  # fmt: skip
HEAD = """# What can go wrong

Every sentence with which a command or a job of the workflow refuses, by part; values stand in <angle brackets>. Made by
`python docs/write_errors.py` from the code; `tests/test_errors_table.py` holds page, code and tests together, so each
sentence has a test that makes it appear.

- A **command** prints `hlf: ` and the sentence on stderr and exits with 2; with 1 where some of the work was done,
  which is said with the part. A missing or malformed argument is told with the command's name, exit code 2 as well.
  Ctrl+C gives 130, a closed pipe 141. `hlf COMMAND -h` tells all exit codes of a command.
- A **job** prints `<rule>: ` and the sentence, also in its log file, and ends with 1, and so does `snakemake`. Nothing
  half-written is left; the same command goes on once the cause is gone. The run repeats all sentences at its end, below
  `failed:`. A traceback is a defect of hlf.
- Where no sentence of this page foresees what the system refuses: `the system refuses '<file>': <reason>; check the
  path, its rights and the space on its disk` (`test_command_line.py::test_what_the_system_refuses_is_a_sentence`).
"""
INSIDE = """
## Internal

Sentences that arguments, configuration, files and the machine cannot cause, or that are part of others, by how they
begin.
"""


@dataclass(frozen=True)
class Site:
    """A place that refuses.

    Attributes:
        file: below workflow_scripts/hlf, or below the repository for rules.
        text: its sentence, values as <names>.
        parts: the words between the values, to know the sentence again when it was said.
    """

    file: str
    text: str
    parts: tuple[str, ...]

    def says(self, sentence: str) -> bool:
        """Whether a sentence that was raised can be this one."""
        return bool(re.match(".*?".join(map(re.escape, self.parts)) + "$", sentence, re.DOTALL))


def name_of(value: ast.expr) -> str:
    """A short word for a value: of `', '.join(known)` known, of `error.strerror` strerror, of `len(x)` number."""
    match value:
        case ast.Name(word) | ast.Attribute(attr=word):
            return word
        case ast.Call(ast.Name("len" | "int" | "sum" | "round")) | ast.BinOp():
            return "number"
        case ast.Call(ast.Attribute(_, "join"), [inside]) | ast.Call(_, [inside]) | ast.Subscript(inside):
            return name_of(inside)
        case ast.Call(ast.Attribute(inside)) | ast.IfExp(body=inside) | ast.GeneratorExp(elt=inside):
            return name_of(inside)
        case ast.BoolOp(values=[inside, *_]) | ast.Starred(inside):
            return name_of(inside)
    return "value"


def pieces(value: ast.expr) -> list[tuple[str, bool]]:
    """(text, whether it is fixed) of a sentence in the code."""
    match value:
        case ast.Constant(str(text)):
            return [(text, True)]
        case ast.JoinedStr(values):
            return [piece for one in values for piece in pieces(one)]
        case ast.BinOp(left, ast.Add(), right):
            return [*pieces(left), *pieces(right)]
        case ast.FormattedValue(inside):
            return [(f"<{name_of(inside)}>", False)]
    return [(f"<{name_of(value)}>", False)]


def sites() -> list[Site]:
    """All places that refuse, in the order of files and lines; of equal ones in a file the first."""
    files = [
        *sorted(LIBRARY.rglob("*.py")),
        *sorted(ROOT.glob("rules/*.smk")),
    ]
    trees = {path: _tree(path) for path in files}
    refusing = {"HlfError", "WorkflowError", "ArgumentTypeError"}
    for tree in [*trees.values()] * 2:  # twice: a class may come after one that it derives from
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and refusing & {ast.unparse(base) for base in node.bases}:
                refusing.add(node.name)
    found: dict[Site, None] = {}
    for path, tree in trees.items():
        base = LIBRARY if path.is_relative_to(LIBRARY) else ROOT
        for value in _sentences(tree, refusing):
            said = pieces(value)
            words = re.sub(r"\s+", " ", "".join(text for text, _ in said)).strip().replace("|", "/")
            fixed = tuple(text if sure else "" for text, sure in said)
            found[Site(str(path.relative_to(base)), words, fixed)] = None
    return list(found)


def _tree(path: Path) -> ast.Module:
    """The parsed file; of rules only functions, the rest is Snakemake's language."""
    text = path.read_text(encoding="utf8")
    if path.suffix == ".smk":
        text = "\n".join(re.findall(r"^def .*\n(?:(?:[ \t)].*)?\n)*", text, re.MULTILINE))
    return ast.parse(text)


def _sentences(tree: ast.Module, refusing: set[str]) -> Iterator[ast.expr]:
    """Sentences of exceptions, and those that a check of the configuration lists."""
    nodes = sorted((n for n in ast.walk(tree) if hasattr(n, "lineno")), key=lambda n: (n.lineno, n.col_offset))
    for node in nodes:
        if isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func).rpartition(".")[2]
            if called in refusing:
                yield node.args[-1]
        if isinstance(node, ast.FunctionDef) and re.search(r"^[a-z]\w*_problems$|^too_many|^check_study$", node.name):
            for one in ast.walk(node):
                if isinstance(one, ast.Call) and ast.unparse(one.func).endswith(".append"):
                    yield one.args[0]
                if isinstance(one, ast.List | ast.ListComp):
                    inside = [one.elt] if isinstance(one, ast.ListComp) else one.elts
                    yield from (value for value in inside if isinstance(value, ast.JoinedStr))


def row(text: str) -> tuple[str, str]:
    """A sentence cut into what is wrong and what to do; the second is "" where it says nothing of it."""
    turn = TURN.search(text)
    says, todo = (text[: turn.start()], text[turn.end() :]) if turn else (text, "")
    return says.replace("`", "").strip(), todo.strip()  # the first cell is set as code


def read(page: str) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    """Tests by sentence, and reasons of internal sentences by file and beginning, as the page has them."""
    tests, internal, reason = {}, {}, ""
    for line in page.splitlines():
        if (found := ROW.fullmatch(line)) and found["test"] not in ("test", "---"):
            tests[found["says"].replace("`", ""), found["todo"]] = found["test"].replace("`", "")
        elif found := REASON.fullmatch(line):
            reason = found[1]
        elif found := INTERNAL.fullmatch(line):
            internal |= {(found[1], begin): reason for begin in re.findall(r"\"(.+?)\"", found[2])}
    return tests, internal


def reason_of(site: Site, internal: dict[tuple[str, str], str]) -> str:
    """Why a sentence is internal; "" for one that a user can meet."""
    fits = [why for (file, begin), why in internal.items() if file == site.file and site.text.startswith(begin)]
    return fits[0] if fits else ""


def part_of(file: str) -> int:
    """Index of the part that a file belongs to."""
    fits = [(len(start), i) for i, (_, starts, _) in enumerate(PARTS) for start in starts if file.startswith(start)]
    return max(fits)[1]


def page(tests: dict[tuple[str, str], str], internal: dict[tuple[str, str], str], raised: dict[Site, str]) -> str:
    """The page's text.

    Args:
        tests: of sentences that the page had.
        internal: reasons as `read` gives them.
        raised: tests of sentences that it lacked.
    """
    rows: list[dict[str, str]] = [{} for _ in PARTS]
    inside: dict[tuple[str, str], list[str]] = defaultdict(list)
    for site in sites():
        if why := reason_of(site, internal):
            begin = next(b for (file, b), _ in internal.items() if file == site.file and site.text.startswith(b))
            if begin not in inside[site.file, why]:
                inside[site.file, why].append(begin)
            continue
        says, todo = row(site.text)
        test = tests.get((says, todo)) or raised.get(site) or NO_TEST
        rows[part_of(site.file)].setdefault(f"| `{says}` | {todo} | ", f"`{test}` |")
    text = HEAD
    for (title, _, when), told in zip(PARTS, rows, strict=True):
        text += f"\n## {title}\n\n{when}\n\n| it says | what to do | test |\n|---|---|---|\n"
        text += "".join(f"{line}{test}\n" for line, test in told.items())
    text += INSIDE
    for why in sorted({why for _, why in inside}):
        text += f"\n**{why}**\n\n"
        for file, begins in sorted((file, begins) for (file, reason), begins in inside.items() if reason == why):
            quoted = '", "'.join(begins)
            text += f'- `{file}`: "{quoted}"\n'
    return text


def tests_of(record: str, known: list[Site]) -> dict[Site, str]:
    """For each sentence the test that raised it, and among several that which raised the fewest others.

    Args:
        record: lines of JSON: file, sentence, test.
        known: all places that refuse.
    """
    raised: dict[Site, set[str]] = defaultdict(set)
    for file, sentence, test in map(json.loads, record.splitlines()):
        fits = [site for site in known if site.file == file and site.says(sentence)]
        if test and fits:
            raised[max(fits, key=lambda site: len("".join(site.parts)))].add(test)
    others = Counter(test for found in raised.values() for test in found)
    return {site: min(found, key=lambda test: (others[test], test)) for site, found in raised.items()}


def main() -> None:
    """See the module docstring."""
    tests, internal = read(PAGE.read_text(encoding="utf8") if PAGE.exists() else "")
    raised = tests_of(Path(sys.argv[1]).read_text(encoding="utf8"), sites()) if sys.argv[1:] else {}
    PAGE.write_text(page(tests, internal, raised), encoding="utf8")


if __name__ == "__main__":
    main()
