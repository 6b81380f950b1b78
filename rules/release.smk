"""Where results come from, and what is given to others (the paper promises to release data set, code and models).

Inputs: everything a run made. Outputs: provenance.json, which is part of `all` and holds times; on demand, by
`snakemake release`: release/dataset/, release/models/hlf-<backbone>/ and release/models/<variant>/, each a folder with a
card, licences and checksums. An unfinished run is not released: `before_start` refuses it.
"""


localrules:
    write_provenance,


rule write_provenance:
    """Commit, configuration, versions, weight files, machines, time and memory of the jobs."""
    input:
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
        metric="<results>/metric/scores.parquet",
        # behind everything whose time is told
        report="<results>/report.html",
    output:
        file="<results>/provenance.json",
    log:
        "<logs>/write_provenance.log",
    benchmark:
        "<benchmarks>/write_provenance.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    params:
        key=key(
            "write_provenance", config=shown_config(), **table_facts(*TUNING_GROUPS)
        ),
    message:
        "Noting where the results come from"
    script:
        "../workflow_scripts/write_provenance.py"


rule release:
    """Data set and models of a finished run, ready to be published."""
    input:
        # written last, with the folder around it; a whole folder as output would get a file of Snakemake's own
        "<results>/release/dataset/SHA256SUMS",
        collect(
            "<results>/release/models/hlf-{backbone}/SHA256SUMS",
            backbone=config["metric"]["finetune"],
        ),
        collect(
            "<results>/release/models/{variant}/SHA256SUMS", variant=tuned_variants()
        ),


rule release_dataset:
    """Pairs, scores, votes, splits, values of measures, and pictures or their recipes."""
    input:
        complete="<results>/complete.txt",
        origin="<results>/provenance.json",
        manifest="<results>/images/manifest.parquet",
        lr="<results>/degradation/lr.parquet",
        sr="<results>/sr/sr.parquet",
        pairs="<results>/sampling/pairs.csv",
        votes="<results>/study/votes.parquet",
        scores="<results>/study/scores.csv",
        split="<results>/study/split.csv",
        iqa="<results>/iqa/iqa.parquet",
        metric="<results>/metric/scores.parquet",
    output:
        sums="<results>/release/dataset/SHA256SUMS",
    log:
        "<logs>/release_dataset.log",
    benchmark:
        "<benchmarks>/release_dataset.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
        gpu=0,
    params:
        key=key(
            "release_dataset",
            *(f"release.{name}" for name in config["release"]),
            config=shown_config(),
            **table_facts(*TUNING_GROUPS),
        ),
    message:
        "Packing the data set"
    script:
        "../workflow_scripts/release_dataset.py"


rule release_metric:
    """One fine-tuned metric with its test numbers."""
    input:
        complete="<results>/complete.txt",
        origin="<results>/provenance.json",
        config="<results>/metric/{backbone}/config.json",
        weights="<results>/metric/{backbone}/model.safetensors",
        history="<results>/metric/{backbone}/history.csv",
        table3="<results>/tables/table3.csv",
        ceiling="<results>/tables/ceiling.csv",
        calibration="<results>/tables/calibration.csv",
    output:
        sums="<results>/release/models/hlf-{backbone}/SHA256SUMS",
    log:
        "<logs>/release_metric/{backbone}.log",
    benchmark:
        "<benchmarks>/release_metric/{backbone}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    params:
        key=release_metric_key,
    message:
        "Packing the metric on {wildcards.backbone}"
    script:
        "../workflow_scripts/release_metric.py"


rule release_sr:
    """One fine-tuned SeeSR with its numbers on the evaluation images."""
    input:
        complete="<results>/complete.txt",
        origin="<results>/provenance.json",
        networks=variant_files,
        card="<results>/tuning/{variant}/README.md",
        history="<results>/tuning/{variant}/history.csv",
        table4="<results>/tables/table4.csv",
    output:
        sums="<results>/release/models/{variant}/SHA256SUMS",
    log:
        "<logs>/release_sr/{variant}.log",
    benchmark:
        "<benchmarks>/release_sr/{variant}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    params:
        key=key("release_sr"),
    message:
        "Packing {wildcards.variant}"
    script:
        "../workflow_scripts/release_sr.py"
