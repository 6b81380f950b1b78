"""A copy of the project in which the tiny configuration runs, and what a dry run of it says."""

import atexit
import os
import re
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from fork_server import ForkServer

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("Snakefile", "config.yaml", "config.paper.yaml", "rules", "envs", "profiles", "workflow_scripts", "resources")
TINY = "tests/config.tiny.yaml"
# what Snakemake imports, some of it as late as in a run
SNAKEMAKE = (
    "snakemake.cli", "jsonschema", "snakemake.profiles", "snakemake.report.html_reporter", "snakemake.storage", "yte",
)  # fmt: skip
# what the scripts of rules import and takes long; not pyiqa, which brings the installed hlf with it
SCRIPTS = (
    "snakemake.script", "torch", "torch._dynamo", "torchvision", "timm", "open_clip", "transformers", "diffusers",
    "matplotlib.pyplot", "pandas", "pyarrow.parquet", "scipy.stats", "cv2", "PIL.Image",
)  # fmt: skip
# Snakemake with another `python` for the scripts of its jobs
FORKING = "import sys; from snakemake.cli import main; sys.executable = sys.argv.pop(1); main(sys.argv[1:])"
# a throw-away SR model with options, for docs/add_a_model.md
RECIPE = '''"""Pixel repetition, as bright as one likes."""

from hlf.sr.base import Descriptor, FeedForward
from hlf.sr.options import Option

OPTIONS = {"gain": Option(1.0, low=0, high=1), "mode": Option("nearest", choices=("nearest", "bilinear"))}
WEIGHTS = False


class Repeat(FeedForward):
    def __init__(self, descriptor, network, device, precision, options):
        super().__init__(descriptor, network, device, precision)
        self.options = options

    def forward(self, lr):
        from torch.nn import functional as F

        return self.options["gain"] * F.interpolate(lr, scale_factor=4, mode=self.options["mode"])


def load(zoo, folder, device, precision, options):
    from torch import nn

    rule = Descriptor("repeat", zoo, "", precisions=("fp32",))
    return Repeat(rule, nn.Identity(), device, precision, options)
'''


def copy_project(target: Path) -> Path:
    """The files that a workflow needs, copied to `target`."""
    target.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target / part)
    (target / "tests").mkdir()
    shutil.copy2(ROOT / TINY, target / TINY)
    return target


def arguments(*given: str, configs: tuple[str, ...] = (TINY,)) -> list[str]:
    """Arguments of Snakemake's command line; targets first, since --configfile takes all that follow."""
    return [*given, "--configfile", *configs]


def command(*given: str, configs: tuple[str, ...] = (TINY,)) -> list[str]:
    """Snakemake's command line: a process of its own, whose scripts are copies of another and end with it."""
    return [sys.executable, "-c", FORKING, fork_servers()[1].python, *arguments(*given, configs=configs)]


def snakemake(project: Path, *given: str, configs: tuple[str, ...] = (TINY,), limit: int = 1500) -> str:
    """Run Snakemake in the project; its output, with the exit code in the last line.

    It and the scripts of its jobs are copies of processes with their imports; on clusters they start as users' do.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words, (programs, scripts) = ["-m", "snakemake", *arguments(*given, configs=configs)], fork_servers()
    with tempfile.TemporaryFile("w+", encoding="utf8") as log:
        with Path(os.devnull).open() as nothing:
            files = [nothing.fileno(), log.fileno(), log.fileno()]
            code = programs.run(words, project, environment, files, limit, scripts.python)
        log.seek(0)
        return f"{log.read()}\nexit code {code}"


@cache
def fork_servers() -> tuple[ForkServer, ForkServer]:
    """One for Snakemake, one for scripts of rules."""
    folder = Path(tempfile.mkdtemp(prefix="forks-"))
    atexit.register(shutil.rmtree, folder)
    return ForkServer(folder, *SNAKEMAKE), ForkServer(folder, *SCRIPTS)


def planned(
    project: Path, target: str = "all", configs: tuple[str, ...] = (TINY,), more: tuple[str, ...] = ()
) -> dict[str, int]:
    """Jobs per rule that a dry run of `target` announces, aggregate targets left out."""
    return counted(snakemake(project, "-n", target, *more, configs=configs))


def counted(text: str) -> dict[str, int]:
    """Jobs per rule in the output of a dry run, see `planned`."""
    assert text.endswith("exit code 0"), text
    table = re.search(r"^job +count\n-+ +-+\n(.*?)^total", text, re.MULTILINE | re.DOTALL)
    rows = [line.split() for line in table.group(1).splitlines()] if table else []
    return {name: int(count) for name, count in rows if name not in ("all", "degradation", "sr", "sampling", "study")}


def scripts_of_rules() -> dict[str, tuple[str, str]]:
    """Per rule with a script: the script's name, and the text of the expression that makes its key."""
    common = "".join((ROOT / f"rules/{name}.smk").read_text(encoding="utf8") for name in ("keys", "model_keys"))
    functions = dict(re.findall(r"^def (\w+)\(.*?\):\n(.*?)(?=^\S|\Z)", common, re.MULTILINE | re.DOTALL))
    found = {}
    for path in sorted((ROOT / "rules").glob("*.smk")):
        # the trainings are one anonymous rule in a loop, known here by the part of its name that does not change
        text = re.sub(r"^    rule:\n.*?name:\s+f\"(\w+)_\{", r"rule \1_each:\n", path.read_text(), flags=re.M | re.S)
        for name, block in re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", text, re.MULTILINE | re.DOTALL):
            script = re.search(r'script:\n\s+"../workflow_scripts/(\w+)\.py"', block)
            if script:
                expression = re.search(r"params:\n\s+key=(.*?)\n    (?:    )?\w+:", block, re.DOTALL)
                text = expression.group(1) if expression else ""
                found[name] = (script.group(1), functions.get(text.strip(" ,\n"), text))
    return found


def result_bytes(project: Path, run: str = "tiny") -> dict[str, bytes]:
    """Bytes of every table, figure and report of a run; timing, logs, benchmarks and shards are no results.

    Of the report without the cost sheet, which tells seconds and megabytes of this very run; the page marks its ends.
    And without provenance.json, which tells times and the machine, and packages for others, which not every run makes.
    """
    root = project / "results" / run
    kinds = (".parquet", ".csv", ".md", ".tex", ".pdf", ".png", ".html", ".safetensors", ".json")
    skip = ("timing", "logs", "benchmarks", "shards", ".work", "release")
    files = [p for p in sorted(root.rglob("*")) if p.is_file() and p.suffix in kinds and p.name != "provenance.json"]
    return {
        str(p.relative_to(root)): without_costs(p.read_bytes())
        for p in files
        if not set(p.relative_to(root).parts[:-1]) & set(skip)
    }


def without_costs(data: bytes) -> bytes:
    """A file without the one part of the report that is measured anew in each run; other files hold no such part."""
    begin, end = (f"<!-- measured in this run: {word} -->".encode() for word in ("begin", "end"))
    return re.sub(re.escape(begin) + b".*?" + re.escape(end), begin + end, data, flags=re.DOTALL)
