"""Every measure of Table 4 on the SR images of one variant of SeeSR (paper 5)."""

from pathlib import Path

import pandas as pd

import hlf_job
from hlf.device import one_thread
from hlf.files import read_table, write_table
from hlf.iqa.registry import Source
from hlf.metric.load import load_metric
from hlf.study.simulated.content import load_reader
from hlf.tuning.evaluate import evaluate


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    images, content = pd.concat(map(read_table, job.input["images"])), read_table(job.input["content"])
    folders = [Path(path).parent for path in job.input["metrics"]]
    metrics = {folder.name: load_metric(folder.name, folder, device=job.device) for folder in folders}
    source = Source(job.settings["zoo"], job.zoo, seed=job.settings["seed"])
    reader = None if content.empty else load_reader(job.mini)
    how = (job.settings["run"], job.settings["metric.eval_batch_size"], job.device)
    work, trained = job.results / "tuning" / ".work" / "measures" / job.key, job.settings["tuning.backbone"]
    images = images.reset_index(drop=True)
    table = evaluate(images, content, job.results, metrics, trained, source, reader, *how, work)
    write_table(table, job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
