"""The mini zoo: small models trained from nothing on procedural scenes (docs/design.md, section 5).

Not part of `all`: finished models are committed under resources/zoo/mini. `snakemake --cores 2 train_zoo` makes them
anew in results/zoo/; set `zoo.mini` to that folder to use them. A killed training goes on from its last checkpoint.
"""

from hlf.training.recipes import RECIPES, made_by


rule train_zoo:
    """All mini models, retrained."""
    input:
        collect(
            "<zoo>/{file}", file=[file for name in RECIPES for file in made_by(name)]
        ),


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


for trained, recipe in RECIPES.items():

    rule:
        """One mini model, by its own method's recipe in small."""
        name:
            f"train_{trained}"
        input:
            pool="<zoo>/pool",
            needs=collect(
                "<zoo>/{file}",
                file=[file for name in recipe.needs for file in made_by(name)],
            ),
        output:
            files=collect("<zoo>/{file}", file=made_by(trained)),
        log:
            f"<logs>/zoo/train_{trained}.log",
        benchmark:
            f"<benchmarks>/zoo/train_{trained}.tsv"
        conda:
            "../envs/torch.yaml"
        resources:
            mem_mb=4000,
            runtime=240,
            gpu=0,
        params:
            key=key("train_model", f"zoo.training.{trained}", modules=(recipe.module,)),
        message:
            f"Training mini {trained}"
        script:
            "../workflow_scripts/train_model.py"
