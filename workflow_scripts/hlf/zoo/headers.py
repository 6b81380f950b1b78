"""Names, shapes and types of a checkpoint's tensors without its data: a file of gigabytes is looked at in a second.

Formats: safetensors (a JSON header), torch since 1.6 and TorchScript (a zip archive whose data.pkl describes the
tensors), torch before 1.6 (pickles in a row, then the data). Pickles are read by an unpickler that knows no class but
its own inert ones, so no code of a file ever runs. Sizes are compared with what the file has, so a truncated one shows.
"""

import io
import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from hlf.errors import HlfError
from hlf.zoo.shapes import WIDTHS, Header

MOST = 256 << 20  # bytes of a header or data.pkl beyond which it is none; published ones have less than one MB
_LEGACY = 0x1950A86A20F9469CFC6C, 1001  # what torch began its files with before 1.6, and their version
_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128", "UntypedStorage": "uint8",
}  # fmt: skip
_SAFETENSORS = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64",
    "BOOL": "bool", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
    "C64": "complex64",
}  # fmt: skip


class Unreadable(HlfError):
    """A file that is no checkpoint, or only a part of one; the sentence goes on behind the file's name."""


class Content(NamedTuple):
    """What a checkpoint holds.

    Attributes:
        tensors: names to `Header`, or to dicts of them where the file has outer keys; the modules of a TorchScript
            archive under the names that its `state_dict` has. What is neither tensor nor dict of them, such as the
            state of a training, is left out.
        program: whether it is a TorchScript archive.
    """

    tensors: dict[str, Any]
    program: bool = False


def read_headers(path: str | Path) -> Content:
    """What a checkpoint holds, by its suffix and its first bytes.

    Raises:
        Unreadable: see there; "ends after 10 bytes, expected 20; it is truncated".
    """
    path = Path(path)
    try:
        with path.open("rb") as handle:
            start = handle.read(8)
            if path.suffix == ".safetensors":
                return Content(_safetensors(handle, path.stat().st_size, start))
            if start[:4] == b"PK\x03\x04":
                return _archive(path)
            handle.seek(0)
            return Content(_legacy(handle, path.stat().st_size))
    except OSError as error:
        raise Unreadable(f"cannot be read ({error.strerror or error})") from error


def _safetensors(handle: BinaryIO, size: int, start: bytes) -> dict[str, Any]:
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else MOST
    if length >= MOST or length < 2:
        raise Unreadable("does not begin as a safetensors file does")
    text = handle.read(length)
    if len(text) < length:
        raise Unreadable(f"ends within its header, after {size} bytes; it is truncated")
    try:
        content = json.loads(text)
        found = {
            name: Header(tuple(map(int, one["shape"])), _SAFETENSORS[one["dtype"]])
            for name, one in content.items()
            if name != "__metadata__"
        }
        end = 8 + length + max((one["data_offsets"][1] for n, one in content.items() if n != "__metadata__"), default=0)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable("has no header of safetensors where it should be") from error
    _whole(size, end)
    return found


def _whole(size: int, end: int) -> None:
    if size < end:
        raise Unreadable(f"ends after {size} bytes, expected {end}; it is truncated")
    if size > end:
        raise Unreadable(f"has {size} bytes, expected {end}; something was appended")


def _archive(path: Path) -> Content:
    """Tensors of a zip archive of torch.save or torch.jit.save."""
    try:
        with zipfile.ZipFile(path) as archive:
            # every name begins with that of the archive
            records = {one.filename.partition("/")[2]: one for one in archive.infolist()}
            if "data.pkl" not in records or records["data.pkl"].file_size > MOST:
                raise Unreadable("is a zip archive without the data.pkl of a checkpoint")
            reader = _Reader(io.BytesIO(archive.read(records["data.pkl"])))
            content = reader.content()
    except zipfile.BadZipFile as error:
        raise Unreadable("lacks the directory at the end of its archive; it is truncated") from error
    for key, storage in reader.storages.items():
        got = records[f"data/{key}"].file_size if f"data/{key}" in records else 0
        if got != storage.size:
            raise Unreadable(f"has {got} bytes of a tensor of {storage.size}; it is damaged")
    program = "constants.pkl" in records
    return Content(_modules(content) if program else _tree(content), program)


def _legacy(handle: BinaryIO, size: int) -> dict[str, Any]:
    """Tensors of a file of torch before 1.6: magic number, version, machine, content, names of storages, their data."""
    if tuple(_Reader(handle).content() for _ in _LEGACY) != _LEGACY:
        raise Unreadable("is no checkpoint of torch")
    _Reader(handle).content()
    reader = _Reader(handle)
    content, names = reader.content(), _Reader(handle).content()
    missing = [name for name in names if name not in reader.storages] if isinstance(names, list) else [""]
    if missing:
        raise Unreadable("is no checkpoint of torch")
    # before each storage stands how many values it has
    _whole(size, handle.tell() + sum(8 + reader.storages[name].size for name in names))
    return _tree(content)


class _Reader(pickle.Unpickler):
    """An unpickler that makes headers of tensors, and something inert of all other objects: it runs no code of a file.

    What pickles may call are methods of one reader and classes of its own, so that nothing is left behind by a file.

    Attributes:
        storages: of the tensors, by name; each as one flat header.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="utf8", errors="replace")  # names of files that Python 2 wrote
        self.storages: dict[str, Header] = {}
        self.inert = type("Inert", (_Inert,), {})
        self.known = {
            "_rebuild_tensor": self._tensor,
            "_rebuild_tensor_v2": self._tensor,
            "_rebuild_tensor_v3": self._tensor,
            "_rebuild_parameter": self._parameter,
            "_rebuild_parameter_with_state": self._parameter,
        }

    def content(self) -> Any:
        """The next object of the file."""
        try:
            return self.load()
        except Exception as error:  # bytes that are no pickle fail with nearly any type
            raise Unreadable("holds no tensors as torch saves them; it is truncated or no checkpoint") from error

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a class or function that a pickle names; nothing is ever imported."""
        if module == "torch._utils" and name in self.known:
            return self.known[name]
        if module in ("torch", "torch.storage") and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch" and name in WIDTHS:
            return name
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        return self.inert

    def persistent_load(self, saved: Any) -> Any:
        """A storage, by what torch wrote for it: its type, its name, where it lay and how many values it has."""
        if saved[0] != "storage":  # a class, which old files hold with its source
            return self.inert
        _, dtype, name, _, values = saved[:5]
        return self.storages.setdefault(str(name), Header((int(values),), dtype))

    def _tensor(self, storage: Header, _offset: int, shape: Any, *more: Any) -> Header:
        # the third way to save a tensor tells the type apart from its storage
        dtype = more[3] if len(more) > 3 and more[3] in WIDTHS else storage.dtype
        return Header(tuple(int(side) for side in shape), dtype)

    def _parameter(self, data: Any, *_: Any) -> Any:
        return data


class _Inert(dict[Any, Any]):
    """Any other object of a pickle: takes what it is given and does nothing."""

    def __init__(self, *_: Any) -> None:
        super().__init__()
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __call__(self, *_: Any) -> "_Inert":
        return self

    def append(self, _: Any) -> None:
        """As of a list."""

    extend = add = append


def _tree(content: Any, depth: int = 8) -> dict[str, Any]:
    """Headers of a dict by name, and dicts of them; all else is left out."""
    found: dict[str, Any] = {}
    for name, value in content.items() if isinstance(content, Mapping) and depth else ():
        if isinstance(value, Header):
            found[str(name)] = value
        elif below := _tree(value, depth - 1):
            found[str(name)] = below
    return found


def _modules(root: Any, depth: int = 32) -> dict[str, Header]:
    """Headers of a module of TorchScript and of those below it, by their dotted names."""
    found: dict[str, Header] = {}
    state = getattr(root, "state", None)
    for name, value in state.items() if isinstance(state, dict) and depth else ():
        if isinstance(value, Header):
            found[str(name)] = value
        else:
            found |= {f"{name}.{key}": header for key, header in _modules(value, depth - 1).items()}
    return found
