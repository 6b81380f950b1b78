"""SeeSR fine-tuned with the HLF loss at one alpha (paper 5, Equation 1)."""

from pathlib import Path

import hlf_job
from hlf.device import one_thread
from hlf.files import read_table
from hlf.paper.gather import facts_of
from hlf.tuning.launch import fine_tune
from hlf.tuning.task import Folders, task_of
from hlf.tuning.variants import alpha_of


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    name, chosen, scores = job.wildcards["variant"], read_table(job.input["chosen"]), read_table(job.input["scores"])
    folders = Folders(
        job.results / "tuning" / ".work" / name / job.key,
        job.results / "logs" / "tensorboard" / name,
        job.results / "tuning" / "samples" / name,
        Path(job.output["history"]).parent,
        job.results / "logs" / "finetune_sr" / name,
    )
    metric, stamp = Path(job.input["metric"]).parent, facts_of(job.settings, scores).stamp()
    settings, alpha = {**job.aside, **job.settings}, alpha_of(name) or 0.0
    fine_tune(task_of(alpha, settings, job.group("tuning"), job.zoo, metric, chosen, job.device, folders, stamp))


hlf_job.run(main, globals().get("snakemake"))
