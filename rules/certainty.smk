"""How sure Table 3 is (our choice, the paper has one split): folds, an SR model never seen, calibration, the ceiling.

Inputs: as rules/metric.smk. Outputs: metric/<backbone>/{folds,left_out}.parquet, tables and figures on them.
"""


localrules:
    leave_one_out,
    calibration,
    reliability,
    ranking,


rule crossvalidate_metric:
    """Fine-tune one backbone for each fold and seed, and score the fold left out."""
    input:
        pairs="<results>/sampling/pairs.csv",
        split="<results>/study/split.csv",
        zero_shot="<results>/metric/{backbone}/zero_shot.parquet",
    output:
        table="<results>/metric/{backbone}/folds.parquet",
    log:
        "<logs>/crossvalidate_metric/{backbone}.log",
    benchmark:
        "<benchmarks>/crossvalidate_metric/{backbone}.tsv"
    priority: 40
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("crossvalidate_metric", "backbone"),
        runtime=minutes("crossvalidate_metric", "backbone"),
        gpu=fold_gpus,
    params:
        key=crossvalidate_key,
    message:
        "Folds of {wildcards.backbone}"
    script:
        "../workflow_scripts/crossvalidate_metric.py"


rule leave_models_out:
    """Fine-tune one backbone without each SR model, and score the one left out."""
    input:
        pairs="<results>/sampling/pairs.csv",
        split="<results>/study/split.csv",
        zero_shot="<results>/metric/{backbone}/zero_shot.parquet",
    output:
        table="<results>/metric/{backbone}/left_out.parquet",
    log:
        "<logs>/leave_models_out/{backbone}.log",
    benchmark:
        "<benchmarks>/leave_models_out/{backbone}.tsv"
    priority: 40
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("leave_models_out", "backbone"),
        runtime=minutes("leave_models_out", "backbone"),
        gpu=gpus(),
    params:
        key=leave_out_key,
    message:
        "Leaving SR models out of {wildcards.backbone}"
    script:
        "../workflow_scripts/leave_models_out.py"


rule leave_one_out:
    """Does the metric hold for an SR model that it never saw?"""
    input:
        left_out=collect(
            "<results>/metric/{backbone}/left_out.parquet",
            backbone=config["metric"]["leave_one_out"],
        ),
        metric="<results>/metric/scores.parquet",
        scores="<results>/study/scores.csv",
        split="<results>/study/split.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **printed("leave_one_out"),
    log:
        "<logs>/leave_one_out.log",
    benchmark:
        "<benchmarks>/leave_one_out.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "leave_one_out",
            "iqa.bootstrap",
            **table_facts(*METRIC_GROUPS),
        ),
    message:
        "Table of SR models left out"
    script:
        "../workflow_scripts/leave_one_out.py"


rule calibration:
    """Predicted against observed share of viewers, before and after calibration."""
    input:
        metric="<results>/metric/scores.parquet",
        configs=tuned("config.json"),
        scores="<results>/study/scores.csv",
        split="<results>/study/split.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **printed("calibration"),
    log:
        "<logs>/calibration.log",
    benchmark:
        "<benchmarks>/calibration.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "calibration",
            "iqa.bootstrap",
            **table_facts(*METRIC_GROUPS),
        ),
    message:
        "Table of calibration"
    script:
        "../workflow_scripts/calibration.py"


rule reliability:
    """Predicted against observed share of viewers, in bins."""
    input:
        metric="<results>/metric/scores.parquet",
        configs=tuned("config.json"),
        scores="<results>/study/scores.csv",
        split="<results>/study/split.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **drawn("reliability"),
    log:
        "<logs>/reliability.log",
    benchmark:
        "<benchmarks>/reliability.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "reliability",
            "iqa.bootstrap",
            "paper.dpi",
            **table_facts(*METRIC_GROUPS),
        ),
    message:
        "Reliability diagram"
    script:
        "../workflow_scripts/reliability.py"


rule ranking:
    """All rows of Tables 2 and 3 with intervals, and the human ceiling."""
    input:
        table2="<results>/tables/table2.csv",
        table3="<results>/tables/table3.csv",
        ceiling="<results>/tables/ceiling.csv",
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **drawn("ranking"),
    log:
        "<logs>/ranking.log",
    benchmark:
        "<benchmarks>/ranking.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "ranking",
            "paper.dpi",
            **table_facts(*METRIC_GROUPS, "iqa"),
        ),
    message:
        "Figure of all rows and the human ceiling"
    script:
        "../workflow_scripts/ranking.py"
