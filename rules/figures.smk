"""Figures on images, pairs and their scores (paper 3).

Inputs: tables of the images, the SR models, the sampling and the study, and pictures. Outputs: figures/*.{pdf,png},
stamped as the tables are.
"""


localrules:
    examples,
    similarity,
    figure4,
    worst_pairs,


rule examples:
    """LR, bicubic, each SR model and GT side by side, by rule."""
    input:
        manifest="<results>/images/manifest.parquet",
        lr="<results>/degradation/lr.parquet",
        sr="<results>/sr/sr.parquet",
        scores="<results>/study/scores.csv",
    output:
        **drawn("examples"),
    log:
        "<logs>/examples.log",
    benchmark:
        "<benchmarks>/examples.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "examples",
            "paper.dpi",
            **table_facts(*STUDY_GROUPS),
        ),
    message:
        "Figure of examples"
    script:
        "../workflow_scripts/examples.py"


rule similarity:
    """Similarity before and after sampling."""
    input:
        similarity="<results>/sampling/similarity.parquet",
        pairs="<results>/sampling/pairs.csv",
        strata="<results>/sampling/strata.csv",
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **drawn("similarity"),
    log:
        "<logs>/similarity.log",
    benchmark:
        "<benchmarks>/similarity.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "similarity",
            "paper.dpi",
            **table_facts(*STUDY_GROUPS),
        ),
    message:
        "Figure of similarities"
    script:
        "../workflow_scripts/similarity.py"


rule figure4:
    """Figure 4: histogram of the scores by SR model."""
    input:
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **drawn("figure4"),
    log:
        "<logs>/figure4.log",
    benchmark:
        "<benchmarks>/figure4.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "figure4",
            "paper.dpi",
            **table_facts(*STUDY_GROUPS),
        ),
    message:
        "Figure 4"
    script:
        "../workflow_scripts/figure4.py"


rule worst_pairs:
    """The pairs that most viewers call changed, side by side."""
    input:
        metric="<results>/metric/scores.parquet",
        pairs="<results>/sampling/pairs.csv",
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **drawn("worst_pairs"),
    log:
        "<logs>/worst_pairs.log",
    benchmark:
        "<benchmarks>/worst_pairs.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "worst_pairs",
            "paper.dpi",
            "paper.worst_pairs",
            "metric.finetune",
            **table_facts(*METRIC_GROUPS),
        ),
    message:
        "Figure of the worst pairs"
    script:
        "../workflow_scripts/worst_pairs.py"
