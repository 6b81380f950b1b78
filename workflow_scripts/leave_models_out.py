"""One backbone fine-tuned again without each SR model, and scored on the pairs of the one that it did not see."""

import hlf_job
from hlf.device import one_thread
from hlf.files import read_table, write_table
from hlf.metric.certainty import leave_models_out
from metric_job import recipe


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    split, zero_shot = (read_table(job.input[table]) for table in ("split", "zero_shot"))
    write_table(leave_models_out(recipe(job, "left-out"), split, zero_shot), job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
