"""One backbone fine-tuned on the training part of the scores (paper 4.2)."""

from pathlib import Path

import hlf_job
from hlf.backbones.registry import load_backbone
from hlf.files import read_table, write_table
from hlf.metric.train import tune_and_save
from hlf.paper.gather import facts_of
from hlf.threads import one_thread


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    metric, name = job.group("metric"), job.wildcards["backbone"]
    backbone = load_backbone(name, job.settings["zoo"], job.zoo, **job.settings["options"])
    pairs, split, scores = (read_table(job.input[table]) for table in ("pairs", "split", "scores"))
    history = tune_and_save(
        backbone.to(job.device),
        pairs,
        split,
        job.results,
        metric,
        job.results / "metric" / ".work" / name / job.key,
        job.settings["seed"],
        Path(job.output["config"]).parent,
        facts_of(job.settings, scores).stamp(),
        job.results / "logs" / "tensorboard" / name,
    )
    write_table(history, job.output["history"])


hlf_job.run(main, globals().get("snakemake"))
