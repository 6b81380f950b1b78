"""What a newcomer installs: environments, lock, and an import that costs nothing."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
LOCK = dict(
    line.split("==")
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if line and not line.startswith("#")
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", sorted(p.stem for p in (ROOT / "envs").glob("*.yaml")))
def test_conda_environment_equals_the_lock(name: str) -> None:
    environment = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())
    packages = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert packages
    assert [p for p in packages if LOCK[p.split("==")[0]] != p.split("==")[1]] == []


def test_basicsr_is_the_same_version_everywhere() -> None:
    texts = [(ROOT / f).read_text() for f in ("requirements-basicsr.txt", "envs/torch.post-deploy.sh")]
    texts.append((ROOT / "workflow_scripts/hlf/nets/basicsr_adapter.py").read_text())
    assert {v for t in texts for v in re.findall(r"basicsr==([\d.]+)", t)} == {"1.4.2"}


def test_lock_pins_every_version_and_fits_the_ranges() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert [x for x in lines if not x.startswith("#") and not re.fullmatch(r"[\w.\-]+==[\w.+!]+", x)] == []
    locked = {normal(n): v for n, v in LOCK.items()}
    extras = PROJECT["optional-dependencies"]
    assert set(extras) == {"metric", "study", "workflow", "cluster", "dev"}
    wanted = PROJECT["dependencies"] + [t for texts in extras.values() for t in texts]
    for text in wanted:
        requirement = Requirement(text)
        if requirement.name == "hlf":  # one extra holds another
            assert requirement.extras <= set(extras)
            continue
        assert requirement.specifier.contains(locked[normal(requirement.name)]), text


def test_the_packages_of_the_project_are_all_pinned() -> None:
    for name in [
        "snakemake",
        "torch",
        "diffusers",
        "transformers",
        "open_clip_torch",
        "pandas",
        "scipy",
        "pyiqa",
        "matplotlib",
    ]:
        assert name in LOCK


def test_the_library_alone_pulls_no_workflow_in() -> None:
    extras = PROJECT["optional-dependencies"]
    core, metric = (
        {normal(Requirement(t).name) for t in texts} for texts in (PROJECT["dependencies"], extras["metric"])
    )
    heavy = {"diffusers", "snakemake", "pyiqa", "torchmetrics", "matplotlib", "scikit-image", "jinja2", "segno"}
    heavy |= {"fastapi", "sqlalchemy", "uvicorn", "playwright"}
    assert not heavy & (core | metric) and not metric & core
    assert "transformers" in metric and "transformers" not in core


def test_types_reach_those_who_import_the_library() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["hlf"]
    assert "py.typed" in data and (ROOT / "workflow_scripts/hlf/py.typed").is_file()


def test_every_file_of_the_library_is_installed() -> None:
    package = ROOT / "workflow_scripts/hlf"
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["hlf"]
    told = {p for pattern in patterns for p in package.glob(pattern)}
    files = {p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts and p.suffix != ".py"}
    assert {"consent.txt", "main.js", "study.css", "participant.html.j2"} <= {p.name for p in files}
    assert files - told == set()


def test_import_is_cheap() -> None:
    heavy = ("torch", "pandas", "cv2", "pyiqa", "numpy", "sqlalchemy", "fastapi")
    code = f"import sys, hlf, hlf.cli; print([m for m in {heavy} if m in sys.modules])"
    environment = {"PYTHONPATH": str(ROOT / "workflow_scripts"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"


def test_ci_installs_the_programs_that_tests_need() -> None:
    script = (ROOT / ".ci/run").read_text()
    called = re.findall(r"^need (\S+)", script, re.MULTILINE)
    pattern = r"program\(\s*[\"'][\w-]+[\"'],\s*[\"']([\w-]+)[\"']"
    used = {name for p in (ROOT / "tests").glob("*.py") for name in re.findall(pattern, p.read_text())}
    assert {"chromium", "nginx", "postgresql", "slurmctld", "slurmd", "slurm-client", "munge"} <= used <= set(called)
    assert "HLF_REQUIRE_ALL=1" in script


def test_cards_stand_beside_every_mini_model() -> None:
    zoo = ROOT / "resources/zoo/mini"
    folders = sorted({p.parent for p in zoo.rglob("*.safetensors")})
    assert {"bsrgan", "swinir", "controlnet", "pe-core", "dinov2", "reader"} <= {p.name for p in folders}
    for folder in folders:
        card = (folder / "README.md").read_text()
        assert "seed" in card and "steps" in card and "minutes" in card
    assert sum(p.stat().st_size for p in zoo.rglob("*") if p.is_file()) < 30e6
