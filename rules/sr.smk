"""Paper 3.1: the SR models, each on every LR image of the dataset, and baselines, of which no pair is made.

Inputs: degradation/lr.parquet. Outputs: sr/<model>/sr.parquet, for all models sr/sr.parquet, for all baselines
sr/baselines.parquet; images at sr/<model>/<level>/<image_id>.png; sr/measures.parquet, what each model does to them.
"""


localrules:
    collect_model,
    collect_sr,
    collect_baselines,


rule sr:
    """Every SR image of every model and baseline."""
    input:
        "<results>/sr/sr.parquet",
        "<results>/sr/baselines.parquet",


rule super_resolve:
    """SR images of one model and one shard of the dataset; images already there and whole are kept."""
    input:
        manifest="<results>/images/manifest.parquet",
        lr="<results>/degradation/lr.parquet",
    output:
        table=joined("<results>/sr/{model}/shards/{shard}.parquet"),
        timing="<results>/timing/sr/{model}/{shard}.parquet",
    log:
        "<logs>/super_resolve/{model}/{shard}.log",
    benchmark:
        "<benchmarks>/super_resolve/{model}/{shard}.tsv"
    # nothing else goes on before the last of them ends: SeeSR's evaluation images, which wait for none, fill the cores then
    priority: 70
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("super_resolve", "model"),
        runtime=minutes("super_resolve", "model"),
        gpu=model_gpus,
    params:
        key=sr_key,
    message:
        "Upscaling shard {wildcards.shard} with {wildcards.model}"
    script:
        "../workflow_scripts/super_resolve.py"


rule collect_model:
    """One table of one model's SR images."""
    input:
        tables=model_shards,
    output:
        table="<results>/sr/{model}/sr.parquet",
    log:
        "<logs>/collect_model/{model}.log",
    benchmark:
        "<benchmarks>/collect_model/{model}.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key("collect_shards", table="sr"),
    message:
        "Collecting tables of {wildcards.model}"
    script:
        "../workflow_scripts/collect_shards.py"


rule collect_sr:
    """One table of all SR images."""
    input:
        tables=collect("<results>/sr/{model}/sr.parquet", model=config["sr"]["models"]),
    output:
        table="<results>/sr/sr.parquet",
    log:
        "<logs>/collect_sr.log",
    benchmark:
        "<benchmarks>/collect_sr.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key("collect_shards", table="sr"),
    message:
        "Collecting SR tables"
    script:
        "../workflow_scripts/collect_shards.py"


rule collect_baselines:
    """One table of all images of the baselines, which later stages never see."""
    input:
        tables=collect(
            "<results>/sr/{model}/sr.parquet", model=config["sr"]["baselines"]
        ),
    output:
        table="<results>/sr/baselines.parquet",
    log:
        "<logs>/collect_baselines.log",
    benchmark:
        "<benchmarks>/collect_baselines.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key("collect_shards", table="sr"),
    message:
        "Collecting tables of baselines"
    script:
        "../workflow_scripts/collect_shards.py"


rule measure_sr:
    """Sharpness, PSNR and readable content of the first images, for the table of SR models."""
    input:
        manifest="<results>/images/manifest.parquet",
        content="<results>/images/content.parquet",
        sr="<results>/sr/sr.parquet",
        baselines="<results>/sr/baselines.parquet",
    output:
        table="<results>/sr/measures.parquet",
    log:
        "<logs>/measure_sr.log",
    benchmark:
        "<benchmarks>/measure_sr.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("measure_sr"),
        runtime=minutes("measure_sr"),
        gpu=0,
    params:
        key=key(
            "measure_sr",
            "paper.overview_images",
            reader=(
                reader_weights() if config["images"]["source"] == "scenes" else ""
            ),
        ),
    message:
        "Measuring what the SR models do"
    script:
        "../workflow_scripts/measure_sr.py"
