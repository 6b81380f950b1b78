"""Shared by every stage: path of the library, checked configuration, names, keys. Only functions here."""

import os
import re
import sys

# this tree before any installed copy of hlf, here and in the jobs: what runs must be what the digests watch
LIBRARY = f"{workflow.basedir}/workflow_scripts"
sys.path.insert(0, LIBRARY)
inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
os.environ.update(PYTHONPATH=os.pathsep.join([LIBRARY, *filter(None, inherited)]))

from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

from hlf import config as hlf_config
from hlf import digest
from hlf.backbones.registry import BACKBONES
from hlf.costs.jobs import shards as shard_count
from hlf.errors import HlfError
from hlf.study.server import screenshot
from hlf.study import sources as study_sources
from hlf.tuning.variants import BASELINE, IMAGE_MEASURES, variant_name
from hlf import needs
from hlf.zoo import first_use
from hlf.zoo.entries import ENTRIES
from hlf.zoo.registry import get_advice, weight_paths
from hlf.training.recipes import RECIPES, made_by

ROOT = Path(workflow.basedir)
HASHES = ROOT / ".snakemake" / "hlf_weights.json"  # of large files, by size and time
# reading all modules anew would double the start of every job of a cluster
keep_codes = digest.remember_codes(ROOT / ".snakemake" / "hlf_code.json")

try:
    hlf_config.check(config)
except HlfError as error:
    raise WorkflowError(str(error)) from None

BEHAVIOUR_TABLES = ["behaviour", "invariance", "change_map"]
BEHAVIOUR_FIGURES = ["sensitivity", "mild_changes", "change_examples"]
TABLES = [
    "sr_models",
    "agreement",
    "observers",
    "table2",
    "table3",
    "comparisons",
    "ceiling",
    "calibration",
    "strata",
    *(["leave_one_out"] if config["metric"]["leave_one_out"] else []),
    *BEHAVIOUR_TABLES,
    *(["table4", "table4_changes"] if config["tuning"]["variants"] else []),
]
FIGURES = [
    # a picture of a page needs a browser; where there is none, the report says how to get it
    *([] if screenshot.lacking() else ["figure3"]),
    "study_votes",
    "figure4",
    "iqa_scatter",
    "significance",
    "figure5",
    "similarity",
    "metric_scatter",
    "ranking",
    "reliability",
    "learning_curves",
    "examples",
    "worst_pairs",
    *BEHAVIOUR_FIGURES,
    "figure1",
    *(["figure6", "figure7", "tuning_curves"] if config["tuning"]["variants"] else []),
]
# settings of a study with people that the configuration sets; its owner sets the others (hlf/study/settings.py)
STUDY_SETTINGS = (
    "study.votes_per_pair",
    "study.people_quota",
    "study.trap_rate",
    "study.gt_side",
    "study.min_css_px",
    "study.minutes",
)
# groups of the configuration behind what is said of the fine-tuned SeeSR
TUNING_GROUPS = (
    "images",
    "degradation",
    "sr",
    "sampling",
    "study",
    "iqa",
    "metric",
    "tuning",
)


def variants():
    """Names of the variants of SeeSR that Table 4 compares."""
    return [variant_name(entry) for entry in config["tuning"]["variants"]]


def tuning_processes():
    """Processes of one fine-tuning: those that train, and those that prepare their pictures."""
    return config["tuning"]["processes"] * (1 + config["tuning"]["workers"])


def tuned_variants():
    """Those that are fine-tuned."""
    return [name for name in variants() if name != BASELINE]


wildcard_constraints:
    model="|".join(config["sr"]["models"] + config["sr"]["baselines"]),
    backbone="|".join(config["metric"]["backbones"]),
    variant="|".join(map(re.escape, variants())) or "none",
    shard=r"\d{3}",


def shards(stage, model=""):
    """Zero-padded names of a stage's shards, of one SR model where `sr.shards` tells them apart."""
    return [f"{i:03d}" for i in range(shard_count(config, stage, model))]


def model_shards(wildcards):
    """Tables of the shards of one SR model."""
    return collect(
        "<results>/sr/{model}/shards/{shard}.parquet",
        model=wildcards.model,
        shard=shards("sr", wildcards.model),
    )


def fold_tables():
    """Tables of the fine-tunings on folds, one per backbone; none when metric.folds is 0."""
    names = config["metric"]["backbones"] if config["metric"]["folds"] else []
    return collect("<results>/metric/{backbone}/folds.parquet", backbone=names)


def setting(name):
    """Configuration value of a dotted name."""
    value = config
    for part in name.split("."):
        value = value[part]
    return value


def key(script, *names, modules=(), **more):
    """Canonical parameter of a rule: the named settings, further values, and the digest of the code behind it."""
    settings = {name: setting(name) for name in ("run", "seed", *names)}
    return digest.key(
        {**settings, **more}, ROOT / "workflow_scripts" / f"{script}.py", tuple(modules)
    )


@cache
def weights(name):
    """Digest of a model's weight files in the zoo in use, for rule keys; tells when they are missing, unknown or changed."""
    zoo = config["zoo"]["use"]
    if (zoo, name) not in ENTRIES:
        return f"missing: zoo '{zoo}' has no model '{name}' in this version of hlf"
    folder = ROOT / config["zoo"][zoo]
    told = first_use.changed(folder, name, HASHES) if zoo == "official" else ""
    return (
        f"wrong: {told}"
        if told
        else digest.files_digest(weight_paths(zoo, folder, name), HASHES, folder)
    )


@cache
def reader_weights():
    """Digest of the content reader, which belongs to the mini zoo whatever the zoo in use."""
    folder = ROOT / config["zoo"]["mini"]
    return digest.files_digest(weight_paths("mini", folder, "reader"), HASHES)


def table_facts(*groups):
    """Values that stand in tables and captions: scale and the digest of the groups that the table depends on."""
    return {
        "zoo": config["zoo"]["use"],
        "scale": hlf_config.scale(config),
        "config_hash": hlf_config.result_hash(config, groups),
    }


def gpus():
    """GPUs that a job with networks asks for."""
    return 0 if config["resources"]["device"] == "cpu" else 1


def photograph_listing():
    """Digest of names and sizes in images.folder, so that an added or removed photograph is noticed; "" for scenes."""
    if config["images"]["source"] != "folder":
        return ""
    return digest.folder_digest(Path(config["images"]["folder"]))


def training_listing():
    """What stops a fine-tuning whose photographs are missing, before hours are spent on what comes first; else "".

    Its many files are not looked at here: tuning/training.csv records which of them were chosen, once.
    """
    folder = config["tuning"]["folder"]
    if folder is None or Path(folder).is_dir():
        return ""
    return f"missing: {folder} (tuning.folder) does not exist; put the photographs of COCO 2017 train there"


def shown_config():
    """Configuration as the report shows it: without keys that change no result, so that its bytes do not either."""
    return hlf_config.shown(config)


def votes_files():
    """Files of votes that study.votes names, as input; none while they are missing, so that a plan can be shown."""
    return study_sources.files_of(config["study"]["votes"])


def votes_state():
    """What the votes of a database are at the moment, or what stops a run whose votes are missing; else ""."""
    return study_sources.state_of(config["study"]["votes"])


def page_files():
    """Digest of what browsers load of the study's pages, which the code behind a rule does not show."""
    server = ROOT / "workflow_scripts/hlf/study/server"
    files = sorted(
        p for part in ("static", "templates") for p in (server / part).iterdir()
    )
    return digest.files_digest(files, HASHES, ROOT)


def missing_browser():
    """What stops Figure 3 on this machine; "" when all is there."""
    found = screenshot.lacking()
    return f"missing: {found}" if found else ""
