"""Shared by every stage: path of the library, checked configuration, names. Only functions here."""

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
from hlf.costs.jobs import shards as shard_count
from hlf.errors import HlfError
from hlf.study import sources as study_sources
from hlf.study.server import screenshot
from hlf.tuning.variants import BASELINE, variant_name

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
    "findings",
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
# groups of the configuration behind what is said of the votes, of the metric, and of the fine-tuned SeeSR
STUDY_GROUPS = ("images", "degradation", "sr", "sampling", "study")
METRIC_GROUPS = (*STUDY_GROUPS, "metric")
TUNING_GROUPS = (*METRIC_GROUPS, "iqa", "tuning")


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


def tuned(file):
    """A file in the folder of every fine-tuned metric."""
    folders = "<results>/metric/{backbone}/"
    return collect(folders + file, backbone=config["metric"]["finetune"])


def variant_evaluation():
    """Table of the variants of SeeSR on the evaluation images, as a list; none where tuning.variants is empty."""
    return ["<results>/tuning/evaluation.parquet"] if variants() else []


def printed(name):
    """Outputs csv, md and tex of a table that people read."""
    files = {kind: f"<results>/tables/{name}.{kind}" for kind in ("csv", "md", "tex")}
    caption = f"captions/{name}.rst"
    return {**files, "csv": report(files["csv"], caption=caption, category="Tables")}


def drawn(name):
    """Outputs pdf and png of a figure."""
    files = {kind: f"<results>/figures/{name}.{kind}" for kind in ("pdf", "png")}
    caption = f"captions/{name}.rst"
    return {**files, "png": report(files["png"], caption=caption, category="Figures")}


def gpus():
    """GPUs that a job with networks asks for."""
    return 0 if config["resources"]["device"] == "cpu" else 1


def votes_files():
    """Files of votes that study.votes names, as input; none while they are missing, so that a plan can be shown."""
    return study_sources.files_of(config["study"]["votes"])
