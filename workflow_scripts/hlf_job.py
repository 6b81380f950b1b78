"""How a thin script meets its job: log file, plain values in, one sentence out when something is wrong."""

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlf.errors import HlfError, of_system
from hlf.process import swift

ROOT = Path(__file__).resolve().parent.parent  # the folder of the Snakefile; folders in the configuration start there


@dataclass(frozen=True)
class Job:
    """What a thin script is given.

    Where things lie and run (results, zoo, mini, device) changes no result, so none of it is in a rule's key.

    Attributes:
        input: named input files; lists where a rule names several under one name.
        output: named output files.
        settings: values of the rule's key, so that a script cannot use a setting that does not make its rule run again.
        wildcards: of this job.
        results: results/<run>/.
        zoo: folder of the zoo in use.
        mini: folder of the mini zoo.
        device: "cpu" or "cuda".
        key: digest of the rule's settings and code without what finished work does not hang on (`digest.NOT_WORK`).
        aside: settings that do not change the result of a rule whose key lacks them (`config.ASIDE`), by name.
    """

    input: dict[str, Any]
    output: dict[str, Any]
    settings: dict[str, Any]
    wildcards: dict[str, str]
    results: Path
    zoo: Path
    mini: Path
    device: str
    key: str
    aside: dict[str, Any]

    def group(self, name: str) -> dict[str, Any]:
        """The settings of one group of the configuration, without the group's name."""
        found = {**self.aside, **self.settings}.items()
        return {key.removeprefix(f"{name}."): value for key, value in found if key.startswith(f"{name}.")}


def run(main: Callable[[Job], None], snakemake: Any) -> None:
    """Call `main(job)`, logging to the rule's log file.

    `snakemake` is Snakemake's object inside a workflow, None when the script is imported. An HlfError ends the job with
    its sentence alone; any other exception is a defect and leaves its traceback in the log.
    """
    if snakemake is None:
        return
    # a test may call this in its own process, which goes on
    done = swift() if vars(sys.modules["__main__"]).get("snakemake") is snakemake else None
    _open_log(Path(str(snakemake.log[0])))
    os.environ["HF_HUB_OFFLINE"] = "1"  # no library may reach for a model hub behind the zoo's back
    started = time.monotonic()
    try:
        main(_job(snakemake))
    except HlfError as error:
        logging.error("%s: %s", snakemake.rule, error)
        sys.exit(1)
    except OSError as error:
        # most often the machine, not a defect; where it was is for the log file
        logging.info(traceback.format_exc())
        logging.error("%s: %s", snakemake.rule, of_system(error))
        sys.exit(1)
    except Exception:
        logging.error("%s failed:\n%s", snakemake.rule, traceback.format_exc())
        sys.exit(1)
    seconds = time.monotonic() - started
    logging.info("done in %.1f s", seconds)
    _note(snakemake, seconds)
    if done:
        done(0)


def _note(snakemake: Any, seconds: float) -> None:
    """Beside the benchmark file, what Snakemake does not measure: machine, device, and memory taken on a GPU.

    `hlf.costs.benchmarks` and `hlf.provenance` read it. It tells of cost only, so a job does not fail for it.
    """
    from hlf.costs.benchmarks import gpu_file
    from hlf.files import write_json
    from hlf.machine import machine, peak_gpu_memory, peak_memory, processor_seconds

    gpu, asked = peak_gpu_memory(), bool(snakemake.resources.get("gpu", 0))
    note: dict[str, Any] = {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(processor_seconds(), 2),
        "threads": snakemake.threads,
        "max_rss_mb": round(peak_memory(), 1),
        "device": "cpu" if gpu is None else "cuda",
        # a job with a GPU whose helper processes used it does not know what they took
        "gpu_mb": round(gpu, 1) if gpu is not None else None if asked else 0.0,
        "machine": machine(),
    }
    results = Path("results", snakemake.config["run"])
    try:
        place = results / "benchmarks" / Path(str(snakemake.log[0])).relative_to(results / "logs")
        write_json(gpu_file(place), note)
    except (HlfError, ValueError) as error:
        logging.warning("time and memory of this job are not noted: %s", error)


def _open_log(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("", encoding="utf8")
    # appended to, since other processes of the job may log there too (`hlf.tuning.worker`)
    handlers = [logging.FileHandler(path, mode="a", encoding="utf8"), logging.StreamHandler(sys.stderr)]
    handlers[1].setLevel(logging.ERROR)
    form = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, handlers=handlers, force=True)


def _plain(part: Any) -> dict[str, Any]:
    """Named inputs, outputs or wildcards as a dictionary of strings and lists of strings."""
    return {name: value if isinstance(value, str) else [str(v) for v in value] for name, value in part.items()}


def _job(snakemake: Any) -> Job:
    from hlf.config import ASIDE
    from hlf.digest import work_key

    config, key = snakemake.config, snakemake.params["key"]
    zoo = {name: ROOT / config["zoo"][name] for name in ("mini", "official")}
    device = config["resources"]["device"]
    if device == "auto":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    parts = (_plain(snakemake.input), _plain(snakemake.output), json.loads(key), _plain(snakemake.wildcards))
    aside = {f"{group}.{name}": config[group][name] for group, name in ASIDE}
    # a fine-tuning samples with it only to show what it makes on the way
    aside["sr.seesr"] = config["sr"].get("seesr", {})
    results, used = Path("results", config["run"]), zoo[config["zoo"]["use"]]
    return Job(*parts, results, used, zoo["mini"], device, work_key(key), aside)
