"""All commands of `hlf` have one form: names of options, help, exit codes, what goes to stderr."""

import argparse
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import httpx
import pytest

from hlf import __version__
from hlf.cli import main, parser
from hlf.cli.options import csv_output
from hlf.errors import HlfError, of_system
from study_programs import HLF, quiet_port, wait_for
from study_server import write_bundle

# one name, one meaning; these differ on purpose: what the word stands for is said by the command
METAVARS = {
    "-o": {"DIR", "FILE"}, "--output": {"DIR", "FILE"}, "-m": {"METRIC", "MODEL"},
    "--option": {"KEY=VALUE", "MODEL.KEY=VALUE"},
}  # fmt: skip
DEFAULTS = {
    "--batch-size": {1, 8},  # last bits of an SR picture may change with it, those of a score do not matter
    "--public-url": {None, "http://127.0.0.1:8000"},
    "-m": {None, ("hlf-dinov2",), ()},
    "--metrics": {None, ("hlf-dinov2",)},
}


def leaves(one: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Parsers of all commands that run something."""
    for action in one._actions:
        if isinstance(action, argparse._SubParsersAction):
            return [leaf for part in action.choices.values() for leaf in leaves(part)]
    return [one]


COMMANDS = {one.prog: one for one in leaves(parser())}


def options(one: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in one._actions if action.option_strings]


# --- names and help ---


def test_all_commands_are_looked_at():
    assert len(COMMANDS) == 27 and {"hlf score", "hlf plan", "hlf study open", "hlf zoo path"} <= set(COMMANDS)


@pytest.mark.parametrize("prog", COMMANDS)
def test_help_tells_what_it_does_an_example_and_exit_codes(prog):
    one = COMMANDS[prog]
    assert one.description and one.description[0].isupper() and one.description.rstrip().endswith(".")
    text = one.format_help()
    assert "\nexample:\n  hlf " in text and "exit codes:\n  0    done\n" in text and "  2    refused" in text
    for action in one._actions:
        assert action.help, f"{prog} says nothing of {action.option_strings or action.dest}"
        if action.option_strings and action.nargs != 0 and action.choices is None:
            assert str(action.metavar).isupper(), f"{prog}: {action.option_strings} shows {action.metavar}"
        if not action.option_strings:
            assert str(action.metavar).isupper()


@pytest.mark.parametrize("prog", COMMANDS)
def test_its_example_is_understood(prog):
    line = COMMANDS[prog].format_help().partition("example:\n")[2].splitlines()[0]
    words = shlex.split(line)
    assert " ".join(words).startswith(prog)
    args, unknown = parser().parse_known_args(words[1:])
    assert not unknown and args.parser.prog == prog


def test_one_name_means_one_thing():
    found = defaultdict(lambda: defaultdict(set))
    for one in COMMANDS.values():
        for action in options(one):
            for name in action.option_strings:
                found[name]["strings"].add(tuple(action.option_strings))
                found[name]["metavar"].add(action.metavar)
                default = tuple(action.default) if isinstance(action.default, list) else action.default
                found[name]["default"].add(default)
                found[name]["choices"].add(tuple(action.choices or ()))
    for name, told in found.items():
        if name not in ("-m", "-h", "--help"):  # -m says what computes: metrics, or an SR model
            assert len(told["strings"]) == 1, (name, told)
        assert told["metavar"] == METAVARS.get(name, told["metavar"]) and (
            name in METAVARS or len(told["metavar"]) == 1
        ), (name, told)
        if len(told["default"]) > 1:
            assert told["default"] <= DEFAULTS.get(name, set()), (name, told)
    letters = {n: s["strings"] for n, s in found.items() if not n.startswith("--")}
    assert set(letters) == {"-h", "-t", "-r", "-m", "-o", "-i"}
    words = defaultdict(set)
    for one in COMMANDS.values():
        for action in options(one):
            words[action.option_strings[-1]].add(action.help)
    same = ("--json", "--device", "--zoo", "--seed", "--configfile", "--target", "--reference", "--zoo-folder")
    for name in same:
        begin = {text.partition(" (default")[0].partition(";")[0].partition(" of ")[0] for text in words[name]}
        assert len(begin) == 1, (name, words[name])


# --- wrong use ---


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("scor", "hlf: COMMAND is 'scor', expected one of score, sr, iqa, study, plan, release, zoo; did you mean"),
        ("study chek lab", "did you mean check?; see `hlf study -h`"),
        ("zoo list --jsn", "hlf zoo list: unknown argument '--jsn'; did you mean --json?; see `hlf zoo list -h`"),
        ("sr -m bsrgn -i a -o b", "hlf sr: -m/--model is 'bsrgn', expected one of bsrgan,"),
        ("score -t a --ref b -o c.csv", "unknown argument '--ref'"),  # no beginnings of names
        ("score -t a -o b.csv --batch-size 0", "argument --batch-size: expected a whole number from 1 on, got '0'"),
        ("score -t a", "hlf score: the following arguments are required: -o/--output; see `hlf score -h`"),
        ("study serve lab --port x", "argument --port: expected a whole number from 1 on, got 'x'"),
        ("study simulate lab --careless 2", "argument --careless: expected a share from 0 to 1, got '2'"),
        ("study simulate lab --think -1", "argument --think: expected a pace from 0 to 100, got '-1'"),
        ("sr -m bsrgan -i a -o b --option steps", "argument --option: expected KEY=VALUE, got 'steps'"),
        ("release images a -o b --option steps=2", "argument --option: expected MODEL.KEY=VALUE, got 'steps=2'"),
        ("plan --gpu-hour-price much", "argument --gpu-hour-price: expected a price such as 2.50, got 'much'"),
        ("sr -m bsrgan -i a -o b --shard 2", "argument --shard: expected I/N such as 1/4, got '2'"),
        ("zoo fetch bsrgan --mirror lab", "argument --mirror: expected PREFIX=URL, got 'lab'"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_sentence(line, words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(line.split())
    told = capsys.readouterr()
    assert caught.value.code == 2 and not told.out
    assert words in told.err and told.err.count("\n") == 1 and told.err.startswith("hlf")


@pytest.mark.parametrize(
    ("line", "words"), [("", "COMMAND"), ("study", "open"), ("zoo", "fetch"), ("release", "images")]
)
def test_half_a_command_shows_what_there_is(line, words, capsys):
    assert main(line.split()) == 2
    told = capsys.readouterr()
    assert not told.out and told.err.startswith("usage: hlf") and words in told.err


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0 and capsys.readouterr().out == f"hlf {__version__}\n"


# --- what the system and the user do meanwhile ---


def test_output_that_cannot_be_written_is_told_before_the_work(tmp_path):
    assert csv_output(tmp_path / "new" / "a.csv") == tmp_path / "new" / "a.csv"
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(HlfError, match=r"a\.txt: expected a name ending in \.csv"):
        csv_output(tmp_path / "a.txt")
    for path in (tmp_path / "file" / "a.csv", tmp_path / "folder.csv"):
        with pytest.raises(HlfError, match="cannot be written; name a file in a folder that you may write to"):
            csv_output(path)


def test_what_the_system_refuses_is_a_sentence(monkeypatch, capsys):
    def refused(args):
        raise PermissionError(13, "Permission denied", "votes.csv")

    monkeypatch.setattr("hlf.cli.zoo.run_list", refused)
    assert main(["zoo", "list"]) == 2
    assert capsys.readouterr().err == f"hlf: {of_system(PermissionError(13, 'Permission denied', 'votes.csv'))}\n"


def test_a_missing_package_is_a_sentence(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    argv = ["iqa", "-t", str(tmp_path), "-r", str(tmp_path), "-m", "psnr", "-o", str(tmp_path / "a.csv")]

    def needs(*args, **more):
        import pyiqa  # noqa: F401

    monkeypatch.setattr("hlf.cli.iqa.measure_folders", needs)
    assert main(argv) == 2
    assert (
        "this command needs package pyiqa, which is not installed; pip install '.[workflow]'" in capsys.readouterr().err
    )


def test_a_defect_keeps_its_traceback(monkeypatch):
    def defect(args):
        raise KeyError("ours")

    monkeypatch.setattr("hlf.cli.zoo.run_list", defect)
    with pytest.raises(KeyError):
        main(["zoo", "list"])


def test_ctrl_c_ends_with_130(monkeypatch, capsys):
    def stopped(args):
        raise KeyboardInterrupt

    monkeypatch.setattr("hlf.cli.zoo.run_list", stopped)
    assert main(["zoo", "list"]) == 130 and capsys.readouterr().err == "hlf: stopped with Ctrl+C\n"


def test_nobody_reads_on_and_the_disk_is_full():
    words = [HLF, "zoo", "list", "--known"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
    if Path("/dev/full").exists():
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
        assert done.returncode == 2 and "No space left on device; check the path" in done.stderr
        assert done.stderr.count("\n") == 1


# --- a study's commands before and while it runs ---


@pytest.fixture
def study(tmp_path):
    assert main(["study", "init", str(tmp_path / "lab")]) == 0
    return tmp_path / "lab"


@pytest.mark.parametrize("name", ["verify", "invite", "status", "report", "open", "screen", "simulate"])
def test_a_study_without_pairs_says_so(study, name, capsys):
    assert main(["study", name, str(study)]) == 2
    assert capsys.readouterr().err == "hlf: study 'lab' has no pairs yet; run: hlf study import-pairs\n"


def test_check_lists_what_is_in_the_way(study, tmp_path, capsys):
    assert main(["study", "check", str(study)]) == 1
    assert capsys.readouterr().err == "hlf: study 'lab' has no pairs yet; run: hlf study import-pairs\n"


def test_an_address_that_is_taken_or_impossible(study, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["study", "serve", str(study), "--port", str(port)]) == 2
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use; choose another" in capsys.readouterr().err
    assert main(["study", "serve", str(study), "--port", "80000"]) == 2
    assert "cannot listen on 127.0.0.1 port 80000: bind(): port must be 0-65535" in capsys.readouterr().err


@pytest.fixture
def ready(study, tmp_path):
    bundle = write_bundle(tmp_path / "bundle")
    assert main(["study", "import-pairs", str(study), "--bundle", str(bundle)]) == 0
    return study


def test_robots_need_a_server(ready, capsys):
    assert main(["study", "simulate", str(ready), "--url", f"http://127.0.0.1:{quiet_port()}"]) == 2
    assert "start one with `hlf study serve`" in capsys.readouterr().err


def test_ctrl_c_is_how_a_server_ends(ready):
    port = quiet_port()
    with subprocess.Popen(
        [HLF, "study", "serve", ready, "--port", str(port)], stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            wait_for(lambda: httpx.get(f"http://127.0.0.1:{port}").status_code == 200)
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0 and not server.stderr.read()
