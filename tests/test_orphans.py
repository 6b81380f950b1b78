"""Jobs that a killed run left on a cluster, as the scheduler tells of them; a real Slurm is in test_slurm.py."""

import os
from functools import partial

import pytest

from hlf.errors import HlfError
from hlf.start import orphans

RUN = "0b3c1a52-9f0e-4d0b-8a34-4c8f7b1f6a10"


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """Put a program `squeue` on the path that prints the given texts, one a call, the last one ever after."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def answers(*texts, code=0, said=""):
        for number, text in enumerate(texts):
            (folder / f"answer{number}").write_text(text)
        (folder / "squeue").write_text(
            f'#!/bin/sh\ncd {folder}\necho "$@" >> asked\necho "{said}" >&2\nn=$(($(wc -l < asked) - 1))\n'
            f"[ $n -lt {len(texts)} ] || n={len(texts) - 1}\ncat answer$n\nexit {code}\n"
        )
        (folder / "squeue").chmod(0o755)
        return folder / "asked"

    return answers


def line(number, folder, state="RUNNING", name=RUN, comment="rule_super_resolve_wildcards_pasd_003"):
    return f"{number}|{state}|{name}|{comment}|{folder}\n"


def refuse(folder):
    orphans.refuse(folder, partial(orphans.in_slurm, folder), "scancel")


def test_only_jobs_of_snakemake_in_this_folder_are_orphans(squeue, tmp_path):
    here, link = tmp_path / "a | b", tmp_path / "link"
    here.mkdir()
    link.symlink_to(here)
    asked = squeue(
        line(7, here)
        + line(8, link, "PENDING", f"mine_{RUN}", "rule_prepare_images")
        + line("9_2", here, comment="(null)")
        + line(10, tmp_path)  # another folder
        + line(11, here, name="bash")  # somebody's shell in this one
        + line(12, here, name=f"{RUN}0")
    )
    found = orphans.in_slurm(here)
    assert found == [
        orphans.Orphan("7", "RUNNING", "super_resolve pasd_003"),
        orphans.Orphan("8", "PENDING", "prepare_images"),
        orphans.Orphan("9_2", "RUNNING", ""),
    ]
    assert orphans.in_slurm(link) == found and orphans.in_slurm(tmp_path / "bin") == []
    assert f"--user {os.getuid()}" in asked.read_text()


def test_the_refusal_names_jobs_and_the_command(squeue, tmp_path):
    squeue(line(7, tmp_path) + line(8, tmp_path, "PENDING", comment="(null)"))
    with pytest.raises(HlfError) as error:
        refuse(tmp_path)
    text = str(error.value)
    assert text.startswith(f"2 jobs of an earlier run in {tmp_path} are still on the cluster: ")
    assert "7 (super_resolve pasd_003, RUNNING), 8 (job, PENDING); two runs" in text and "\n" not in text
    assert text.endswith("end them: scancel 7 8")
    squeue("".join(line(number, tmp_path) for number in range(40)))
    with pytest.raises(HlfError, match=r"RUNNING\) and 30 more; two runs.*scancel 0 1 .* 39$"):
        refuse(tmp_path)
    squeue(line(7, tmp_path))
    with pytest.raises(HlfError, match=r"^1 job of an earlier run in .* is still on the cluster"):
        refuse(tmp_path)


def test_cancelled_jobs_get_time_to_end(squeue, tmp_path, monkeypatch):
    monkeypatch.setattr(orphans.time, "sleep", lambda _: None)
    ending = line(7, tmp_path, "COMPLETING")
    asked = squeue(ending, ending, "")
    refuse(tmp_path)
    assert len(asked.read_text().splitlines()) == 3
    asked.unlink()
    squeue(ending + line(8, tmp_path), "")  # one that runs is no matter of waiting
    with pytest.raises(HlfError, match=r"scancel 7 8$"):
        refuse(tmp_path)
    asked.unlink()
    squeue(ending)
    monkeypatch.setattr(orphans, "PATIENCE", 0.0)
    with pytest.raises(HlfError, match="COMPLETING"):
        refuse(tmp_path)


def test_no_slurm_costs_nothing_and_a_broken_one_is_told(squeue, tmp_path, monkeypatch):
    squeue("", code=1, said="slurm_load_jobs error: Unable to contact slurm controller")
    with pytest.raises(HlfError, match=r"squeue does not tell.*Unable to contact slurm controller\); start again"):
        refuse(tmp_path)
    squeue("", code=3)
    with pytest.raises(HlfError, match=r"\(exit code 3\)"):
        orphans.in_slurm(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    refuse(tmp_path)


def test_a_controller_that_hangs_is_not_waited_for_without_end(squeue, tmp_path, monkeypatch):
    squeue("")
    (tmp_path / "bin" / "squeue").write_text("#!/bin/sh\nexec sleep 30\n")
    monkeypatch.setattr(orphans, "LIMIT", 0.2)
    with pytest.raises(HlfError, match=r"no answer in 0 s"):
        orphans.in_slurm(tmp_path)


def test_other_schedulers_are_asked_by_the_command_of_the_profile(tmp_path):
    (tmp_path / "status.sh").write_text('case "$1" in "7 a") echo running;; 8) echo success;; *) exit 1;; esac\n')
    command, folder = f"sh {tmp_path}/status.sh", tmp_path / "sent"
    assert orphans.noted(folder) == {}
    folder.mkdir()
    for number, rule in (("8", "degrade"), ("7 a", "super_resolve")):
        (folder / number).write_text(f"{rule}\n")
    sent = orphans.noted(folder)
    assert orphans.asked(sent, command) == [orphans.Orphan("7 a", "running", "super_resolve")]
    with pytest.raises(
        HlfError, match=r"whether job 9 of an earlier run still runs is not known, since `sh .* 9` fails"
    ):
        orphans.asked({"9": ""}, command)
    with pytest.raises(HlfError, match=r"7 a \(super_resolve, running\).*end them: qdel 7 a$"):
        orphans.refuse(tmp_path, lambda: orphans.asked(sent, command), "qdel")
    with pytest.raises(
        HlfError, match=r"^jobs of an .* not seen to end \(7 a, 8\); start with the profile that sent them"
    ):
        orphans.asked(sent, "")
