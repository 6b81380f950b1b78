"""Figures that people read: Figures 4 and 5, sampling, metric, pictures.

Inputs: the tables of all stages, and pictures. Outputs: figures/*.{pdf,png}, stamped as the tables are.
"""


localrules:
    figure4,
    figure5,
    similarity,
    metric_scatter,
    learning_curves,
    examples,
    worst_pairs,
    significance,
    iqa_scatter,


rule figure4:
    """Figure 4: histogram of the scores by SR model."""
    input:
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        pdf="<results>/figures/figure4.pdf",
        png=report(
            "<results>/figures/figure4.png",
            caption="captions/figure4.rst",
            category="Figures",
        ),
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
            **table_facts("images", "degradation", "sr", "sampling", "study"),
        ),
    message:
        "Figure 4"
    script:
        "../workflow_scripts/figure4.py"


rule figure5:
    """Figure 5: scheme of the metric."""
    input:
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        pdf="<results>/figures/figure5.pdf",
        png=report(
            "<results>/figures/figure5.png",
            caption="captions/figure5.rst",
            category="Figures",
        ),
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
            **table_facts("images", "degradation", "sr", "sampling", "study"),
        ),
    message:
        "Figure 5"
    script:
        "../workflow_scripts/figure5.py"


rule similarity:
    """Similarity before and after sampling."""
    input:
        similarity="<results>/sampling/similarity.parquet",
        pairs="<results>/sampling/pairs.csv",
        strata="<results>/sampling/strata.csv",
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        pdf="<results>/figures/similarity.pdf",
        png=report(
            "<results>/figures/similarity.png",
            caption="captions/similarity.rst",
            category="Figures",
        ),
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
            **table_facts("images", "degradation", "sr", "sampling", "study"),
        ),
    message:
        "Figure of similarities"
    script:
        "../workflow_scripts/similarity.py"


rule metric_scatter:
    """HLF against the score of each test pair."""
    input:
        metric="<results>/metric/scores.parquet",
        scores="<results>/study/scores.csv",
        split="<results>/study/split.csv",
        sr="<results>/sr/sr.parquet",
    output:
        pdf="<results>/figures/metric_scatter.pdf",
        png=report(
            "<results>/figures/metric_scatter.png",
            caption="captions/metric_scatter.rst",
            category="Figures",
        ),
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
            **table_facts(
                "images", "degradation", "sr", "sampling", "study", "metric"
            ),
        ),
    message:
        "Figure of HLF against score"
    script:
        "../workflow_scripts/metric_scatter.py"


rule learning_curves:
    """Losses of the fine-tunings by epoch."""
    input:
        histories=collect(
            "<results>/metric/{backbone}/history.csv",
            backbone=config["metric"]["finetune"],
        ),
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        pdf="<results>/figures/learning_curves.pdf",
        png=report(
            "<results>/figures/learning_curves.png",
            caption="captions/learning_curves.rst",
            category="Figures",
        ),
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
            **table_facts(
                "images", "degradation", "sr", "sampling", "study", "metric"
            ),
        ),
    message:
        "Figure of learning curves"
    script:
        "../workflow_scripts/learning_curves.py"


rule examples:
    """LR, bicubic, each SR model and GT side by side, by rule."""
    input:
        manifest="<results>/images/manifest.parquet",
        lr="<results>/degradation/lr.parquet",
        sr="<results>/sr/sr.parquet",
        scores="<results>/study/scores.csv",
    output:
        pdf="<results>/figures/examples.pdf",
        png=report(
            "<results>/figures/examples.png",
            caption="captions/examples.rst",
            category="Figures",
        ),
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
            **table_facts("images", "degradation", "sr", "sampling", "study"),
        ),
    message:
        "Figure of examples"
    script:
        "../workflow_scripts/examples.py"


rule worst_pairs:
    """The pairs that most viewers call changed, side by side."""
    input:
        metric="<results>/metric/scores.parquet",
        pairs="<results>/sampling/pairs.csv",
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        pdf="<results>/figures/worst_pairs.pdf",
        png=report(
            "<results>/figures/worst_pairs.png",
            caption="captions/worst_pairs.rst",
            category="Figures",
        ),
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
            **table_facts(
                "images", "degradation", "sr", "sampling", "study", "metric"
            ),
        ),
    message:
        "Figure of the worst pairs"
    script:
        "../workflow_scripts/worst_pairs.py"


rule significance:
    """Which rows of Table 2 differ."""
    input:
        comparisons="<results>/tables/comparisons.csv",
        iqa="<results>/iqa/iqa.parquet",
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        pdf="<results>/figures/significance.pdf",
        png=report(
            "<results>/figures/significance.png",
            caption="captions/significance.rst",
            category="Figures",
        ),
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
            **table_facts(
                "images", "degradation", "sr", "sampling", "study", "iqa", "metric"
            ),
        ),
    message:
        "Figure of differences between the rows of Table 2"
    script:
        "../workflow_scripts/significance.py"


rule iqa_scatter:
    """Score against each measure of Table 2."""
    input:
        iqa="<results>/iqa/iqa.parquet",
        scores="<results>/study/scores.csv",
        split="<results>/study/split.csv",
        sr="<results>/sr/sr.parquet",
    output:
        pdf="<results>/figures/iqa_scatter.pdf",
        png=report(
            "<results>/figures/iqa_scatter.png",
            caption="captions/iqa_scatter.rst",
            category="Figures",
        ),
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
            **table_facts("images", "degradation", "sr", "sampling", "study", "iqa"),
        ),
    message:
        "Figure of scores against measures"
    script:
        "../workflow_scripts/iqa_scatter.py"
