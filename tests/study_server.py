"""Studies for tests: small pictures, a database on SQLite or PostgreSQL, and a real server on a port of its own."""

import csv
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hlf.columns import pair_id
from hlf.images import write_png
from hlf.study.running.folder import init_study, open_folder
from hlf.study.running.studies import import_pairs, new_invite, set_status
from hlf.study.settings import Settings
from hlf.study.shown.bundle import COLUMNS, read_bundle
from study_programs import program

MODELS = ("bsrgan", "swinir", "stablesr", "seesr", "pasd")
OWN = {"contact": "lab@example.org", "retention": "Kept until 2030.", "min_css_px": 160}


def write_bundle(folder: Path, trials=20, traps=16, practice=6, size=48, seed=7, settings=None) -> Path:
    """A bundle of small random pictures: trials of five models, traps and practice pairs, half of them yes."""
    rng = np.random.default_rng(seed)
    images = folder / "images"
    images.mkdir(parents=True)
    rows, names = [], iter(f"{rng.bytes(11).hex()}.png" for _ in range(10**6))

    def row(name, role, image, level="", model="", answer=-1):
        first = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
        second = rng.integers(0, 256, (size, size, 3), dtype=np.uint8) if answer else first ^ 1
        files = next(names), next(names)
        for file, pixels in zip(files, (first, second), strict=True):
            write_png(images / file, pixels)
        told = {"gt_name": f"gt/{image}.png", "sr_name": f"sr/{model}/{image}.png" if model else "", "reason": ""}
        if role == "practice":
            told["reason"] = "The pictures show other things." if answer else "Only the noise is another."
        values = [name, role, image, level, model, *files, told["gt_name"], told["sr_name"]]
        kind = {1: "yes_swap", 0: "no_lowlevel"}.get(answer, "") if role == "trap" else ""
        rows.append(dict(zip(COLUMNS, [*values, kind, answer, told["reason"]], strict=True)))

    for i in range(trials):
        model, image = MODELS[i % len(MODELS)], f"img{i // len(MODELS):03d}"
        row(pair_id(image, 1.0, model), "trial", image, "1.0", model)
    for i in range(traps):
        row(f"trap_{'yes' if i % 2 else 'no'}_{i // 2:02d}", "trap", f"trap{i}", answer=i % 2)
    for i in range(practice):
        row(f"practice_{i + 1}", "practice", f"practice{i}", answer=i % 2)
    with (folder / "pairs.csv").open("w", encoding="utf8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    facts = {"format": 1, "run": "t", "scale": "mini", "source": "human", "seed": 42, "config_hash": "0" * 8}
    (folder / "study.json").write_text(json.dumps({**facts, "settings": settings or {}}))
    return folder


def make_study(folder: Path, url=None, trials=20, traps=16, practice=6, size=48, **settings):
    """An open study's folder."""
    bundle = write_bundle(folder / "bundle", trials, traps, practice, size)
    study = init_study(folder / "study", "test", url or "sqlite:///study.sqlite")
    path = folder / "study" / "study.yaml"
    lines = path.read_text().partition("settings:")[0]
    path.write_text(lines + f"settings: {json.dumps({**OWN, **settings})}\n")
    study = open_folder(folder / "study")
    import_pairs(study, read_bundle(bundle, study.settings))
    set_status(study.storage(), study.id, "open", "test")
    return study


@dataclass
class Served:
    """A study on a running server."""

    study: object
    platform: object
    url: str

    @property
    def invite(self) -> str:
        """A fresh link for people."""
        return f"{self.url}/join/{new_invite(self.platform.storage, self.study, 'test', one_use=False)}"

    @property
    def storage(self):
        return self.platform.storage


def free_port() -> int:
    with closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextmanager
def served(study, limits=False, **options):
    """Serve a study from a thread of this process."""
    import uvicorn

    from hlf.study.server.app import create_app
    from hlf.study.server.security import Options

    platform, port = study.platform(), free_port()
    app = create_app(platform, Options(secure=False, limits=limits, **options))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", server_header=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(400):
        if server.started:
            break
        time.sleep(0.025)
    assert server.started
    try:
        yield Served(study, platform, f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join(10)
        platform.storage.close()


def settings_of(study) -> Settings:
    return study.platform().settings


class Postgres:
    """A PostgreSQL server of the system's packages, with its data in a folder of the tests."""

    def __init__(self, folder: Path) -> None:
        # Debian keeps most of its programs off the path
        self.bin = Path(program("pg_ctl", "postgresql", "usr/lib/postgresql/*/bin/pg_ctl")).resolve().parent
        self.folder, self.port, self.count = folder / "data", free_port(), 0
        self.user = "postgres" if os.getuid() == 0 else None
        folder.chmod(0o777)
        if self.user:  # it refuses to run as root
            shutil.chown(folder, self.user)
        self.run("initdb", "-D", str(self.folder), "-U", "hlf", "--auth=trust", "--no-sync")
        self.start()

    def run(self, name: str, *arguments: str) -> None:
        command = [str(self.bin / name), *arguments]
        if self.user:
            command = ["runuser", "-u", self.user, "--", *command]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        # what it has written survives its own death without the disk, too; the tests pull no plug
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c max_connections=200 -c fsync=off"
        self.run("pg_ctl", "-D", str(self.folder), "-o", options, "-w", "-l", str(self.folder / "log"), "start")

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "-D", str(self.folder), "-m", mode, "-w", "stop")

    def database(self) -> str:
        """URL of a new empty database."""
        self.count += 1
        name = f"study{self.count}"
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "hlf", name)
        return f"postgresql://hlf@127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    # the parents of pytest's folders are closed to other users
    folder = Path(tempfile.mkdtemp(prefix="hlf-postgres-"))
    server = Postgres(folder)
    yield server
    server.stop("immediate")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    """URL of an empty database of each kind; None for a file in the study's folder."""
    if request.param == "sqlite":
        return None
    return request.getfixturevalue("postgres").database()
