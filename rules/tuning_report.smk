"""Paper 5 and 1 for people: Table 4, Figures 1, 6 and 7, the losses of the fine-tuning.

Inputs: tuning/evaluation.parquet, tuning/sr.parquet, tuning/<variant>/history.csv, and the tables of Figure 1. Outputs:
tables/table4.*, tables/table4_changes.*, figures/{figure1,figure6,figure7,tuning_curves}.*, stamped as the others are.
"""


localrules:
    table4,
    figure1,
    figure6,
    figure7,
    tuning_curves,


rule table4:
    """Table 4: SeeSR before and after, and what changed, paired."""
    input:
        evaluation="<results>/tuning/evaluation.parquet",
        scores="<results>/study/scores.csv",
    output:
        **printed("table4"),
        changes=report(
            "<results>/tables/table4_changes.csv",
            caption="captions/table4_changes.rst",
            category="Tables",
        ),
        changes_md="<results>/tables/table4_changes.md",
        changes_tex="<results>/tables/table4_changes.tex",
    log:
        "<logs>/table4.log",
    benchmark:
        "<benchmarks>/table4.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "table4",
            "iqa.bootstrap",
            **table_facts(*TUNING_GROUPS),
        ),
    message:
        "Table 4"
    script:
        "../workflow_scripts/table4.py"


rule figure1:
    """Figure 1: quality against fidelity, and an example of each quadrant."""
    input:
        iqa="<results>/iqa/iqa.parquet",
        scores="<results>/study/scores.csv",
        pairs="<results>/sampling/pairs.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **drawn("figure1"),
    log:
        "<logs>/figure1.log",
    benchmark:
        "<benchmarks>/figure1.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "figure1",
            "paper.quality_measure",
            "paper.dpi",
            **table_facts(*STUDY_GROUPS, "iqa"),
        ),
    message:
        "Figure 1"
    script:
        "../workflow_scripts/figure1.py"


rule figure6:
    """Figure 6: what the fine-tuning mended most."""
    input:
        evaluation="<results>/tuning/evaluation.parquet",
        images="<results>/tuning/sr.parquet",
        scores="<results>/study/scores.csv",
    output:
        **drawn("figure6"),
    log:
        "<logs>/figure6.log",
    benchmark:
        "<benchmarks>/figure6.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "figure6",
            "paper.tuned_rows",
            "paper.dpi",
            **table_facts(*TUNING_GROUPS),
        ),
    message:
        "Figure 6"
    script:
        "../workflow_scripts/figure6.py"


rule figure7:
    """Figure 7: where the fine-tuned model still fails."""
    input:
        evaluation="<results>/tuning/evaluation.parquet",
        images="<results>/tuning/sr.parquet",
        scores="<results>/study/scores.csv",
    output:
        **drawn("figure7"),
    log:
        "<logs>/figure7.log",
    benchmark:
        "<benchmarks>/figure7.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "figure7",
            "paper.tuned_rows",
            "paper.dpi",
            **table_facts(*TUNING_GROUPS),
        ),
    message:
        "Figure 7"
    script:
        "../workflow_scripts/figure7.py"


rule tuning_curves:
    """Both losses of every fine-tuning by step."""
    input:
        histories=collect(
            "<results>/tuning/{variant}/history.csv", variant=tuned_variants()
        ),
        scores="<results>/study/scores.csv",
    output:
        **drawn("tuning_curves"),
    log:
        "<logs>/tuning_curves.log",
    benchmark:
        "<benchmarks>/tuning_curves.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "tuning_curves",
            "paper.dpi",
            **table_facts(*TUNING_GROUPS),
        ),
    message:
        "Losses of the fine-tuning"
    script:
        "../workflow_scripts/tuning_curves.py"
