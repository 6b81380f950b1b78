"""SHA256SUMS of a package: every file, in the form that `sha256sum -c` reads."""

import re
from pathlib import Path

from hlf.errors import HlfError
from hlf.files import sha256, write_text

NAME = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def write_checksums(folder: Path) -> None:
    """Write SHA256SUMS over all other files below `folder`, sorted by name.

    Raises:
        HlfError: a name with a backslash or line break, for which the tools disagree on how it is written.
    """
    lines = []
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if re.search(r"[\\\n\r]", name):
            raise HlfError(f"{name!r} cannot be released: a backslash or line break in the name; rename the picture")
        lines.append(f"{sha256(path)}  {name}\n")
    write_text(folder / NAME, "".join(lines))


def problems(folder: Path) -> list[str]:
    """What is wrong with a package, one sentence a file; none when every file is there, whole and listed.

    Raises:
        HlfError: there is no SHA256SUMS, or it has another form.
    """
    listed = read_checksums(folder)
    there = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    found = [f"{name} is missing" for name in sorted(set(listed) - set(there))]
    found += [f"{name} is not listed in {NAME}" for name in sorted(set(there) - set(listed))]
    changed = [name for name in sorted(set(listed) & set(there)) if sha256(there[name]) != listed[name]]
    return found + [f"{name} is not the file that was released (other SHA-256)" for name in changed]


def refuse_changed(folder: Path) -> None:
    """Raise an HlfError that names the first of `problems`, if there is one."""
    found = problems(folder)
    if found:
        more = f", and {len(found) - 1} other files" if len(found) > 1 else ""
        raise HlfError(f"package {folder} is not as it was released: {found[0]}{more}; fetch it again")


def read_checksums(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 as SHA256SUMS lists them; HlfError as `problems`."""
    path = folder / NAME
    try:
        text = path.read_text(encoding="utf8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise HlfError(f"{path} cannot be read ({reason}); expected the folder of a released package") from error
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if not match or match[2] in found:
            raise HlfError(f"{path}, line {number}: expected a SHA-256, two spaces and a name that stands there once")
        found[match[2]] = match[1]
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / NAME)
