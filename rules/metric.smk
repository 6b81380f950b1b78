"""Paper 4.2: foundation backbones as the HLF metric, untouched and fine-tuned on the scores, for Table 3.

Inputs: sampling/pairs.csv, study/split.csv. Outputs: metric/<backbone>/ (a model folder: config.json,
model.safetensors, README.md), metric/<backbone>/history.csv, metric/scores.parquet.
"""


localrules:
    collect_metric,


rule score_zero_shot:
    """Scores of one backbone as published."""
    input:
        pairs="<results>/sampling/pairs.csv",
        split="<results>/study/split.csv",
    output:
        table="<results>/metric/{backbone}/zero_shot.parquet",
    log:
        "<logs>/score_zero_shot/{backbone}.log",
    benchmark:
        "<benchmarks>/score_zero_shot/{backbone}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("score_zero_shot", "backbone"),
        runtime=minutes("score_zero_shot", "backbone"),
        gpu=gpus(),
    params:
        key=zero_shot_key,
    message:
        "Scoring with {wildcards.backbone}, zero-shot"
    script:
        "../workflow_scripts/score_zero_shot.py"


rule finetune_metric:
    """Fine-tune one backbone on the training part."""
    input:
        pairs="<results>/sampling/pairs.csv",
        split="<results>/study/split.csv",
        scores="<results>/study/scores.csv",
    output:
        config="<results>/metric/{backbone}/config.json",
        weights="<results>/metric/{backbone}/model.safetensors",
        card="<results>/metric/{backbone}/README.md",
        history="<results>/metric/{backbone}/history.csv",
    log:
        "<logs>/finetune_metric/{backbone}.log",
    benchmark:
        "<benchmarks>/finetune_metric/{backbone}.tsv"
    # the longest jobs of the default chain: begun first, they do not end it alone
    priority: 50
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("finetune_metric", "backbone"),
        runtime=minutes("finetune_metric", "backbone"),
        gpu=gpus(),
    params:
        key=finetune_key,
    message:
        "Fine-tuning {wildcards.backbone}"
    script:
        "../workflow_scripts/finetune_metric.py"


rule score_tuned:
    """Scores of one fine-tuned backbone."""
    input:
        pairs="<results>/sampling/pairs.csv",
        split="<results>/study/split.csv",
        weights="<results>/metric/{backbone}/model.safetensors",
        config="<results>/metric/{backbone}/config.json",
    output:
        table="<results>/metric/{backbone}/tuned.parquet",
    log:
        "<logs>/score_tuned/{backbone}.log",
    benchmark:
        "<benchmarks>/score_tuned/{backbone}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("score_tuned", "backbone"),
        runtime=minutes("score_tuned", "backbone"),
        gpu=gpus(),
    params:
        key=tuned_key,
    message:
        "Scoring with {wildcards.backbone}, fine-tuned"
    script:
        "../workflow_scripts/score_tuned.py"


rule collect_metric:
    """One table of all scores of all backbones."""
    input:
        tables=collect(
            "<results>/metric/{backbone}/zero_shot.parquet",
            backbone=config["metric"]["backbones"],
        )
        + collect(
            "<results>/metric/{backbone}/tuned.parquet",
            backbone=config["metric"]["finetune"],
        ),
    output:
        table="<results>/metric/scores.parquet",
    log:
        "<logs>/collect_metric.log",
    benchmark:
        "<benchmarks>/collect_metric.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key("collect_shards", table="metric_scores"),
    message:
        "Collecting HLF scores"
    script:
        "../workflow_scripts/collect_shards.py"
