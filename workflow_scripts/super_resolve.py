"""SR images of one model and one shard (paper 3.1); a failed image fails the job, after all others are made."""

import hlf_job
from hlf.data.shards import of_role, part_of
from hlf.files import read_table, write_table
from hlf.sr.registry import load_upscaler
from hlf.sr.run import refuse_failures, upscale_images
from hlf.threads import one_thread


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    lr = of_role(read_table(job.input["lr"]), read_table(job.input["manifest"]), "dataset")
    lr = part_of(lr, job.wildcards["shard"], job.settings["sr.shards"])
    options = job.settings.get(f"sr.{job.wildcards['model']}", {})
    upscaler = load_upscaler(
        job.wildcards["model"], job.settings["zoo"], job.zoo, job.device, job.settings["sr.precision"], options
    )
    table, timing, failures = upscale_images(
        lr,
        job.results,
        upscaler,
        job.settings["seed"],
        job.settings["run"],
        job.key,
        job.settings["sr.batch_size"],
        job.settings["sr.tile"],
        job.settings["sr.tile_overlap"],
    )
    refuse_failures(failures, job.results / "sr" / job.wildcards["model"] / f"failures-{job.wildcards['shard']}.csv")
    write_table(timing, job.output["timing"])
    write_table(table, job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
