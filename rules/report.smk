"""One page with every table and figure, and the last check of a run.

Inputs: tables/, figures/, the tables of all stages. Outputs: report.html, stamped as the tables are; complete.txt.
"""


localrules:
    write_report,
    complete,


rule write_report:
    """One page that shows and explains everything, and opens offline."""
    input:
        manifest="<results>/images/manifest.parquet",
        rejected="<results>/images/rejected.csv",
        lr="<results>/degradation/lr.parquet",
        sr="<results>/sr/sr.parquet",
        pairs="<results>/sampling/pairs.csv",
        votes="<results>/study/votes.parquet",
        scores="<results>/study/scores.csv",
        iqa="<results>/iqa/iqa.parquet",
        metric="<results>/metric/scores.parquet",
        tables=collect("<results>/tables/{table}.csv", table=TABLES),
        figures=collect("<results>/figures/{figure}.png", figure=FIGURES),
        costs="<results>/timing/costs.csv",
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
            "metric.finetune",
            config=shown_config(),
            **table_facts(*TUNING_GROUPS),
        ),
    message:
        "Writing the report"
    script:
        "../workflow_scripts/write_report.py"


rule complete:
    """Fails when a row of Table 2 lacks its weights, after everything else is made; the sentence names the files."""
    input:
        table2="<results>/tables/table2.csv",
        # last of all, so that nothing is left out because of it; what it says does not hang on the report
        report=ancient("<results>/report.html"),
    output:
        note="<results>/complete.txt",
    log:
        "<logs>/complete.log",
    benchmark:
        "<benchmarks>/complete.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        key=key("complete"),
    message:
        "Checking that no row is missing"
    script:
        "../workflow_scripts/complete.py"
