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

from hlf.errors import HlfError

ROOT = Path(__file__).resolve().parent.parent  # the folder of the Snakefile; folders in the configuration start there


@dataclass(frozen=True)
class Places:
    """Where things lie and run; none of this changes a result, so none of it is in a rule's key.

    Attributes:
        results: results/<run>/.
        zoo: folder of the zoo in use.
        mini: folder of the mini zoo.
        device: "cpu" or "cuda".
        key: digest of the rule's settings and code without its number of shards, for records of finished work.
    """

    results: Path
    zoo: Path
    mini: Path
    device: str
    key: str


def run(main: Callable[..., None], job: Any) -> None:
    """Call `main(input, output, settings, wildcards, places)`, logging to the rule's log file.

    `job` is Snakemake's object inside a workflow, None when the script is imported. `settings` are the values of the
    rule's key, so that a script cannot use a setting that does not make its rule run again. An HlfError ends the job
    with its sentence alone; any other exception is a defect and leaves its traceback in the log.
    """
    if job is None:
        return
    _open_log(Path(str(job.log[0])))
    os.environ["HF_HUB_OFFLINE"] = "1"  # no library may reach for a model hub behind the zoo's back
    started = time.monotonic()
    try:
        main(_plain(job.input), _plain(job.output), json.loads(job.params["key"]), _plain(job.wildcards), _places(job))
    except HlfError as error:
        logging.error("%s: %s", job.rule, error)
        sys.exit(1)
    except Exception:
        logging.error("%s failed:\n%s", job.rule, traceback.format_exc())
        sys.exit(1)
    logging.info("done in %.1f s", time.monotonic() - started)


def _open_log(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handlers = [logging.FileHandler(path, mode="w", encoding="utf8"), logging.StreamHandler(sys.stderr)]
    handlers[1].setLevel(logging.ERROR)
    form = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, handlers=handlers, force=True)


def _plain(part: Any) -> dict[str, Any]:
    """Named inputs, outputs or wildcards as a dictionary of strings and lists of strings."""
    return {name: value if isinstance(value, str) else [str(v) for v in value] for name, value in part.items()}


def _places(job: Any) -> Places:
    from hlf.digest import work_key

    config = job.config
    zoo = {name: ROOT / config["zoo"][name] for name in ("mini", "official")}
    device = config["resources"]["device"]
    if device == "auto":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    results = Path("results", config["run"])
    return Places(results, zoo[config["zoo"]["use"]], zoo["mini"], device, work_key(job.params["key"]))
