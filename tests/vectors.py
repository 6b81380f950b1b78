"""Where the golden vectors lie: tests/golden/<part>, or $HLF_VECTORS/<part> for another folder of the same shape.

Lists of the tensors in official files are part of the library: hlf/zoo/keys/<part>, or beside the vectors there.
"""

import os
from pathlib import Path

from hlf.files import read_json
from hlf.zoo.expected import KEYS


def vector_dir(part: str) -> Path:
    """Folder of one part (such as "bsrgan"); the test that asks for a missing one fails with its name."""
    folder = Path(os.environ.get("HLF_VECTORS", Path(__file__).parent / "golden")) / part
    assert folder.is_dir(), f"no folder of golden vectors {folder}"
    return folder


def key_list(part: str, name: str):
    """Content of the list `keys_<name>.json` of one part."""
    return read_json(Path(os.environ.get("HLF_VECTORS", KEYS)) / part / f"keys_{name}.json")
