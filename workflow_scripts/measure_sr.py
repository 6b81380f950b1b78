"""Sharpness, PSNR and readable content of each SR model's first images (paper 3.1)."""

import hlf_job
from hlf.device import one_thread
from hlf.files import read_table, write_table
from hlf.sr.measures import measure_models
from hlf.study.simulated.content import load_reader


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    manifest, content, sr, baselines = (read_table(job.input[n]) for n in ("manifest", "content", "sr", "baselines"))
    reader = None if content.empty else load_reader(job.mini)
    count = job.settings["paper.overview_images"]
    table = measure_models(manifest, content, sr, baselines, job.results, count, job.settings["run"], reader)
    write_table(table, job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
