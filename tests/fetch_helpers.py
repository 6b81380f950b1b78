"""Fetching for tests: a running server, this process' hub, assets of one file, and what becomes of them."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from file_server import file_server
from hlf.errors import HlfError
from hlf.zoo.assets import Asset, File, Origin
from hlf.zoo.fetching.download import Patience, download
from hlf.zoo.fetching.fetch import fetch

DATA = b"PK" + bytes(range(256)) * 1000
SHA = hashlib.sha256(DATA).hexdigest()
QUICK = Patience(tries=3, pause=0.0, asked=5.0, connect=10.0, stall=10.0)
HASTY = replace(QUICK, stall=0.5)  # where nothing comes on purpose; a busy machine may be as slow
REPOSITORY = "lab/model"


@pytest.fixture
def server(monkeypatch):
    """A file server, without a proxy of this machine between."""
    monkeypatch.setenv("no_proxy", "*")
    with file_server() as running:
        yield running


@pytest.fixture
def hub(server, monkeypatch, tmp_path):
    """The server as the hub of this process, with an empty cache and nobody logged in."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return server


def get(url, target, *args, patience=QUICK, **options):
    return download(url, target, *args, patience=patience, **options)


def refused(url, target, *args, **options) -> str:
    """The sentence of a download that must fail and leave no file of the target's name."""
    with pytest.raises(HlfError) as caught:
        get(url, target, *args, **options)
    text = str(caught.value)
    assert url in text and str(target) in text and "; " in text and "\n" not in text
    assert not target.exists()
    return text


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def ranges(server) -> list[str]:
    return [one.headers.get("range", "") for one in server.requests()]


def environment(**more: str) -> dict[str, str]:
    """Variables of a process that imports this library and sees no proxy."""
    library = Path(__file__).resolve().parent.parent / "workflow_scripts"
    return {**os.environ, "PYTHONPATH": str(library), "no_proxy": "*", **more}


def python(code: str, *arguments: object, **more: str) -> str:
    """What a process prints that runs `code`."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(**more), timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def asset(*files: File, kind: str = "model") -> Asset:
    return Asset("a", kind, "A", "lab", "https://lab.org/a", "MIT", "page of the lab", "", (), "", files)


def of_url(url: str, path: str = "a.pth", **values) -> File:
    return File(path, Origin(url=url), "torch", **values)


def of_hub(name: str = "model.safetensors", folder: str = "a", **values) -> File:
    return File(f"{folder}/{name}", Origin(hub=REPOSITORY, hub_file=name), "safetensors", **values)


BY_HAND = File("a.pth", Origin(hand="open the form of the lab and download it"), "torch")


def got(file: File, tmp_path: Path, kind: str = "model", **options):
    """The outcome of one file, of the zoo <tmp>/zoo and data below <tmp>/work."""
    options = {"data_folder": tmp_path / "lab", "patience": QUICK, "progress": False, **options}
    (one,) = fetch(asset(file, kind=kind), tmp_path / "zoo", **options)
    assert one.path == file.path and "\n" not in one.note
    return one


def failed(file: File, tmp_path: Path, **options) -> str:
    one = got(file, tmp_path, **options)
    assert one.status == "failed" and "; " in one.note
    return one.note
