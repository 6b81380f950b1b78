"""HLF of every pair by one backbone as published (paper 4.2)."""

import hlf_job
from hlf.backbones.registry import load_backbone
from hlf.device import one_thread
from hlf.files import read_table, write_table
from hlf.metric.score import score_pairs


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    backbone = load_backbone(job.wildcards["backbone"], job.settings["zoo"], job.zoo, **job.settings["options"])
    pairs, split = read_table(job.input["pairs"]), read_table(job.input["split"])
    digest, batch = backbone.description.weights_sha256, job.settings["metric.eval_batch_size"]
    table = score_pairs(pairs, split, job.results, job.settings["run"], backbone, False, digest, batch, job.device)
    write_table(table, job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
