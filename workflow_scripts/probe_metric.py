"""Pairs with a known answer, scored by each backbone as published and fine-tuned."""

from pathlib import Path

import hlf_job
from hlf.backbones.registry import load_backbone
from hlf.data.shards import collect
from hlf.files import write_table
from hlf.metric.behaviour import draw_pairs, measure_both
from hlf.threads import one_thread


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    settings, planted = job.settings, job.settings["metric.planted"]
    counts = (planted["edits"], planted["scenes"], planted["maps"])
    pairs = draw_pairs(settings["seed"], *counts, settings["images.crop"], tuple(settings["images.objects"]))
    tables = []
    for name, config in zip(settings["metric.backbones"], job.input["configs"], strict=True):
        untouched = load_backbone(name, settings["zoo"], job.zoo, settings["metric.resize_mode"])
        tables.append(measure_both(pairs, untouched, Path(config).parent, settings["run"], job.device))
    write_table(collect(tables, "behaviour"), job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
