"""How the metric behaves on pairs with a known answer: planted edits, mild changes, the change map (paper 4.2, ours).

Inputs: the tuned metrics; no SR image. Outputs: metric/behaviour.parquet, tables/{behaviour,invariance,change_map}.*,
figures/{sensitivity,mild_changes,change_examples}.*. Alone: snakemake --cores 2 metric_report.
"""


localrules:
    behaviour,
    invariance,
    change_map,
    sensitivity,
    mild_changes,


rule metric_report:
    """All tables and figures of the metric's behaviour."""
    input:
        collect("<results>/tables/{table}.csv", table=BEHAVIOUR_TABLES),
        collect("<results>/figures/{figure}.pdf", figure=BEHAVIOUR_FIGURES),


rule probe_metric:
    """Values of every pair with a known answer, by each backbone, untouched and fine-tuned."""
    input:
        configs=collect(
            "<results>/metric/{backbone}/config.json",
            backbone=config["metric"]["finetune"],
        ),
        weights=collect(
            "<results>/metric/{backbone}/model.safetensors",
            backbone=config["metric"]["finetune"],
        ),
    output:
        table="<results>/metric/behaviour.parquet",
    log:
        "<logs>/probe_metric.log",
    benchmark:
        "<benchmarks>/probe_metric.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("probe_metric"),
        runtime=minutes("probe_metric"),
        gpu=gpus(),
    params:
        key=probe_key,
    message:
        "Probing the metrics with planted edits"
    script:
        "../workflow_scripts/probe_metric.py"


rule behaviour:
    """Planted edits of content against edits of texture only."""
    input:
        behaviour="<results>/metric/behaviour.parquet",
        scores="<results>/study/scores.csv",
    output:
        csv=report(
            "<results>/tables/behaviour.csv",
            caption="captions/behaviour.rst",
            category="Tables",
        ),
        md="<results>/tables/behaviour.md",
        tex="<results>/tables/behaviour.tex",
    log:
        "<logs>/behaviour.log",
    benchmark:
        "<benchmarks>/behaviour.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "behaviour",
            "iqa.bootstrap",
            "metric.threshold",
            **table_facts(
                "images", "degradation", "sr", "sampling", "study", "metric"
            ),
        ),
    message:
        "Table of planted edits"
    script:
        "../workflow_scripts/behaviour.py"


rule invariance:
    """Mild changes against the median planted edit."""
    input:
        behaviour="<results>/metric/behaviour.parquet",
        scores="<results>/study/scores.csv",
    output:
        csv=report(
            "<results>/tables/invariance.csv",
            caption="captions/invariance.rst",
            category="Tables",
        ),
        md="<results>/tables/invariance.md",
        tex="<results>/tables/invariance.tex",
    log:
        "<logs>/invariance.log",
    benchmark:
        "<benchmarks>/invariance.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "invariance",
            **table_facts(
                "images", "degradation", "sr", "sampling", "study", "metric"
            ),
        ),
    message:
        "Table of mild changes"
    script:
        "../workflow_scripts/invariance.py"


rule change_map:
    """Share of the change map inside the edited box, against chance."""
    input:
        behaviour="<results>/metric/behaviour.parquet",
        scores="<results>/study/scores.csv",
    output:
        csv=report(
            "<results>/tables/change_map.csv",
            caption="captions/change_map.rst",
            category="Tables",
        ),
        md="<results>/tables/change_map.md",
        tex="<results>/tables/change_map.tex",
    log:
        "<logs>/change_map.log",
    benchmark:
        "<benchmarks>/change_map.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "change_map",
            "iqa.bootstrap",
            **table_facts(
                "images", "degradation", "sr", "sampling", "study", "metric"
            ),
        ),
    message:
        "Table of change maps"
    script:
        "../workflow_scripts/change_map.py"


rule sensitivity:
    """ROC curves on planted edits."""
    input:
        behaviour="<results>/metric/behaviour.parquet",
        scores="<results>/study/scores.csv",
    output:
        pdf="<results>/figures/sensitivity.pdf",
        png=report(
            "<results>/figures/sensitivity.png",
            caption="captions/sensitivity.rst",
            category="Figures",
        ),
    log:
        "<logs>/sensitivity.log",
    benchmark:
        "<benchmarks>/sensitivity.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "sensitivity",
            "paper.dpi",
            "metric.threshold",
            **table_facts(
                "images", "degradation", "sr", "sampling", "study", "metric"
            ),
        ),
    message:
        "Figure of planted edits"
    script:
        "../workflow_scripts/sensitivity.py"


rule mild_changes:
    """Mild changes as bars."""
    input:
        behaviour="<results>/metric/behaviour.parquet",
        scores="<results>/study/scores.csv",
    output:
        pdf="<results>/figures/mild_changes.pdf",
        png=report(
            "<results>/figures/mild_changes.png",
            caption="captions/mild_changes.rst",
            category="Figures",
        ),
    log:
        "<logs>/mild_changes.log",
    benchmark:
        "<benchmarks>/mild_changes.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "mild_changes",
            "paper.dpi",
            **table_facts(
                "images", "degradation", "sr", "sampling", "study", "metric"
            ),
        ),
    message:
        "Figure of mild changes"
    script:
        "../workflow_scripts/mild_changes.py"


rule change_examples:
    """Change maps of planted edits and mild changes."""
    input:
        configs=collect(
            "<results>/metric/{backbone}/config.json",
            backbone=config["metric"]["finetune"],
        ),
        weights=collect(
            "<results>/metric/{backbone}/model.safetensors",
            backbone=config["metric"]["finetune"],
        ),
        behaviour="<results>/metric/behaviour.parquet",
        scores="<results>/study/scores.csv",
    output:
        pdf="<results>/figures/change_examples.pdf",
        png=report(
            "<results>/figures/change_examples.png",
            caption="captions/change_examples.rst",
            category="Figures",
        ),
    log:
        "<logs>/change_examples.log",
    benchmark:
        "<benchmarks>/change_examples.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=6000,
        runtime=30,
        gpu=gpus(),
    params:
        key=key(
            "change_examples",
            "paper.dpi",
            "images.crop",
            "images.objects",
            modules=backbone_modules(),
            **table_facts(
                "images", "degradation", "sr", "sampling", "study", "metric"
            ),
        ),
    message:
        "Figure of change maps"
    script:
        "../workflow_scripts/change_examples.py"
