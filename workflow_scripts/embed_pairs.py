"""GT-SR similarity of one shard's candidates by the sampling backbone (paper 3.1)."""

import hlf_job
from hlf.backbones.registry import load_backbone
from hlf.data.shards import of_role, part_of
from hlf.device import one_thread
from hlf.files import read_table, write_table
from hlf.sampling.similarity import pair_similarity


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    manifest = read_table(job.input["manifest"])
    manifest = part_of(of_role(manifest, manifest, "dataset"), job.wildcards["shard"], job.settings["sampling.shards"])
    backbone = load_backbone(job.settings["backbone"], job.settings["zoo"], job.zoo, **job.settings["options"])
    lr, sr = read_table(job.input["lr"]), read_table(job.input["sr"])
    table = pair_similarity(
        manifest, lr, sr, job.results, job.settings["run"], backbone, job.settings["sampling.batch_size"], job.device
    )
    write_table(table, job.output["table"])


hlf_job.run(main, globals().get("snakemake"))
