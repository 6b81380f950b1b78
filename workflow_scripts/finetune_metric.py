"""One backbone fine-tuned on the training part of the scores (paper 4.2)."""

from pathlib import Path
from typing import Any

import hlf_job
from hlf.backbones.registry import load_backbone
from hlf.files import read_table, write_table
from hlf.metric.train import tune_and_save
from hlf.paper.gather import facts_of
from hlf.threads import one_thread


def main(
    input: dict[str, Any],
    output: dict[str, Any],
    settings: dict[str, Any],
    wildcards: dict[str, str],
    places: hlf_job.Places,
) -> None:
    """See the module docstring."""
    one_thread()
    metric = {k.removeprefix("metric."): v for k, v in settings.items() if k.startswith("metric.")}
    backbone = load_backbone(wildcards["backbone"], settings["zoo"], places.zoo, metric["resize_mode"])
    work = places.results / "metric" / ".work" / wildcards["backbone"] / places.key
    pairs, split, scores = (read_table(input[name]) for name in ("pairs", "split", "scores"))
    history = tune_and_save(
        backbone.to(places.device),
        pairs,
        split,
        places.results,
        metric,
        work,
        settings["seed"],
        Path(output["config"]).parent,
        facts_of(settings, scores).stamp(),
    )
    write_table(history, output["history"])


hlf_job.run(main, globals().get("snakemake"))
