"""Pairs with a known answer, scored by each backbone as published and fine-tuned."""

from itertools import chain
from pathlib import Path

import hlf_job
from hlf.backbones.registry import load_backbone
from hlf.data.shards import collect
from hlf.device import one_thread
from hlf.files import write_table
from hlf.metric.behaviour import draw_pairs, measure, untouched
from hlf.metric.model import read_metric


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    settings, planted = job.settings, job.settings["metric.planted"]
    counts = (planted["edits"], planted["scenes"], planted["maps"])
    pairs = draw_pairs(settings["seed"], *counts, settings["images.crop"], tuple(settings["images.objects"]))
    zoo, options = settings["zoo"], settings["options"]
    published = (untouched(load_backbone(name, zoo, job.zoo, **some)) for name, some in options.items())
    tuned = (read_metric(Path(config).parent) for config in job.input["configs"])
    tables = [measure(pairs, metric, settings["run"], job.device) for metric in chain(published, tuned)]
    write_table(collect(tables, "behaviour"), job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
