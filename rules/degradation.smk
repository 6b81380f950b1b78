"""Paper 3.1: LR images, the BSRGAN degradation at several levels.

Inputs: images/manifest.parquet. Outputs: degradation/lr.parquet, one row per LR image with the plan that made it;
images at degradation/<level>/<image_id>.png.
"""


localrules:
    collect_degradation,


rule degradation:
    """Every LR image."""
    input:
        "<results>/degradation/lr.parquet",


rule degrade:
    """LR images of one shard at all levels; each GT is decoded once."""
    input:
        manifest="<results>/images/manifest.parquet",
    output:
        table=joined("<results>/degradation/shards/{shard}.parquet"),
        timing="<results>/timing/degradation/{shard}.parquet",
    log:
        "<logs>/degrade/{shard}.log",
    benchmark:
        "<benchmarks>/degrade/{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("degrade"),
        runtime=minutes("degrade"),
        gpu=0,
    params:
        key=key(
            "degrade",
            "degradation.variant",
            "degradation.levels",
            "degradation.shards",
        ),
    message:
        "Degrading shard {wildcards.shard}"
    script:
        "../workflow_scripts/degrade.py"


rule collect_degradation:
    """One table of all LR images."""
    input:
        tables=collect(
            "<results>/degradation/shards/{shard}.parquet", shard=shards("degradation")
        ),
    output:
        table="<results>/degradation/lr.parquet",
    log:
        "<logs>/collect_degradation.log",
    benchmark:
        "<benchmarks>/collect_degradation.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key("collect_shards", table="lr"),
    message:
        "Collecting LR tables"
    script:
        "../workflow_scripts/collect_shards.py"
