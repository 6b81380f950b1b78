"""The configuration: reading it, refusing what cannot run, and the digest that stands in tables. No heavy package."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hlf.config_checks import cross_problems, option_problems
from hlf.config_schema import schema_problems
from hlf.errors import HlfError

# keys of how a training is saved and shown, and how its steps are computed: by how many GPUs, in which parts, with how
# much memory; no rule's key holds them, so that a training is not begun or done again for another of them
_WATCHED = ("checkpoint_every", "keep", "sample_every", "samples")
_DIVIDED = ("workers", "processes", "batch_size", "gradient_checkpointing")
ASIDE = tuple(("tuning", key) for key in (*_WATCHED, *_DIVIDED))
# keys that say how work is divided or where it runs, and change no result
NO_RESULT = (*((stage, "shards") for stage in ("degradation", "sr", "sampling", "iqa", "tuning")), *ASIDE)
# keys that change one table of their own, which names them in full
OWN_TABLE = (("sr", "baselines"),)


def load(root: Path, overlays: Sequence[str | Path] = ()) -> dict[str, Any]:
    """The configuration that the workflow in `root` would run with: config.yaml, then each overlay, checked.

    Merged as the workflow does: groups key by key, lists and values replaced, later files over earlier ones.

    Args:
        root: folder of the Snakefile.
        overlays: YAML files as given to `--configfile`.

    Raises:
        HlfError: a file that is missing or no YAML of keys and values, or see `check`.
    """
    config: dict[str, Any] = {}
    for path in (Path(root) / "config.yaml", *map(Path, overlays)):
        config = _merged(config, _read_yaml(path))
    check(config)
    return config


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over`; where both hold a group, key by key."""
    both = {k: _merged(base[k], v) for k, v in over.items() if isinstance(v, dict) and isinstance(base.get(k), dict)}
    return {**base, **over, **both}


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf8"))
    except OSError as error:
        raise HlfError(f"configuration {path} cannot be read: {error.strerror}; name a YAML file") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise HlfError(f"configuration {path} is no YAML ({reason}); mend that line") from error
    if not isinstance(found, dict):
        raise HlfError(f"configuration {path} holds {type(found).__name__}, expected keys and values")
    return found


def check(config: dict[str, Any]) -> None:
    """Refuse a configuration that cannot run, before any job starts.

    Raises:
        HlfError: one line per problem, each naming the key, the value received and what is allowed.
    """
    found = schema_problems(config) or [*option_problems(config), *cross_problems(config)]
    if found:
        raise HlfError("the configuration cannot be used: " + "; ".join(found))


def result_hash(config: dict[str, Any], groups: tuple[str, ...]) -> str:
    """Digest of the groups that a table depends on, without the keys that change no result (sixteen hex digits).

    Args:
        config: a checked configuration.
        groups: names of groups, or group.key for what `OWN_TABLE` leaves out of its group.
    """
    left_out = {*NO_RESULT, *OWN_TABLE, ("zoo", "training")}
    kept: dict[str, Any] = {}
    for name in groups:
        group, _, key = name.partition(".")
        known = config[group]
        kept[name] = known[key] if key else {k: v for k, v in known.items() if (group, k) not in left_out}
    kept["zoo"] = {"use": config["zoo"]["use"]}
    text = json.dumps({"seed": config["seed"], **kept}, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def scale(config: dict[str, Any]) -> str:
    """Size of a run, for stamps and captions: "paper" with official weights, else "mini"."""
    return "paper" if config["zoo"]["use"] == "official" else "mini"


def shown(config: dict[str, Any]) -> dict[str, Any]:
    """Configuration as the report shows it: without the keys that change no result, and without a password."""
    groups = {k: v for k, v in config.items() if k not in ("zoo", "resources", "release")}
    kept = {
        k: {n: x for n, x in v.items() if (k, n) not in NO_RESULT} if isinstance(v, dict) else v
        for k, v in groups.items()
    }
    votes = re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", str(config["study"]["votes"]))
    return {**kept, "study": {**kept["study"], "votes": votes}, "zoo": {"use": config["zoo"]["use"]}}
