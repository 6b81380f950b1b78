"""One page with every table and figure.

Inputs: tables/, figures/, the tables of all stages. Outputs: report.html, stamped as the tables are.
"""


rule write_report:
    """One page that shows and explains everything, and opens offline."""
    input:
        manifest="<results>/images/manifest.parquet",
        rejected="<results>/images/rejected.csv",
        lr="<results>/degradation/lr.parquet",
        sr="<results>/sr/sr.parquet",
        strata="<results>/sampling/strata.csv",
        pairs="<results>/sampling/pairs.csv",
        votes="<results>/study/votes.parquet",
        scores="<results>/study/scores.csv",
        iqa="<results>/iqa/iqa.parquet",
        metric="<results>/metric/scores.parquet",
        tables=collect("<results>/tables/{table}.csv", table=TABLES),
        figures=collect("<results>/figures/{figure}.png", figure=FIGURES),
    output:
        html=report(
            "<results>/report.html", caption="captions/report.rst", category="Report"
        ),
    log:
        "<logs>/write_report.log",
    benchmark:
        "<benchmarks>/write_report.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "write_report",
            "paper.worst_pairs",
            "metric.backbones",
            config=shown_config(),
            **table_facts(
                "images", "degradation", "sr", "sampling", "study", "iqa", "metric"
            ),
        ),
    message:
        "Writing the report"
    script:
        "../workflow_scripts/write_report.py"
