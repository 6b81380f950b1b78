"""Paper 3.1: GT-SR similarity by PE-core, and the choice of pairs that spreads evenly over it.

Inputs: images/manifest.parquet, degradation/lr.parquet, sr/sr.parquet. Outputs: sampling/similarity.parquet (all
candidates), sampling/pairs.csv (the chosen ones), sampling/strata.csv (wanted, available, taken).
"""


localrules:
    collect_similarity,
    sample_pairs,


rule sampling:
    """The chosen pairs."""
    input:
        "<results>/sampling/pairs.csv",


rule embed_pairs:
    """Similarity of one shard's candidates; each GT and each SR image is embedded once."""
    input:
        manifest="<results>/images/manifest.parquet",
        lr="<results>/degradation/lr.parquet",
        sr="<results>/sr/sr.parquet",
    output:
        table=joined("<results>/sampling/shards/{shard}.parquet"),
    log:
        "<logs>/embed_pairs/{shard}.log",
    benchmark:
        "<benchmarks>/embed_pairs/{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("embed_pairs"),
        runtime=minutes("embed_pairs"),
        gpu=gpus(),
    params:
        key=similarity_key,
    message:
        "Embedding shard {wildcards.shard}"
    script:
        "../workflow_scripts/embed_pairs.py"


rule collect_similarity:
    """One table of all candidates."""
    input:
        tables=collect(
            "<results>/sampling/shards/{shard}.parquet", shard=shards("sampling")
        ),
    output:
        table="<results>/sampling/similarity.parquet",
    log:
        "<logs>/collect_similarity.log",
    benchmark:
        "<benchmarks>/collect_similarity.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key("collect_shards", table="similarity"),
    message:
        "Collecting similarities"
    script:
        "../workflow_scripts/collect_shards.py"


rule sample_pairs:
    """Choose pairs by similarity bin and SR model."""
    input:
        similarity="<results>/sampling/similarity.parquet",
    output:
        pairs="<results>/sampling/pairs.csv",
        strata="<results>/sampling/strata.csv",
    log:
        "<logs>/sample_pairs.log",
    benchmark:
        "<benchmarks>/sample_pairs.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "sample_pairs",
            "sampling.total",
            "sampling.bins",
            "sampling.max_per_gt",
            "sampling.model_quota",
        ),
    message:
        "Choosing pairs"
    script:
        "../workflow_scripts/sample_pairs.py"
