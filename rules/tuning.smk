"""Paper 5: SeeSR fine-tuned with the HLF loss, and its variants on the evaluation images, for Table 4.

Inputs: images/manifest.parquet, degradation/lr.parquet, metric/<backbone>/. Outputs: tuning/training.csv, the images
trained on; tuning/<variant>/, a SeeSR model folder with its history; tuning/sr.parquet and tuning/evaluation.parquet; images at tuning/sr/<variant>/<level>/<image_id>.png, sample grids at tuning/samples/<variant>/.
"""


localrules:
    collect_variants,
    collect_evaluation,


rule choose_training:
    """The images that SeeSR is fine-tuned on, none of the run's own."""
    input:
        manifest="<results>/images/manifest.parquet",
    output:
        table="<results>/tuning/training.csv",
    log:
        "<logs>/choose_training.log",
    benchmark:
        "<benchmarks>/choose_training.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("choose_training"),
        runtime=minutes("choose_training"),
        gpu=0,
    params:
        key=key(
            "choose_training",
            "tuning.source",
            "tuning.folder",
            "tuning.images",
            listing=training_listing(),
        ),
    message:
        "Choosing training images"
    script:
        "../workflow_scripts/choose_training.py"


rule finetune_sr:
    """Fine-tune SeeSR at one alpha; a killed job goes on after its last checkpoint."""
    input:
        chosen="<results>/tuning/training.csv",
        scores="<results>/study/scores.csv",
        metric=f"<results>/metric/{config['tuning']['backbone']}/config.json",
        weights=f"<results>/metric/{config['tuning']['backbone']}/model.safetensors",
    output:
        unet="<results>/tuning/{variant}/unet/diffusion_pytorch_model.safetensors",
        unet_config="<results>/tuning/{variant}/unet/config.json",
        controlnet="<results>/tuning/{variant}/controlnet/diffusion_pytorch_model.safetensors",
        controlnet_config="<results>/tuning/{variant}/controlnet/config.json",
        card="<results>/tuning/{variant}/README.md",
        history="<results>/tuning/{variant}/history.csv",
        refused="<results>/tuning/{variant}/refused.csv",
    log:
        "<logs>/finetune_sr/{variant}.log",
    benchmark:
        "<benchmarks>/finetune_sr/{variant}.tsv"
    # long, and more hangs on it than on the certainty of Table 3
    priority: 60
    conda:
        "../envs/torch.yaml"
    threads: tuning_processes()
    resources:
        mem_mb=finetune_sr_memory,
        runtime=minutes("finetune_sr", "variant"),
        gpu=gpus() * config["tuning"]["processes"],
        nodes=1,  # its GPUs are those of one machine
    params:
        key=finetune_sr_key,
    message:
        "Fine-tuning SeeSR, {wildcards.variant}"
    script:
        "../workflow_scripts/finetune_sr.py"


rule upscale_variant:
    """SR images of one variant and one shard of the evaluation images."""
    input:
        manifest="<results>/images/manifest.parquet",
        lr="<results>/degradation/lr.parquet",
        weights=variant_files,
    output:
        table=joined("<results>/tuning/shards/{variant}/{shard}.parquet"),
    log:
        "<logs>/upscale_variant/{variant}/{shard}.log",
    benchmark:
        "<benchmarks>/upscale_variant/{variant}/{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("upscale_variant", "variant"),
        runtime=minutes("upscale_variant", "variant"),
        gpu=gpus(),
    params:
        key=upscale_variant_key,
    message:
        "Upscaling evaluation images with {wildcards.variant}, shard {wildcards.shard}"
    script:
        "../workflow_scripts/upscale_variant.py"


rule collect_variants:
    """One table of the evaluation images of all variants."""
    input:
        tables=collect(
            "<results>/tuning/shards/{variant}/{shard}.parquet",
            variant=variants(),
            shard=shards("tuning"),
        ),
    output:
        table="<results>/tuning/sr.parquet",
    log:
        "<logs>/collect_variants.log",
    benchmark:
        "<benchmarks>/collect_variants.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key("collect_shards", table="tuning_sr"),
    message:
        "Collecting evaluation images"
    script:
        "../workflow_scripts/collect_shards.py"


rule evaluate_variant:
    """Every measure of Table 4 on one variant."""
    input:
        images=collect(
            "<results>/tuning/shards/{{variant}}/{shard}.parquet",
            shard=shards("tuning"),
        ),
        content="<results>/images/content.parquet",
        metrics=tuned("config.json"),
        weights=tuned("model.safetensors"),
    output:
        table="<results>/tuning/evaluation/{variant}.parquet",
    log:
        "<logs>/evaluate_variant/{variant}.log",
    benchmark:
        "<benchmarks>/evaluate_variant/{variant}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("evaluate_variant", "variant"),
        runtime=minutes("evaluate_variant", "variant"),
        gpu=gpus(),
    params:
        key=evaluate_key,
    message:
        "Measuring {wildcards.variant}"
    script:
        "../workflow_scripts/evaluate_variant.py"


rule collect_evaluation:
    """One table of all measures of all variants."""
    input:
        tables=collect(
            "<results>/tuning/evaluation/{variant}.parquet", variant=variants()
        ),
    output:
        table="<results>/tuning/evaluation.parquet",
    log:
        "<logs>/collect_evaluation.log",
    benchmark:
        "<benchmarks>/collect_evaluation.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key("collect_shards", table="tuning_evaluation"),
    message:
        "Collecting measures of all variants"
    script:
        "../workflow_scripts/collect_shards.py"
