"""What makes a finished result stale, and what does not."""

import atexit
import os
import shutil

import pytest

from hlf import digest
from hlf.config import ASIDE, NO_RESULT
from hlf.errors import HlfError

MODULE = '''"""A module."""

from typing import TYPE_CHECKING

from hlf.tools import halve

if TYPE_CHECKING:
    from hlf.typed import Only


def run(x: "Only") -> float:
    """Half of x."""
    # a comment
    return halve(x)
'''
FILES = {
    "__init__.py": "VERSION = 1\n",
    "model.py": MODULE,
    "tools.py": "def halve(x):\n    from hlf.deep.core import TWO\n    return x / TWO\n",
    "typed.py": "class Only:\n    pass\n",
    "unused.py": "A = 1\n",
    "deep/__init__.py": "NAME = 'deep'\n",
    "deep/core.py": "TWO = 2\nTEMPLATE = 'page.j2'\nSTYLE = 'page.css'\nTABLE = 'known.json'\n",
    "deep/page.j2": "<p>",
    "deep/page.css": "p {}",
    "deep/known.json": "{}",
    "deep/other.json": "{}",
    "plug.py": "from hlf import unused\n",
    "version.py": "__version__ = '1'\nFORM = 'hlf {}'\n",
    "sr/registry.py": "MODELS: dict[str, str] = {'a': 'hlf.a'}\nBASELINES = {'b': 'hlf.b'}\nOTHER = {'c': 'hlf.c'}\n",
}
SCRIPT = "import hlf_job\nfrom hlf.model import run\n\nfrom beside import ONE\n\nprint(run(ONE))\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    root = tmp_path / "scripts" / "hlf"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root.parent / "job.py").write_text(SCRIPT)
    (root.parent / "beside.py").write_text("ONE = 1\n")
    (root.parent / "hlf_job.py").write_text("FRAME = 1\n")
    monkeypatch.setattr(digest, "PACKAGE", root)
    forget()
    yield root
    forget()


def forget():
    digest._codes.clear()
    for function in (digest.code_digest, digest._tree, digest._content, digest._imports):
        function.cache_clear()


def code(package, modules=()):
    forget()
    return digest.code_digest(package.parent / "job.py", modules)


def edited(package, name, old, new, modules=()):
    """True when replacing `old` by `new` in a file changes the digest; the file is put back."""
    path = package / name
    before, text = code(package, modules), path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    after = code(package, modules)
    path.write_text(text)
    return after != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("model.py", "# a comment", "# another"),
        ("model.py", "    # a comment\n", ""),
        ("model.py", '"""Half of x."""', '"""x over two."""'),
        ("model.py", '    """Half of x."""\n', ""),
        ("model.py", '"""A module."""\n', ""),
        ("tools.py", "def halve(x):\n", 'def halve(x):\n    """New words."""\n'),
        ("model.py", "return halve(x)", "return halve(\n        x\n    )"),
        ("tools.py", "x / TWO", "x/TWO"),
        ("model.py", '    """Half of x."""', "    '''Half of x.'''"),
    ],
)
def test_words_and_layout_cost_nothing(package, name, old, new):
    assert not edited(package, name, old, new)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("model.py", "return halve(x)", "return halve(x) + 1"),
        ("tools.py", "x / TWO", "x // TWO"),  # reached through an import
        ("deep/core.py", "TWO = 2", "TWO = 3"),  # reached through an import inside a function
        ("deep/__init__.py", "deep", "shallow"),  # package of an imported module
        ("deep/page.j2", "<p>", "<b>"),
        ("deep/page.css", "{}", "{;}"),
        ("deep/known.json", "{}", "[]"),
        ("../beside.py", "1", "2"),  # shared by scripts
        ("../job.py", "run(ONE)", "run(2)"),
    ],
)
def test_code_and_named_data_count(package, name, old, new):
    assert edited(package, name, old, new)


@pytest.mark.parametrize("name", ["typed.py", "unused.py", "deep/other.json", "__init__.py", "../hlf_job.py"])
def test_what_does_not_run_is_not_followed(package, name):
    old = (package / name).read_text()
    assert not edited(package, name, old, "{1: 2}")


def test_modules_behind_a_registry_are_named(package):
    assert code(package, ("hlf.plug",)) != code(package)
    assert edited(package, "unused.py", "A = 1", "A = 2", ("hlf.plug",))  # from hlf import unused
    assert code(package, ("hlf.deep",)) == code(package)  # already counted
    with pytest.raises(HlfError, match=r"module hlf.gone does not exist under .*scripts"):
        code(package, ("hlf.gone",))


def test_a_renamed_module_and_a_moved_checkout(package, tmp_path):
    before = code(package)
    shutil.copytree(package.parent, tmp_path / "elsewhere")
    digest.PACKAGE = tmp_path / "elsewhere" / "hlf"
    assert code(digest.PACKAGE) == before
    (digest.PACKAGE / "tools.py").rename(digest.PACKAGE / "aids.py")
    model = digest.PACKAGE / "model.py"
    model.write_text(model.read_text().replace("hlf.tools", "hlf.aids"))
    assert code(digest.PACKAGE) != before


def test_digests_are_kept_while_no_file_changes(package, tmp_path, monkeypatch):
    script, store, read = package.parent / "job.py", tmp_path / "codes.json", []
    real = digest._code_digest
    monkeypatch.setattr(digest, "_code_digest", lambda *of: read.append(of) or real(*of))

    def again(modules=()):
        forget()
        read.clear()
        keep = digest.remember_codes(store)
        found = digest.code_digest(script, modules)
        keep()
        atexit.unregister(keep)
        return found

    first = again()
    assert read and store.is_file()
    assert again() == first and read == []
    assert again(("hlf.plug",)) != first and read != []  # other modules are another digest, and kept beside it
    assert again() == first and again(("hlf.plug",)) != first and read == []
    tools = package / "tools.py"
    tools.write_text(tools.read_text() + "\n")  # a touched file costs time only
    assert again() == first and read != []
    assert again() == first and read == []
    tools.write_text(tools.read_text().replace("x / TWO", "x // TWO"))
    assert again() != first and read != []
    (package / "other.py").write_text("")
    again()
    assert read != []
    store.write_text("{broken")
    again()
    assert read != []
    again()
    assert read == []


def test_digests_taken_while_a_file_changed_are_not_kept(package, tmp_path):
    forget()
    keep = digest.remember_codes(tmp_path / "codes.json")
    digest.code_digest(package.parent / "job.py")
    (package / "tools.py").write_text("def halve(x):\n    return x\n")
    keep()
    atexit.unregister(keep)
    assert not (tmp_path / "codes.json").exists()


def test_key_holds_every_setting_by_name(package):
    script = package.parent / "job.py"
    first = digest.key({"a": 1, "b": 2}, script)
    assert first == digest.key({"b": 2, "a": 1}, script)
    others = {digest.key(s, script) for s in ({"a": 2, "b": 1}, {"a": 1}, {"a": 1, "c": 2}, {"a": "1", "b": 2})}
    assert len(others) == 4 and first not in others
    assert '"code": "' + digest.code_digest(script) in first


def test_work_is_found_again_under_another_number_of_shards(package):
    script = package.parent / "job.py"
    # named as the rules name it
    names = [digest.work_key(digest.key({"sr.shards": n, "seed": s}, script)) for n, s in ((2, 1), (8, 1), (2, 2))]
    assert names[0] == names[1] != names[2] and len(names[0]) == 16
    assert digest.work_key(digest.key({"seed": 1}, script)) == names[0]
    # every key that changes no result, but those that no key holds; and what is fitted or repeated behind a fine-tuning
    beside = {".".join(name): 3 for name in NO_RESULT if name not in ASIDE} | {
        "metric.seeds": 2,
        "metric.calibration": "none",
    }
    assert digest.work_key(digest.key({"seed": 1, **beside}, script)) == names[0]


def test_weights_are_hashed_once_and_noticed_when_changed(tmp_path, monkeypatch):
    files, cache, hashed = [tmp_path / "a.bin", tmp_path / "b.bin"], tmp_path / "cache.json", []
    real = digest.sha256
    monkeypatch.setattr(digest, "sha256", lambda p: hashed.append(p.name) or real(p))
    files[0].write_bytes(b"one")
    assert digest.files_digest(files, cache) == "missing: b.bin" and not cache.exists()
    files[1].write_bytes(b"two")
    first = digest.files_digest(files, cache)
    assert digest.files_digest(files, cache) == first and hashed == ["a.bin", "b.bin"]
    stat = files[0].stat()
    os.utime(files[0], ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
    assert digest.files_digest(files, cache) == first and hashed == ["a.bin", "b.bin", "a.bin"]
    files[1].write_bytes(b"new")
    os.utime(files[1], ns=(1, 1))
    assert digest.files_digest(files, cache) != first
    for broken in ("{", "[1]"):
        cache.write_text(broken)
        assert digest.files_digest(files[:1], cache) == digest.files_digest(files[:1], tmp_path / "new.json")


def test_a_folder_of_photographs_is_known_by_names_and_sizes(tmp_path):
    assert digest.folder_digest(tmp_path / "gone") == "no folder"
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "é.jpg").write_bytes(b"123")
    first = digest.folder_digest(folder)
    os.utime(folder / "sub" / "é.jpg", (1, 1))
    shutil.copytree(folder, tmp_path / "copy")
    assert digest.folder_digest(folder) == digest.folder_digest(tmp_path / "copy") == first
    (folder / "more.jpg").write_bytes(b"1")
    second = digest.folder_digest(folder)
    (folder / "more.jpg").write_bytes(b"12")
    assert len({first, second, digest.folder_digest(folder)}) == 3


@pytest.mark.parametrize(("name", "counts"), [("a", False), ("b", False), ("c", True)])
def test_a_line_in_a_list_of_names_makes_nothing_anew(package, name, counts):
    old = f"'{name}': 'hlf.{name}'"
    assert edited(package, "sr/registry.py", old, f"{old}, 'new': 'hlf.new'", ("hlf.sr.registry",)) is counts


def test_lists_of_names_are_where_the_digest_looks_for_them():
    for file, names in digest.NAMES.items():
        forget()
        tree = digest._tree(digest.PACKAGE / file)
        assert set(names) <= {digest._assigned(node) for node in tree.body}


def test_a_release_makes_no_result_anew(package):
    assert not edited(package, "version.py", "'1'", "'2'", ("hlf.version",))
    assert edited(package, "version.py", "hlf {}", "HLF {}", ("hlf.version",))
