"""SR images of one model and one shard (paper 3.1); a failed image fails the job, after all others are made."""

import hlf_job
from hlf.data.shards import of_role, part_of
from hlf.device import one_thread
from hlf.files import read_table, write_table
from hlf.sr.registry import load_upscaler
from hlf.sr.run import refuse_failures, upscale_images


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    model, given = job.wildcards["model"], job.settings
    lr = of_role(read_table(job.input["lr"]), read_table(job.input["manifest"]), "dataset")
    lr = part_of(lr, job.wildcards["shard"], given["sr.shards"])
    options = given.get(f"sr.{model}", {})
    upscaler = load_upscaler(model, given["zoo"], job.zoo, job.device, given["sr.precision"], options)
    how = (given["sr.batch_size"], given["sr.tile"], given["sr.tile_overlap"])
    table, timing, failures = upscale_images(lr, job.results, upscaler, given["seed"], given["run"], job.key, *how)
    refuse_failures(failures, job.results / "sr" / model / f"failures-{job.wildcards['shard']}.csv")
    write_table(timing, job.output["timing"])
    write_table(table, job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
