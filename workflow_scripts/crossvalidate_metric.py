"""One backbone fine-tuned again for every fold and seed, each scored on the fold that it did not see."""

import hlf_job
from hlf.device import one_thread
from hlf.files import read_table, write_table
from hlf.metric.certainty import crossvalidate
from metric_job import recipe


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    metric = job.group("metric")
    split, zero_shot = (read_table(job.input[table]) for table in ("split", "zero_shot"))
    seeds = metric["seeds"] if job.settings["tuned"] else 0
    write_table(crossvalidate(recipe(job, "folds"), split, zero_shot, metric["folds"], seeds), job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
