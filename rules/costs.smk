"""What each step took, from the benchmark files, and what the paper's numbers of images and pairs would take.

Inputs: everything that people read, so that all jobs but the report are done; benchmarks/ and timing/, as they then are.
Outputs: timing/costs.csv and .md, which the report shows.
"""


localrules:
    costs,


rule costs:
    """The cost sheet; made last before the report, since it tells of all other jobs."""
    input:
        tables=collect("<results>/tables/{table}.csv", table=TABLES),
        figures=collect("<results>/figures/{figure}.png", figure=FIGURES),
    output:
        csv="<results>/timing/costs.csv",
        md="<results>/timing/costs.md",
    log:
        "<logs>/costs.log",
    benchmark:
        "<benchmarks>/costs.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=costs_key,
    message:
        "Cost sheet"
    script:
        "../workflow_scripts/costs.py"
