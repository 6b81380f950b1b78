"""Tables that people read: what the SR models do, Tables 2 and 3, the strata of the sampling.

Inputs: the tables of all stages. Outputs: tables/*.{csv,md,tex}. Every output carries run, scale, source of votes, number
of pairs, seed and hashes; MINI and SIMULATED are stamped.
"""


localrules:
    sr_models,
    table2,
    table3,
    strata,
    comparisons,
    ceiling,


rule sr_models:
    """What each SR model does: sharpness against content, with baselines; needs no votes."""
    input:
        measures="<results>/sr/measures.parquet",
        sr="<results>/sr/sr.parquet",
        baselines="<results>/sr/baselines.parquet",
    output:
        **printed("sr_models"),
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
        **printed("table2"),
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
            **table_facts(*STUDY_GROUPS, "iqa"),
        ),
    message:
        "Table 2"
    script:
        "../workflow_scripts/table2.py"


rule table3:
    """Table 3: backbones against the scores, test part and folds."""
    input:
        metric="<results>/metric/scores.parquet",
        folds=fold_tables(),
        ceiling="<results>/tables/ceiling.csv",
        scores="<results>/study/scores.csv",
        split="<results>/study/split.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **printed("table3"),
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
            **table_facts(*METRIC_GROUPS),
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
        **printed("strata"),
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
        key=key("strata", **table_facts(*STUDY_GROUPS)),
    message:
        "Table of strata"
    script:
        "../workflow_scripts/strata.py"


rule comparisons:
    """Which rows of Tables 2 and 3 differ from each other."""
    input:
        iqa="<results>/iqa/iqa.parquet",
        metric="<results>/metric/scores.parquet",
        scores="<results>/study/scores.csv",
        split="<results>/study/split.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **printed("comparisons"),
    log:
        "<logs>/comparisons.log",
    benchmark:
        "<benchmarks>/comparisons.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "comparisons",
            "iqa.bootstrap",
            **table_facts(*METRIC_GROUPS, "iqa"),
        ),
    message:
        "Comparing the rows of Tables 2 and 3"
    script:
        "../workflow_scripts/comparisons.py"


rule ceiling:
    """How far people agree with people: what no metric is expected to exceed."""
    input:
        votes="<results>/study/votes.parquet",
        scores="<results>/study/scores.csv",
        split="<results>/study/split.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **printed("ceiling"),
    log:
        "<logs>/ceiling.log",
    benchmark:
        "<benchmarks>/ceiling.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "ceiling",
            "study.ceiling_splits",
            **table_facts(*STUDY_GROUPS),
        ),
    message:
        "Human ceiling"
    script:
        "../workflow_scripts/ceiling.py"
