"""For all tests: one thread, no network, and hypothesis without time limits or chance."""

import os

# before torch can be imported: the number of threads is read once
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

from pathlib import Path

import pytest
from hypothesis import settings

from workflow_helpers import copy_project, snakemake

settings.register_profile("hlf", deadline=None, derandomize=True)
settings.load_profile("hlf")


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which `snakemake --cores 2 all` has run."""
    project = copy_project(tmp_path_factory.mktemp("chain") / "project")
    text = snakemake(project, "--cores", "2", "all")
    assert text.endswith("exit code 0"), text[-6000:]
    return project


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the long workflow tests first, so that the other worker has all the short ones to fill the time."""
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)
