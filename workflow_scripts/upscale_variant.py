"""SR images of one variant of SeeSR and one shard of the evaluation images, with the noise of every other variant."""

from pathlib import Path

import hlf_job
from hlf.data.shards import of_role, part_of
from hlf.files import read_table, write_table
from hlf.sr.registry import load_upscaler
from hlf.sr.run import refuse_failures, upscale_images
from hlf.threads import one_thread
from hlf.tuning.evaluate import evaluation_images


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    variant, manifest, lr = job.wildcards["variant"], read_table(job.input["manifest"]), read_table(job.input["lr"])
    options = {k: v for k, v in job.settings.get("sr.seesr", {}).items() if k != "weights"}  # the baseline is the zoo's
    if job.input["weights"]:
        options["weights"] = str(Path(job.input["weights"][0]).parents[1])
    upscaler = load_upscaler("seesr", job.settings["zoo"], job.zoo, job.device, job.settings["sr.precision"], options)
    folder = f"tuning/sr/{variant}"
    table, _, failures = upscale_images(
        part_of(of_role(lr, manifest, "evaluation"), job.wildcards["shard"], job.settings["tuning.shards"]),
        job.results,
        upscaler,
        job.settings["seed"],
        job.settings["run"],
        job.key,
        job.settings["sr.batch_size"],
        folder=folder,
    )
    refuse_failures(failures, job.results / folder / f"failures-{job.wildcards['shard']}.csv")
    write_table(evaluation_images(table, lr, manifest, variant), job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
