"""Ground-truth images of the run (paper 3.1): images/gt/, manifest, content, rejected files."""

import hlf_job
from hlf.data.prepare import prepare_images
from hlf.files import write_table


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    prepared = prepare_images(job.settings["images"], job.results, job.settings["run"], job.settings["seed"], job.key)
    manifest, content, rejected = prepared.tables()
    write_table(content, job.output["content"])
    write_table(rejected, job.output["rejected"])
    write_table(manifest, job.output["manifest"])


hlf_job.run(main, globals().get("snakemake"))
