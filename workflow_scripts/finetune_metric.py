"""One backbone fine-tuned on the training part of the scores (paper 4.2)."""

from pathlib import Path

import hlf_job
from hlf.backbones.registry import load_backbone
from hlf.device import one_thread
from hlf.files import read_table, write_table
from hlf.metric.train import tune_and_save
from hlf.paper.gather import facts_of


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    name, stamp = job.wildcards["backbone"], facts_of(job.settings, read_table(job.input["scores"])).stamp()
    backbone = load_backbone(name, job.settings["zoo"], job.zoo, **job.settings["options"])
    pairs, split = read_table(job.input["pairs"]), read_table(job.input["split"])
    how = (job.group("metric"), job.results / "metric" / ".work" / name / job.key, job.settings["seed"])
    folder, events = Path(job.output["config"]).parent, job.results / "logs" / "tensorboard" / name
    history = tune_and_save(backbone.to(job.device), pairs, split, job.results, *how, folder, stamp, events)
    write_table(history, job.output["history"])


hlf_job.run(main, globals().get("snakemake"))
