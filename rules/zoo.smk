"""The mini zoo: small models trained from nothing on procedural scenes (docs/design.md, section 5).

Not part of `all`: finished models are committed under resources/zoo/mini. `snakemake --cores 2 train_zoo` makes them
anew in results/zoo/; set `zoo.mini` to that folder to use them. A killed training goes on from its last checkpoint.
"""


rule train_zoo:
    """All mini models, retrained."""
    input:
        collect("<zoo>/{trained}/model.safetensors", trained=list(RECIPES)),


rule draw_scenes:
    """Training scenes, drawn once for all recipes."""
    output:
        pool=directory("<zoo>/pool"),
    log:
        "<logs>/zoo/draw_scenes.log",
    benchmark:
        "<benchmarks>/zoo/draw_scenes.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key("draw_scenes", "zoo.training.scenes", "zoo.training.size"),
    message:
        "Drawing the training scenes"
    script:
        "../workflow_scripts/draw_scenes.py"


rule train_model:
    """One mini model, by its own method's recipe in small."""
    input:
        pool="<zoo>/pool",
        needs=training_needs,
    output:
        weights="<zoo>/{trained}/model.safetensors",
        config="<zoo>/{trained}/config.json",
        card="<zoo>/{trained}/README.md",
    log:
        "<logs>/zoo/train_{trained}.log",
    benchmark:
        "<benchmarks>/zoo/train_{trained}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=4000,
        runtime=240,
        gpu=0,
    params:
        key=training_key,
    message:
        "Training mini {wildcards.trained}"
    script:
        "../workflow_scripts/train_model.py"
