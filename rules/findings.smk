"""What the run shows of the paper's findings, one by one, with a verdict by rule and the reasons.

Inputs: the tables of all stages. Outputs: tables/findings.*, stamped as the other tables are.
"""


localrules:
    findings,


rule findings:
    """The paper's findings one by one: shown, not shown or opposite, and why."""
    input:
        scores="<results>/study/scores.csv",
        split="<results>/study/split.csv",
        iqa="<results>/iqa/iqa.parquet",
        metric="<results>/metric/scores.parquet",
        folds=fold_tables(),
        measures="<results>/sr/measures.parquet",
        strata="<results>/sampling/strata.csv",
        pairs="<results>/sampling/pairs.csv",
        agreement="<results>/tables/agreement.csv",
        ceiling="<results>/tables/ceiling.csv",
        evaluation=variant_evaluation(),
        sr="<results>/sr/sr.parquet",
    output:
        **printed("findings"),
    log:
        "<logs>/findings.log",
    benchmark:
        "<benchmarks>/findings.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "write_findings",
            "iqa.bootstrap",
            **table_facts(*TUNING_GROUPS),
        ),
    message:
        "Findings of the paper"
    script:
        "../workflow_scripts/write_findings.py"
