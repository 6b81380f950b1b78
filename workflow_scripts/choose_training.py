"""Which images SeeSR is fine-tuned on, none of the run's own (paper 5)."""

import pandas as pd

import hlf_job
from hlf.files import read_table, write_table
from hlf.tuning.evaluate import refuse_overlap
from hlf.tuning.pictures import choose


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    manifest = read_table(job.input["manifest"])
    chosen = choose(job.group("tuning"), job.settings["seed"], list(manifest["image_id"]))
    table = pd.DataFrame(chosen, columns=["image_id", "file"])
    refuse_overlap(manifest, table)
    write_table(table, job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
