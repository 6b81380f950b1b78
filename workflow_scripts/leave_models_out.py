"""One backbone fine-tuned again without each SR model, and scored on the pairs of the one that it did not see."""

from functools import partial

import hlf_job
from hlf.backbones.registry import load_backbone
from hlf.files import read_table, write_table
from hlf.metric.certainty import Recipe, leave_models_out
from hlf.threads import one_thread


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    metric, name = job.group("metric"), job.wildcards["backbone"]
    pairs, split, zero_shot = (read_table(job.input[table]) for table in ("pairs", "split", "zero_shot"))
    recipe = Recipe(
        partial(load_backbone, name, job.settings["zoo"], job.zoo, **job.settings["options"]),
        job.device,
        pairs,
        job.results,
        metric,
        job.results / "metric" / ".work" / name / job.key,
        job.settings["seed"],
        job.results / "logs" / "tensorboard" / f"{name}-left-out",
    )
    write_table(leave_models_out(recipe, split, zero_shot), job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
