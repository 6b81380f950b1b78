"""Figures on what agrees with the scores: the measures of Table 2, and the metric (paper 4).

Inputs: tables of the measures, the metric and the study. Outputs: figures/*.{pdf,png}, stamped as the tables are.
"""


localrules:
    iqa_scatter,
    significance,
    figure5,
    metric_scatter,
    learning_curves,


rule iqa_scatter:
    """Score against each measure of Table 2."""
    input:
        iqa="<results>/iqa/iqa.parquet",
        scores="<results>/study/scores.csv",
        split="<results>/study/split.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **drawn("iqa_scatter"),
    log:
        "<logs>/iqa_scatter.log",
    benchmark:
        "<benchmarks>/iqa_scatter.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "iqa_scatter",
            "paper.dpi",
            **table_facts(*STUDY_GROUPS, "iqa"),
        ),
    message:
        "Figure of scores against measures"
    script:
        "../workflow_scripts/iqa_scatter.py"


rule significance:
    """Which rows of Table 2 differ."""
    input:
        comparisons="<results>/tables/comparisons.csv",
        iqa="<results>/iqa/iqa.parquet",
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **drawn("significance"),
    log:
        "<logs>/significance.log",
    benchmark:
        "<benchmarks>/significance.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "significance",
            "paper.dpi",
            **table_facts(*METRIC_GROUPS, "iqa"),
        ),
    message:
        "Figure of differences between the rows of Table 2"
    script:
        "../workflow_scripts/significance.py"


rule figure5:
    """Figure 5: scheme of the metric."""
    input:
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **drawn("figure5"),
    log:
        "<logs>/figure5.log",
    benchmark:
        "<benchmarks>/figure5.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "figure5",
            "paper.dpi",
            **table_facts(*STUDY_GROUPS),
        ),
    message:
        "Figure 5"
    script:
        "../workflow_scripts/figure5.py"


rule metric_scatter:
    """HLF against the score of each test pair."""
    input:
        metric="<results>/metric/scores.parquet",
        scores="<results>/study/scores.csv",
        split="<results>/study/split.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **drawn("metric_scatter"),
    log:
        "<logs>/metric_scatter.log",
    benchmark:
        "<benchmarks>/metric_scatter.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "metric_scatter",
            "paper.dpi",
            **table_facts(*METRIC_GROUPS),
        ),
    message:
        "Figure of HLF against score"
    script:
        "../workflow_scripts/metric_scatter.py"


rule learning_curves:
    """Losses of the fine-tunings by epoch."""
    input:
        histories=tuned("history.csv"),
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **drawn("learning_curves"),
    log:
        "<logs>/learning_curves.log",
    benchmark:
        "<benchmarks>/learning_curves.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "learning_curves",
            "paper.dpi",
            "metric.finetune",
            **table_facts(*METRIC_GROUPS),
        ),
    message:
        "Figure of learning curves"
    script:
        "../workflow_scripts/learning_curves.py"
