"""Paper 4.1: image quality measures on the chosen pairs, for Table 2.

Inputs: sampling/pairs.csv. Outputs: iqa/iqa.parquet, one row per pair and measure. A job decodes each image once for
all measures and keeps finished ones, so a measure added later computes only itself.
"""


localrules:
    collect_iqa,


rule measure_iqa:
    """All measures on one shard of the pairs."""
    input:
        pairs="<results>/sampling/pairs.csv",
    output:
        table=joined("<results>/iqa/shards/{shard}.parquet"),
        timing="<results>/timing/iqa/{shard}.parquet",
    log:
        "<logs>/measure_iqa/{shard}.log",
    benchmark:
        "<benchmarks>/measure_iqa/{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("measure_iqa"),
        runtime=minutes("measure_iqa"),
        gpu=0,
    params:
        key=iqa_key,
    message:
        "Measuring shard {wildcards.shard}"
    script:
        "../workflow_scripts/measure_iqa.py"


rule collect_iqa:
    """One table of all measurements."""
    input:
        tables=collect("<results>/iqa/shards/{shard}.parquet", shard=shards("iqa")),
    output:
        table="<results>/iqa/iqa.parquet",
    log:
        "<logs>/collect_iqa.log",
    benchmark:
        "<benchmarks>/collect_iqa.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key("collect_shards", table="iqa"),
    message:
        "Collecting measurements"
    script:
        "../workflow_scripts/collect_shards.py"
