"""SR images of one variant of SeeSR and one shard of the evaluation images, with the noise of every other variant."""

from pathlib import Path

import hlf_job
from hlf.data.shards import of_role, part_of
from hlf.device import one_thread
from hlf.files import read_table, write_table
from hlf.sr.registry import load_upscaler
from hlf.sr.run import refuse_failures, upscale_images
from hlf.tuning.evaluate import evaluation_images


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    variant, given = job.wildcards["variant"], job.settings
    manifest, lr = read_table(job.input["manifest"]), read_table(job.input["lr"])
    options = {k: v for k, v in given.get("sr.seesr", {}).items() if k != "weights"}  # the baseline is the zoo's
    if job.input["weights"]:
        options["weights"] = str(Path(job.input["weights"][0]).parents[1])
    upscaler = load_upscaler("seesr", given["zoo"], job.zoo, job.device, given["sr.precision"], options)
    part = part_of(of_role(lr, manifest, "evaluation"), job.wildcards["shard"], given["tuning.shards"])
    folder, how = f"tuning/sr/{variant}", (given["seed"], given["run"], job.key, given["sr.batch_size"])
    table, _, failures = upscale_images(part, job.results, upscaler, *how, folder=folder)
    refuse_failures(failures, job.results / folder / f"failures-{job.wildcards['shard']}.csv")
    write_table(evaluation_images(table, lr, manifest, variant), job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
