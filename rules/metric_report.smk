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
        configs=tuned("config.json"),
        weights=tuned("model.safetensors"),
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
        **printed("behaviour"),
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
            **table_facts(*METRIC_GROUPS),
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
        **printed("invariance"),
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
            **table_facts(*METRIC_GROUPS),
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
        **printed("change_map"),
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
            **table_facts(*METRIC_GROUPS),
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
        **drawn("sensitivity"),
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
            **table_facts(*METRIC_GROUPS),
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
        **drawn("mild_changes"),
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
            **table_facts(*METRIC_GROUPS),
        ),
    message:
        "Figure of mild changes"
    script:
        "../workflow_scripts/mild_changes.py"


rule change_examples:
    """Change maps of planted edits and mild changes."""
    input:
        configs=tuned("config.json"),
        weights=tuned("model.safetensors"),
        behaviour="<results>/metric/behaviour.parquet",
        scores="<results>/study/scores.csv",
    output:
        **drawn("change_examples"),
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
            **table_facts(*METRIC_GROUPS),
        ),
    message:
        "Figure of change maps"
    script:
        "../workflow_scripts/change_examples.py"
