"""Where the golden vectors lie: tests/golden/<part>, or $HLF_VECTORS/<part> for another folder of the same shape."""

import os
from pathlib import Path


def vector_dir(part: str) -> Path:
    """Folder of one part (such as "bsrgan"); the test that asks for a missing one fails with its name."""
    folder = Path(os.environ.get("HLF_VECTORS", Path(__file__).parent / "golden")) / part
    assert folder.is_dir(), f"no folder of golden vectors {folder}"
    return folder
