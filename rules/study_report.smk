"""The votes themselves (paper 3.1): agreement of people, what is known of each of them, and a figure.

Inputs: study/votes.parquet, study/scores.csv; study/bundle for a picture of the page that people see. Outputs:
tables/agreement.*, tables/observers.*, figures/study_votes.*, figures/figure3.*, stamped as the other tables and figures are.
"""


localrules:
    agreement,
    observers,
    study_votes,
    figure3,


rule agreement:
    """How consistent the votes are: alpha, kappa, ICC, human ceiling of all pairs."""
    input:
        votes="<results>/study/votes.parquet",
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **printed("agreement"),
    log:
        "<logs>/agreement.log",
    benchmark:
        "<benchmarks>/agreement.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "agreement",
            "iqa.bootstrap",
            "study.ceiling_splits",
            **table_facts(*STUDY_GROUPS),
        ),
    message:
        "Agreement of people"
    script:
        "../workflow_scripts/agreement.py"


rule observers:
    """What is known of each person: answers, traps, agreement, flags."""
    input:
        votes="<results>/study/votes.parquet",
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **printed("observers"),
    log:
        "<logs>/observers.log",
    benchmark:
        "<benchmarks>/observers.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "observers",
            **table_facts(*STUDY_GROUPS),
        ),
    message:
        "Table of observers"
    script:
        "../workflow_scripts/observers.py"


rule study_votes:
    """Votes per pair, people, order of trials; reaction times where they are known."""
    input:
        votes="<results>/study/votes.parquet",
        scores="<results>/study/scores.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **drawn("study_votes"),
    log:
        "<logs>/study_votes.log",
    benchmark:
        "<benchmarks>/study_votes.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "study_votes",
            "iqa.bootstrap",
            "paper.dpi",
            **table_facts(*STUDY_GROUPS),
        ),
    message:
        "Figure of the votes"
    script:
        "../workflow_scripts/study_votes.py"


rule figure3:
    """Figure 3: the page on which people answer, from a real browser."""
    input:
        bundle="<results>/study/bundle/study.json",
        pairs="<results>/sampling/pairs.csv",
        sr="<results>/sr/sr.parquet",
    output:
        **drawn("figure3"),
    log:
        "<logs>/figure3.log",
    benchmark:
        "<benchmarks>/figure3.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "figure3",
            "paper.dpi",
            pages=page_files(),
            browser=missing_browser(),
            # as the bundle: where votes come from changes nothing of what people see
            **table_facts("images", "degradation", "sr", "sampling", *STUDY_SETTINGS),
        ),
    message:
        "Figure 3"
    script:
        "../workflow_scripts/figure3.py"
