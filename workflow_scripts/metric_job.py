"""What the jobs that fine-tune a backbone again and again share: their recipe."""

from functools import partial
from typing import TYPE_CHECKING

from hlf.backbones.registry import load_backbone
from hlf.files import read_table
from hlf.metric.certainty import Recipe

if TYPE_CHECKING:
    from hlf_job import Job


def recipe(job: "Job", what: str) -> Recipe:
    """How the job's backbone is fine-tuned; `what` names its event logs."""
    name = job.wildcards["backbone"]
    return Recipe(
        partial(load_backbone, name, job.settings["zoo"], job.zoo, **job.settings["options"]),
        job.device,
        read_table(job.input["pairs"]),
        job.results,
        job.group("metric"),
        job.results / "metric" / ".work" / name / job.key,
        job.settings["seed"],
        job.results / "logs" / "tensorboard" / f"{name}-{what}",
    )
