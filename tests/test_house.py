"""How the library is built: who may import whom, and what every part says of itself."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[1] / "workflow_scripts" / "hlf"


@cache
def trees():
    """Syntax tree of every module of the library, by its dotted name."""
    found = {}
    for path in LIBRARY.rglob("*.py"):
        name = ".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf8"))
    return found


def imported(tree):
    """Dotted names that a module imports, wherever in it and for whatever reason."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(name):
    """Module of the library behind an imported name; "" for other packages."""
    while name and name not in trees():
        name = name.rpartition(".")[0]
    return name


def circle(arrows):
    """Names of one circle among arrows, [] when there is none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@cache
def modules():
    """Module -> modules that it imports."""
    return {name: {module_of(n) for n in imported(tree)} - {"", name} for name, tree in trees().items()}


def rooms():
    """Package or flat module of the library -> those that it imports."""

    def room(name):
        return ".".join(name.split(".")[:2])

    arrows = {}
    for name, others in modules().items():
        arrows.setdefault(room(name), set()).update(room(other) for other in others)
    return {name: others - {name} for name, others in arrows.items()}


@pytest.mark.parametrize("arrows", [modules, rooms], ids=["modules", "packages"])
def test_nothing_imports_in_a_circle(arrows):
    assert len(arrows()) > 20
    assert circle(arrows()) == []


def test_a_circle_would_be_found():
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": set()})) == {"a", "b", "c"}


def test_the_library_knows_nothing_of_snakemake():
    told = {name for name, tree in trees().items() if any(n.partition(".")[0] == "snakemake" for n in imported(tree))}
    assert told == {"hlf.cli.dry_run"}


def public(tree):
    """Classes, functions and methods that others may use."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def test_every_part_says_what_it_is():
    silent = [name for name, tree in trees().items() if not ast.get_docstring(tree)]
    for name, tree in trees().items():
        silent += [f"{name}.{part.name}" for part in public(tree) if not ast.get_docstring(part)]
    assert silent == []
