"""Digests that tell the workflow when a finished result is out of date: of code, of settings, of weight files.

Snakemake watches parameters but not the library a script imports, and compares parameters without their names. So every
rule passes one canonical string: its settings by name and a digest of its script and of all `hlf` modules it imports.
"""

import ast
import atexit
import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from typing import Any

from hlf.errors import HlfError
from hlf.files import read_json, sha256, write_json

PACKAGE = Path(__file__).parent  # .../workflow_scripts/hlf
FRAME = "hlf_job"  # module beside the scripts that hands every job its values; it makes no result
# Lists of names, no part of the code that looks them up: a rule's key holds the digests of the module and of the weight
# files behind the names it uses. So a new model makes nothing anew but itself.
NAMES = {
    "sr/registry.py": ("MODELS", "BASELINES"),
    "backbones/registry.py": ("BACKBONES",),
    "zoo/entries.py": ("ENTRIES",),
    "iqa/registry.py": ("_ALL", "METRICS", "GROUPS", "MINI"),
    "version.py": ("__version__",),  # or every result would hang on each release
}


# settings that finished work does not hang on: how it was divided, what is fitted behind it, how often it is repeated
NOT_WORK = (
    "degradation.shards",
    "sr.shards",
    "sampling.shards",
    "iqa.shards",
    "tuning.shards",
    "metric.calibration",
    "metric.seeds",
)


def key(settings: dict[str, Any], script: Path, modules: tuple[str, ...] = ()) -> str:
    """Canonical JSON of `settings` and of the code behind a rule; equal strings mean nothing changed.

    Args:
        settings: every configuration value that the rule's result depends on, by name.
        script: the rule's thin script.
        modules: library modules reached by a registry string, which imports do not show (such as "hlf.sr.bsrgan").
    """
    return json.dumps({"code": code_digest(script, modules), **settings}, sort_keys=True, ensure_ascii=False)


def work_key(rule_key: str) -> str:
    """Sixteen hexadecimal digits of a rule's key without NOT_WORK: names work that is kept whatever these say."""
    facts = {k: v for k, v in json.loads(rule_key).items() if k not in NOT_WORK}
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=8).hexdigest()


_codes: dict[str, str] = {}  # digests by script and modules that `remember_codes` found or that were taken since


def remember_codes(store: Path) -> Callable[[], None]:
    """Let `code_digest` answer from a file while nothing beside the scripts has changed.

    Reading all modules takes longer than everything else that starts a workflow, and on a cluster each job starts it
    twice. A file that is touched, moved or changed makes every digest be taken anew.

    Args:
        store: JSON file; one that is missing, broken or of other code is written anew.

    Returns:
        What keeps the digests taken since; called when the process ends, or earlier by whoever starts others.
    """
    stamp = _stamp()
    try:
        content = read_json(store)
    except HlfError:
        content = None
    if isinstance(content, dict) and content.get("stamp") == stamp:
        _codes.update(content["digests"])
    keep = partial(_keep_codes, store, stamp, len(_codes))
    atexit.register(keep)
    return keep


def _keep_codes(store: Path, stamp: str, known: int) -> None:
    # where the checkout cannot be written, only time is lost
    if len(_codes) > known and _stamp() == stamp:
        with contextlib.suppress(HlfError):
            write_json(store, {"stamp": stamp, "digests": _codes})


def _stamp() -> str:
    """Digest of names, sizes and times of all files that a `code_digest` may look at."""
    digest = hashlib.blake2b(digest_size=8)
    for folder, folders, names in os.walk(PACKAGE.parent):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            stat = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118  # hundreds of files at each start
            digest.update(f"{folder}/{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


@cache
def code_digest(script: Path, modules: tuple[str, ...] = ()) -> str:
    """Sixteen hexadecimal digits of a script, the named modules, and all that they import of `hlf` or beside it.

    Comments, docstrings and layout do not count, so that explaining a line never costs a GPU hour.
    """
    name = " ".join([str(script), *modules])
    if name not in _codes:
        _codes[name] = _code_digest(script, modules)
    return _codes[name]


def _code_digest(script: Path, modules: tuple[str, ...]) -> str:
    todo, found = [script, *(_module_file(m) for m in modules)], set()
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += [p for p in _imports(path) if p not in found]
    digest = hashlib.blake2b(digest_size=8)
    for name, content in sorted((_name(p), _content(p)) for p in found):
        digest.update(name.encode() + b"\0" + content.encode() + b"\0")
    return digest.hexdigest()


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name


def _module_file(name: str) -> Path:
    """File of a module such as "hlf.sr.bsrgan"."""
    base = PACKAGE.parent.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    raise HlfError(f"module {name} does not exist under {PACKAGE.parent}; mend the list of modules in the rule file")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf8"), str(path))


@cache
def _content(path: Path) -> str:
    """What counts of a file: its syntax tree without docstrings and `NAMES`; the bytes of files that are not Python."""
    if path.suffix != ".py":
        return sha256(path)
    tree, names = _tree(path), NAMES.get(_name(path), ())
    tree.body = [node for node in tree.body if _assigned(node) not in names]
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and body:
            first = body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                del body[0]
    return ast.dump(tree)


def _assigned(node: ast.stmt) -> str:
    """Name that a statement gives a value to, "" for any other statement."""
    targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets if isinstance(node, ast.Assign) else []
    return ast.unparse(targets[0]) if targets else ""


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """`hlf` files that a file needs when it runs: imported modules, their packages, and data files it names."""
    if path.suffix != ".py":
        return ()
    names: set[str] = set()
    _collect(_tree(path), names)
    files: set[Path] = set()
    for name in names:
        parts = name.split(".")
        if parts[0] != PACKAGE.name:
            beside = path.with_name(f"{parts[0]}.py")
            files.update([beside] if path.parent == PACKAGE.parent and beside.is_file() else [])
            continue
        # the root package holds lazy exports only; what a module needs of them it imports from where they are
        for end in range(2, len(parts) + 1):
            base = PACKAGE.joinpath(*parts[1:end])
            files.update(p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file())
    text = path.read_text(encoding="utf8")
    if path.is_relative_to(PACKAGE):
        files.update(
            p
            for p in path.parent.iterdir()
            if p.is_file() and p.suffix in (".json", ".j2", ".css", ".js") and p.name in text
        )
    return tuple(sorted(files))


def _collect(node: ast.AST, names: set[str]) -> None:
    """Names of imports below a node, those for type checkers and the frame of every job left out."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        for branch in node.orelse:
            _collect(branch, names)
        return
    if isinstance(node, ast.Import):
        names.update(a.name for a in node.names if a.name != FRAME)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        # `from hlf.sr import bsrgan` may name a module or a function; the file check of the caller decides
        names.update(f"{node.module}.{a.name}" for a in node.names)
    for child in ast.iter_child_nodes(node):
        _collect(child, names)


def files_digest(paths: list[Path], cache_file: Path, root: Path | None = None) -> str:
    """Digest of the contents of weight files, or "missing: <names>", below `root` when it is given.

    Large files are hashed once: `cache_file` remembers path, size, time and digest, so a touched file is hashed anew
    and a changed one is noticed, while parsing the workflow stays quick.
    """
    missing = [p.relative_to(root).as_posix() if root else p.name for p in paths if not p.is_file()]
    if missing:
        return "missing: " + ", ".join(missing)
    digests = file_hashes(paths, cache_file).values()
    return hashlib.blake2b(" ".join(digests).encode(), digest_size=8).hexdigest()


def file_hashes(
    paths: Iterable[Path], cache_file: Path, hash_of: Callable[[Path], str] | None = None
) -> dict[Path, str]:
    """SHA-256 of files that are there, from `cache_file` where it knows them; see `files_digest`.

    Args:
        paths: of the files.
        cache_file: see `files_digest`.
        hash_of: takes the others' hashes; default: `hlf.files.sha256`.
    """
    try:
        content = read_json(cache_file)
    except HlfError:
        content = None  # first use, or a damaged cache: the hashes are computed again
    known: dict[str, str] = content if isinstance(content, dict) else {}
    found, fresh = {}, {}
    for path in paths:
        stat = path.stat()
        entry = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
        if entry not in known:
            known[entry] = fresh[entry] = (hash_of or sha256)(path)
        found[path] = known[entry]
    if fresh:
        write_json(cache_file, known)
    return found


def folder_digest(folder: Path) -> str:
    """Digest of relative names and sizes of the files below a folder; "no folder" when there is none.

    Not of their times: a copied or touched set of photographs is the same set.
    """
    if not folder.is_dir():
        return "no folder"
    names = sorted(f"{p.relative_to(folder).as_posix()} {p.stat().st_size}" for p in folder.rglob("*") if p.is_file())
    return hashlib.blake2b("\n".join(names).encode(), digest_size=8).hexdigest()
