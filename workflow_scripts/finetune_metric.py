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
    metric = {k.removeprefix("metric."): v for k, v in job.settings.items() if k.startswith("metric.")}
    backbone = load_backbone(job.wildcards["backbone"], job.settings["zoo"], job.zoo, **job.settings["options"])
    work = job.results / "metric" / ".work" / job.wildcards["backbone"] / job.key
    pairs, split, scores = (read_table(job.input[name]) for name in ("pairs", "split", "scores"))
    history = tune_and_save(
        backbone.to(job.device),
        pairs,
        split,
        job.results,
        metric,
        work,
        job.settings["seed"],
        Path(job.output["config"]).parent,
        facts_of(job.settings, scores).stamp(),
    )
    write_table(history, job.output["history"])


hlf_job.run(main, globals().get("snakemake"))
