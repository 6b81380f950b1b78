"""For all tests: one thread, no network, and hypothesis without time limits or chance."""

import os

# before torch can be imported: the number of threads is read once
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

import gc
import pickle
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from workflow_helpers import copy_project, result_bytes, snakemake

# among half a million objects of PyTorch and its like, looking for garbage as often as Python does takes a tenth of all
gc.set_threshold(20_000, 20, 50)
settings.register_profile("hlf", deadline=None, derandomize=True)
settings.load_profile("hlf")


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a project in which `snakemake --cores 2 all` has run, and the bytes of its results as they then were.

    Both workers of a parallel run share it: whoever comes first runs the chain while the other waits.
    """
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "chain"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "lock"):
        if not (folder / "bytes.pickle").is_file():
            for part in ("project", "kept"):  # of a worker that failed
                shutil.rmtree(folder / part, ignore_errors=True)
            project = copy_project(folder / "project")
            text = snakemake(project, "--cores", "2", "all")
            assert text.endswith("exit code 0"), text[-6000:]
            # tests of other files look at it and copy it while those of `done` change theirs
            shutil.copytree(project, folder / "kept")
            (folder / "bytes.pickle").write_bytes(pickle.dumps(result_bytes(project)))
    return folder


@pytest.fixture(scope="session")
def done(chain: Path) -> Path:
    """The finished project; its tests change it, so they stand in one file, hence run on one worker."""
    return chain / "project"


@pytest.fixture(scope="session")
def kept(chain: Path) -> Path:
    """A copy of the finished project that no test changes; each makes one of its own."""
    return chain / "kept"


@pytest.fixture(scope="session")
def done_bytes(chain: Path) -> dict[str, bytes]:
    """Results of the finished project, by name."""
    found: dict[str, bytes] = pickle.loads((chain / "bytes.pickle").read_bytes())
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the long workflow tests first, so that the other workers have all the short ones to fill the time.

    The very first file needs the finished chain; while it waits for that, the others take files that do not.
    """
    waiting = list(dict.fromkeys(item.path for item in items if "chain" in item.fixturenames))

    def turn(item: pytest.Item) -> int:
        if item.get_closest_marker("workflow") is None:
            return 3
        return 1 if item.path not in waiting else 2 if item.path != waiting[0] else 0

    items.sort(key=turn)
