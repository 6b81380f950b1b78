"""docs/study.md says what is true: its commands run, its tables equal the code.

`python tests/test_study_docs.py` writes the table of settings and docs/study_data.md anew.
"""

import os
import re
import shlex
import signal
import subprocess
import threading
from dataclasses import MISSING, fields
from pathlib import Path

import httpx
import numpy as np
import pytest
import yaml

from hlf.images import write_png
from hlf.seeds import generator
from hlf.study.results.dictionary import TABLES, dictionary_text
from hlf.study.results.flags import RULES
from hlf.study.running.folder import open_folder
from hlf.study.running.people import Recruit
from hlf.study.running.studies import new_invite
from hlf.study.server.limits import RATES
from hlf.study.settings import Settings
from hlf.study.simulated.observers import draw_observer
from hlf.study.simulated.robots import Record, Robot
from study_programs import HLF, quiet_port, wait_for
from study_server import postgres, write_bundle

__all__ = ["postgres"]  # a fixture

ROOT = Path(__file__).resolve().parent.parent
PAGE, DATA = ROOT / "docs/study.md", ROOT / "docs/study_data.md"
BUNDLE = "results/mini/study/bundle"
BEGIN, END = (
    "<!-- settings: made by tests/test_study_docs.py from hlf/study/settings.py -->",
    "<!-- end of settings -->",
)
# commands of other programs, and of the section on PostgreSQL, which has a test of its own
ELSEWHERE = ("snakemake", "sudo", "createdb", "pg_dump", "pg_restore")
SMALL = {"people_quota": 8, "trap_rate": 4, "votes_per_pair": 2, "min_css_px": 160}


def settings_table() -> str:
    """Markdown table of all settings, from the docstring of `Settings`."""
    told = re.findall(r"^        (\w+): (.*?)(?=^        \w+: |\Z)", Settings.__doc__, re.MULTILINE | re.DOTALL)
    # readers of the page do not have the specification at hand; what it chose, we chose
    meaning = {name: " ".join(text.split()).rstrip(".").replace("spec standard", "our choice") for name, text in told}
    rows = ["| setting | default | allowed | meaning and source |", "|---|---|---|---|"]
    for field in fields(Settings):
        assert field.default is not MISSING
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default or "empty"
        rows.append(f"| `{field.name}` | {default} | {field.metadata['allowed'][1]} | {meaning[field.name]} |")
    return "\n".join(rows)


def page() -> str:
    return PAGE.read_text(encoding="utf8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page(), re.MULTILINE | re.DOTALL)


def rows_after(heading: str) -> list[list[str]]:
    """Cells of the first table after a heading, without its head."""
    part = page().split(f"{heading}\n", 1)[1]
    table = re.search(r"^\|.*?(?=^[^|]|\Z)", part, re.MULTILINE | re.DOTALL).group()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]


def test_the_table_of_settings_is_that_of_the_code() -> None:
    shown = page().split(BEGIN)[1].split(END)[0].strip()
    assert shown == settings_table(), f"python {Path(__file__).name} writes it anew"


def test_the_page_of_columns_is_that_of_the_code() -> None:
    assert DATA.read_text(encoding="utf8") == dictionary_text(list(TABLES))


def test_the_table_of_limits_is_that_of_the_code() -> None:
    units = {"second": 1, "minute": 60, "15 minutes": 900}
    shown = []
    for _, burst, then, _ in rows_after("### Limits and speed"):
        number, unit = re.fullmatch(r"(\d+) (?:a|in) (.*)", then).groups()
        shown.append((float(burst), int(number) / units[unit]))
    assert shown == [(rate.burst, rate.per_second) for rate in RATES.values()]


def test_the_table_of_screening_names_every_rule() -> None:
    assert [row[0].strip("`") for row in rows_after("### Screening")] == list(RULES)


def test_every_command_of_a_study_is_told() -> None:
    text = subprocess.run([HLF, "study", "-h"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"^    ([a-z-]+)(?: |$)", text, re.MULTILINE))
    told = set(re.findall(r"hlf study ([a-z-]+)", page()))
    assert len(known) > 14
    assert told - {"-h"} <= known
    assert known <= told | {word for row in rows_after("## Running it") for word in re.findall(r"[a-z-]+", row[0])}


def test_the_unit_of_systemd_starts_a_server_behind_its_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    from hlf.cli import main, study_run

    command = re.search(r"^ExecStart=(.*)$", blocks("ini")[0], re.MULTILINE).group(1)
    started = []
    monkeypatch.setattr(study_run, "serve", lambda args: started.append(args) or 0)
    assert main(shlex.split(command)[1:]) == 0
    assert started[0].public_url.startswith("https://") and started[0].trusted_proxy == "127.0.0.1"
    assert started[0].host == "127.0.0.1"


# --- the page's commands


class Terminal:
    """Runs the page's commands in a folder, as a reader would, with ports of its own."""

    def __init__(self, folder: Path, ports: dict[str, str]) -> None:
        self.folder, self.ports, self.servers = folder, ports, []
        self.environment = {**os.environ, "PATH": f"{HLF.parent}{os.pathsep}{os.environ['PATH']}"}

    def run(self, line: str) -> str:
        """Run one line; returns what it printed. A server stays in the background."""
        for told, own in self.ports.items():
            line = line.replace(told, own)
        if line.startswith("hlf study serve"):
            return self._serve(line)
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.folder, env=self.environment, input="four words for me\n",
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _serve(self, line: str) -> str:
        """Start a server; what was served before is stopped, as the page uses one port for several studies."""
        self.stop()
        words = shlex.split(line, comments=True)
        if "--port" not in words:
            words += ["--port", self.ports["8000"]]
        server = subprocess.Popen(
            words, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.servers.append(server)
        said = ""
        while "stop with Ctrl+C" not in said:
            told = server.stdout.readline()
            assert told, f"{line}\n{said}{server.stderr.read()}"
            said += told
        url = re.search(r"at (http\S+);", said).group(1)
        wait_for(lambda: httpx.get(url).status_code == 200)
        return said

    def stop(self) -> None:
        """Press Ctrl+C."""
        while self.servers:
            server = self.servers.pop()
            server.send_signal(signal.SIGINT)
            _, complaints = server.communicate(timeout=30)
            assert (server.returncode, complaints) == (0, "")


@pytest.fixture
def terminal(tmp_path: Path):
    found = Terminal(tmp_path, {"8000": str(quiet_port()), "8001": str(quiet_port())})
    yield found
    for server in found.servers:
        server.kill()


def take_part(study, link: str, number: int) -> None:
    """A person who answers all there is, from the link on."""
    url, code = link.split("/join/")
    rng = generator(1, "docs", number)
    robot = Robot(url, code, draw_observer(str(number), 0.0, rng), rng, Record(), threading.Event())
    robot.join([row.answer for row in study.platform().practice_pairs()])
    robot.sit(lambda _: 0.5, think=0, images=False)


def test_the_commands_of_the_page_run_in_their_order(terminal: Terminal) -> None:
    folder = terminal.folder
    write_bundle(folder / BUNDLE, settings=SMALL)
    for name in ("before", "after"):
        write_png(folder / f"{name}.jpg", np.full((60, 80, 3), len(name), dtype=np.uint8))
    own_settings = next(b for b in blocks("yaml") if "contact" in b)
    run = 0
    for block in blocks("sh"):
        if "pg_study" in block:
            continue
        for told in block.splitlines():
            line = told
            if line.startswith(ELSEWHERE):
                continue
            if line.startswith("mv lab "):
                terminal.stop()
            if line.startswith("hlf study withdraw"):
                line = _with_a_person(line, folder / "lab")
            said = terminal.run(line)
            run += 1
            if line == "hlf study init lab":
                path = folder / "lab" / "study.yaml"
                path.write_text(path.read_text().partition("settings:")[0] + own_settings)
            if line.startswith("hlf study serve my_study"):
                study = open_folder(folder / "my_study")
                for number in (1, 2):
                    take_part(study, re.search(r"http\S+/join/\S+", said).group(), number)
            if line.startswith("hlf study withdraw"):
                assert "0 stored answers erased" in said
    terminal.stop()
    assert run > 25
    assert "trap_yes_sign" in (folder / "my_bundle/pairs.csv").read_text()
    assert (folder / "my_export/votes.csv").is_file() and (folder / "robots_export/votes.csv").is_file()


def _with_a_person(line: str, folder: Path) -> str:
    """A command to withdraw, with the names of somebody who has joined."""
    study = open_folder(folder)
    platform, code = study.platform(), new_invite(study.storage(), study, "", one_use=False)
    pid = f"pid{len(line)}"
    person, _, words = platform.consent("0" * 64, code, Recruit(pid, "", ""), {})
    for told, own in {"PARTICIPANT_ID": person, "four words of theirs": words, "RECRUIT_ID": pid}.items():
        if told in line:
            return line.replace(f'"{told}"' if " " in told else told, shlex.quote(own))
    raise AssertionError(f"{line} names nobody")


def test_the_commands_for_postgresql_run(terminal: Terminal, postgres) -> None:
    write_bundle(terminal.folder / BUNDLE, settings=SMALL)
    terminal.environment["PATH"] += f"{os.pathsep}{postgres.bin}"
    terminal.ports["postgresql://study@localhost/study"] = postgres.database()
    (block,) = (b for b in blocks("sh") if "pg_study" in b)
    for line in block.splitlines():
        if not line.startswith("createdb"):
            terminal.run(line)
    assert "is draft" in terminal.run("hlf study status pg_study")
    assert terminal.run("hlf study verify pg_study").strip() == "everything adds up"


def test_the_overlay_names_the_database_of_the_first_study() -> None:
    overlay = yaml.safe_load(next(b for b in blocks("yaml") if "votes" in b))
    assert overlay == {"study": {"votes": "db:sqlite:///my_study/study.sqlite#my_study"}}


if __name__ == "__main__":
    before, _, rest = page().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{settings_table()}\n{END}{after}", encoding="utf8")
    DATA.write_text(dictionary_text(list(TABLES)), encoding="utf8")
