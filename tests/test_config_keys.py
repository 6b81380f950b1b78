"""Every key of the configuration is read somewhere, and what is read as a key is one."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from hlf.config_schema import schema
from hlf.sr.registry import registered

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "workflow_scripts"
CHECKS = {"config_checks.py", "config_schema.py"}  # they name keys to refuse values, and use none
# groups of options that another library reads: their keys are its own arguments
ARGUMENTS = {"network", "text", "vision", "fusion", "structure"}
# packages that a script hands a group to as a whole, and that read its keys by their own names
STAGES = ("sr", "sampling", "study", "iqa", "metric", "tuning", "release")
PACKAGES = {"images": "data", **{name: name for name in STAGES}}
STRING = re.compile(r"""(["'])([a-z][a-zA-Z0-9_.-]*)\1""")
CHAIN = re.compile(r"""\bconfig((?:\[["'][a-z_]+["']\])+)""")


@cache
def config():
    return yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf8"))


def rule_files():
    return [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]


def words_of_module(path):
    """What a module may read a key by: strings, and the fields of a class that takes a group as arguments."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


@cache
def words(package):
    """Every word by which scripts, or modules of a package of the library, may read a key."""
    files = [*LIBRARY.glob("*.py"), *(LIBRARY / "hlf" / package).rglob("*.py")]
    return {word for path in files for word in words_of_module(path)}


@cache
def named():
    """Dotted names that rules, scripts and library spell out, as one string or as a chain of subscripts."""
    found = set()
    for path in [*rule_files(), *LIBRARY.rglob("*.py")]:
        if path.name not in CHECKS:
            text = path.read_text(encoding="utf8")
            found |= {word for _, word in STRING.findall(text)} | {chained(chain) for chain in CHAIN.findall(text)}
    return found


def chained(chain):
    """`["a"]["b"]` as a.b."""
    return ".".join(re.findall(r"[a-z_]+", chain))


def keys(values, name=""):
    """Dotted names of all keys below a group that this project reads itself."""
    for key, value in values.items():
        dotted = f"{name}.{key}" if name else str(key)
        yield dotted
        own_model = name == "sr" and key in registered()  # its OPTIONS are checked by their module
        if isinstance(value, dict) and key not in ARGUMENTS and not own_model:
            yield from keys(value, dotted)


def is_read(name):
    """Spelled out somewhere, or read by its own name where its group is handed to."""
    group = name.partition(".")[0]
    package = "training" if name.startswith("zoo.training.") else PACKAGES.get(group, "none")
    return name in named() or name.rpartition(".")[2] in words(package)


def unread(names):
    return [name for name in names if not is_read(name)]


def test_every_key_is_read():
    names = list(keys(config()))
    assert len(names) > 200 and "tuning.loss.weighting" in names and "zoo.training.gan" not in names
    assert unread(names) == []


def test_a_key_that_nobody_reads_is_found():
    assert unread(["metric.seedlings", "metric.seeds", "zoo.training.bsrgan.steeps"]) == [
        "metric.seedlings",
        "zoo.training.bsrgan.steeps",
    ]


@cache
def known():
    """Dotted names that a configuration may have."""
    found = set()

    def add(part, name):
        for key, value in part.get("properties", {}).items():
            dotted = f"{name}.{key}" if name else key
            found.add(dotted)
            add(value, dotted)

    add(schema(), "")
    return found | set(keys(config()))


def read_as_keys(path):
    """Names that a file reads as keys: `config["a"]["b"]`, and dotted ones in a rule's key or a script's settings."""
    text = path.read_text(encoding="utf8")
    for chain in CHAIN.findall(text):
        yield chained(chain)
    if path.suffix == ".smk" or path.parent == LIBRARY:
        for _, word in STRING.findall(text):
            group, _, rest = word.partition(".")
            if rest and group in config():
                yield word


def test_a_wrong_name_is_found(tmp_path):
    path = tmp_path / "new.smk"
    path.write_text('config["metric"]["seedlings"]\nkey=key("a", "iqa.boots", "iqa.bootstrap", "table.csv")\n')
    assert [name for name in read_as_keys(path) if name not in known()] == ["metric.seedlings", "iqa.boots"]


@pytest.mark.parametrize("path", rule_files() + sorted(LIBRARY.glob("*.py")), ids=lambda path: path.name)
def test_what_is_read_as_a_key_is_one(path):
    assert [name for name in read_as_keys(path) if name not in known()] == []
