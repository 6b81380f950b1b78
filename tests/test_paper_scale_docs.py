"""docs/paper_scale.md is a walk that can be walked: its commands run in their order, on stand-ins and a real Slurm.

What stands in: sparse files of the right names and shapes for checkpoints, tiny pictures for photographs, a server here
for the publishers, and, from the section on trying it, the finished tiny run for a run of weeks.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from file_server import file_server
from hlf.zoo.assets import assets
from slurm_node import Node, slurm_node
from stand_ins import forget_hashes, write
from study_programs import HLF
from workflow_helpers import ROOT, TINY

pytestmark = pytest.mark.workflow

PAGE = ROOT / "docs/paper_scale.md"
# a smaller paper, so that zeros by the gigabyte need not be hashed; tests/test_zoo_command.py has the whole one
SMALLER = {
    "sr": {"models": ["bsrgan", "swinir"], "baselines": []},
    "sampling": {"total": 723, "backbone": "dinov2"},
    "iqa": {"metrics": ["psnr", "ssim", "vif", "koniqpp_quality"]},
    "metric": {"backbones": ["vit", "dinov2"], "finetune": ["dinov2"]},
    "tuning": {"variants": []},
}
BY_HAND = ("koniq10k", "votes", "vit", "dinov2", "koniqpp")  # what the reader has put there before


def page() -> str:
    return PAGE.read_text(encoding="utf8")


def sections() -> list[str]:
    """The page by its headings; what stands before the first one left out."""
    return re.split(r"^## ", page(), flags=re.MULTILINE)[1:]


def commands(section: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


class Reader:
    """Types what stands on the page into a project of their own."""

    def __init__(self, project: Path, environment: dict[str, str]) -> None:
        self.project = project
        path = f"{HLF.parent}{os.pathsep}{environment['PATH']}"
        # the commands of this copy, as after an installation of it
        own = {"PATH": path, "PYTHONPATH": str(project / "workflow_scripts"), "OMP_NUM_THREADS": "1"}
        self.environment = {**environment, **own}

    def types(self, line: str) -> str:
        """Output of a command, which must end well."""
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.project, env=self.environment, text=True, check=False, timeout=900,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout[-6000:]}"
        return done.stdout


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with slurm_node() as found:
        yield found


@pytest.fixture(scope="module")
def reader(kept: Path, node: Node, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A clone in which the tiny run is finished, and the environment of section 1 was made before."""
    project = tmp_path_factory.mktemp("walk") / "project"
    shutil.copytree(kept, project)
    for name in ("Makefile", "pyproject.toml", "requirements.txt", "requirements-basicsr.txt"):
        shutil.copy2(ROOT / name, project / name)
    (project / ".venv").mkdir()
    (project / ".venv/bin").symlink_to(HLF.parent)
    (project / ".venv/.ready").touch()
    return Reader(project, node.environment)


def test_a_newcomer_gets_what_is_needed_and_a_plan(reader: Reader, tmp_path: Path) -> None:
    project, zoo = reader.project, reader.project / "resources/zoo/official"
    manifest = project / "workflow_scripts/hlf/zoo/assets.yaml"
    forget_hashes(manifest)
    paper = yaml.safe_load((ROOT / "config.paper.yaml").read_text(encoding="utf8"))
    merged = {**paper, **{group: {**paper[group], **values} for group, values in SMALLER.items()}}
    merged["paper"]["quality_measure"] = "koniqpp_quality"
    (project / "config.paper.yaml").write_text(yaml.safe_dump(merged), encoding="utf8")
    write(BY_HAND, zoo, project)
    published, local = tmp_path / "published", tmp_path / "local"
    write(("bsrgan", "swinir"), published)
    write(("bsrgan", "swinir"), local)
    text = [section for section in sections() if int(section[0]) < 5]
    assert len(text) == 4
    with file_server() as server:
        for name in ("bsrgan", "swinir"):
            (file,) = assets()[name].files
            url = server.share(file.path, (published / file.path).read_bytes())
            content = manifest.read_text(encoding="utf8")
            assert file.origin.url.removesuffix(file.path) in content
            manifest.write_text(content.replace(file.origin.url.removesuffix(file.path), url.removesuffix(file.path)))
        said = {}
        for line in (line for section in text for line in commands(section)):
            said[line] = reader.types(line.replace("/shared/downloads", str(local)))
            if line == "hlf zoo fetch bsrgan swinir":  # is looked for in the folder next
                (zoo / file.path).unlink()
    assert re.search(r"^bsrgan +missing", said["hlf zoo list"], re.MULTILINE)
    assert "stablesr" in said["hlf zoo list --known"] and "stablesr" not in said["hlf zoo list"]
    assert str(zoo / "BSRGAN.pth") in said["hlf zoo path bsrgan"]
    assert "missing" not in said["hlf zoo check"] and "wrong" not in said["hlf zoo check"]
    assert "GPU" in said["hlf plan --configfile config.paper.yaml --gpus 4 --cores 32"]
    assert (zoo / "assets.lock.json").is_file()


def test_the_run_goes_through_slurm_to_packages_for_others(reader: Reader, node: Node) -> None:
    project = reader.project
    tiny = yaml.safe_load((ROOT / TINY).read_text(encoding="utf8"))
    # the finished tiny run takes the place of both scales
    mini = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf8"))
    for group, values in tiny.items():
        mini[group] = deep(mini.get(group), values)
    (project / "config.yaml").write_text(yaml.safe_dump(mini), encoding="utf8")
    (project / "config.paper.yaml").write_text("run: tiny\n", encoding="utf8")
    # a cluster without accounting, asked more often than is polite
    with (project / "profiles/slurm/profile.yaml").open("a", encoding="utf8") as profile:
        profile.write("slurm-status-command: squeue\nslurm-init-seconds-before-status-checks: 2\n")
    shutil.copy2(ROOT / "workflow_scripts/hlf/zoo/assets.yaml", project / "workflow_scripts/hlf/zoo/assets.yaml")
    results, said = project / "results/tiny", {}
    shutil.rmtree(results / "sampling")
    for line in (line for section in sections() if int(section[0]) > 4 for line in commands(section)):
        said[line] = reader.types(line)
    assert "embed_pairs" in next(text for line, text in said.items() if line.startswith("snakemake -n sampling"))
    assert (results / "sampling/pairs.csv").is_file() and (results / "release/dataset/SHA256SUMS").is_file()
    done = {(job["Comment"].split("_wildcards")[0], job["State"]) for job in node.jobs()}
    assert ("rule_embed_pairs", "COMPLETED") in done, done
    assert {state for _, state in done} == {"COMPLETED"}


def deep(base: object, over: object) -> object:
    """`over` on `base`, group by group."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {**base, **{key: deep(base.get(key), value) for key, value in over.items()}}


def test_every_section_has_a_number() -> None:
    assert [int(section.split(".")[0]) for section in sections()] == list(range(1, len(sections()) + 1))


def test_every_part_of_the_command_is_told() -> None:
    text = subprocess.run([HLF, "zoo", "-h"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"^    ([a-z-]+)(?: |$)", text, re.MULTILINE))
    assert known == set(re.findall(r"^hlf zoo ([a-z-]+)", page(), re.MULTILINE))
