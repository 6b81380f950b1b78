"""What people read: Tables 2 and 3, Figures 4 and 5, further figures, the report.

Inputs: the tables of all stages. Outputs: tables/*.{csv,md,tex}, figures/*.{pdf,png}, report.html. Every output carries
run, scale, source of votes, number of pairs, seed and hashes; MINI and SIMULATED are stamped.
"""


rule sr_models:
    """What each SR model does: sharpness against content, with baselines; needs no votes."""
    input:
        measures="<results>/sr/measures.parquet",
        sr="<results>/sr/sr.parquet",
        baselines="<results>/sr/baselines.parquet",
    output:
        csv=report(
            "<results>/tables/sr_models.csv",
            caption="captions/sr_models.rst",
            category="Tables",
        ),
        md="<results>/tables/sr_models.md",
        tex="<results>/tables/sr_models.tex",
    log:
        "<logs>/sr_models.log",
    benchmark:
        "<benchmarks>/sr_models.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "sr_models",
            **table_facts(
                "images", "degradation", "sr", "sr.baselines", "paper.overview_images"
            ),
        ),
    message:
        "Table of SR models"
    script:
        "../workflow_scripts/sr_models.py"


rule table2:
    """Table 2: existing measures against the scores, test part."""
    input:
        iqa="<results>/iqa/iqa.parquet",
        scores="<results>/study/scores.csv",
        split="<results>/study/split.csv",
        sr="<results>/sr/sr.parquet",
    output:
        csv=report(
            "<results>/tables/table2.csv",
            caption="captions/table2.rst",
            category="Tables",
        ),
        md="<results>/tables/table2.md",
        tex="<results>/tables/table2.tex",
    log:
        "<logs>/table2.log",
    benchmark:
        "<benchmarks>/table2.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "table2",
            "iqa.bootstrap",
            **table_facts("images", "degradation", "sr", "sampling", "study", "iqa"),
        ),
    message:
        "Table 2"
    script:
        "../workflow_scripts/table2.py"


rule table3:
    """Table 3: backbones against the scores, test part."""
    input:
        metric="<results>/metric/scores.parquet",
        scores="<results>/study/scores.csv",
        split="<results>/study/split.csv",
        sr="<results>/sr/sr.parquet",
    output:
        csv=report(
            "<results>/tables/table3.csv",
            caption="captions/table3.rst",
            category="Tables",
        ),
        md="<results>/tables/table3.md",
        tex="<results>/tables/table3.tex",
    log:
        "<logs>/table3.log",
    benchmark:
        "<benchmarks>/table3.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "table3",
            "iqa.bootstrap",
            **table_facts(
                "images", "degradation", "sr", "sampling", "study", "metric"
            ),
        ),
    message:
        "Table 3"
    script:
        "../workflow_scripts/table3.py"


rule strata:
    """What each stratum of the sampling wanted, had and gave."""
    input:
        strata="<results>/sampling/strata.csv",
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        csv=report(
            "<results>/tables/strata.csv",
            caption="captions/strata.rst",
            category="Tables",
        ),
        md="<results>/tables/strata.md",
        tex="<results>/tables/strata.tex",
    log:
        "<logs>/strata.log",
    benchmark:
        "<benchmarks>/strata.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "strata", **table_facts("images", "degradation", "sr", "sampling", "study")
        ),
    message:
        "Table of strata"
    script:
        "../workflow_scripts/strata.py"


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
            backbone=config["metric"]["backbones"],
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
            "metric.backbones",
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
            "metric.backbones",
            **table_facts(
                "images", "degradation", "sr", "sampling", "study", "metric"
            ),
        ),
    message:
        "Figure of the worst pairs"
    script:
        "../workflow_scripts/worst_pairs.py"


rule write_report:
    """One page that shows and explains everything, and opens offline."""
    input:
        manifest="<results>/images/manifest.parquet",
        rejected="<results>/images/rejected.csv",
        lr="<results>/degradation/lr.parquet",
        sr="<results>/sr/sr.parquet",
        strata="<results>/sampling/strata.csv",
        pairs="<results>/sampling/pairs.csv",
        votes="<results>/study/votes.parquet",
        scores="<results>/study/scores.csv",
        iqa="<results>/iqa/iqa.parquet",
        metric="<results>/metric/scores.parquet",
        tables=collect("<results>/tables/{table}.csv", table=TABLES),
        figures=collect("<results>/figures/{figure}.png", figure=FIGURES),
    output:
        html=report(
            "<results>/report.html", caption="captions/report.rst", category="Report"
        ),
    log:
        "<logs>/write_report.log",
    benchmark:
        "<benchmarks>/write_report.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "write_report",
            "paper.worst_pairs",
            "metric.backbones",
            config=shown_config(),
            **table_facts(
                "images", "degradation", "sr", "sampling", "study", "iqa", "metric"
            ),
        ),
    message:
        "Writing the report"
    script:
        "../workflow_scripts/write_report.py"
