"""Paper 3.1 and 3.2: votes, scores, and the 80/20 split.

Inputs: sampling/pairs.csv, and votes: simulated observers by default, or the file that study.votes names. Outputs:
study/votes.parquet, study/scores.csv, study/split.csv.
"""


rule study:
    """Scored pairs and their split."""
    input:
        "<results>/study/scores.csv",
        "<results>/study/split.csv",


rule simulate_votes:
    """Simulated people answer; they see content errors found by the content reader, and no metric."""
    input:
        pairs="<results>/sampling/pairs.csv",
        content="<results>/images/content.parquet",
    output:
        votes="<results>/study/simulated/votes.parquet",
        errors="<results>/study/simulated/content_error.parquet",
    log:
        "<logs>/simulate_votes.log",
    benchmark:
        "<benchmarks>/simulate_votes.tsv"
    priority: 50
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key(
            "simulate_votes",
            "study.votes_per_pair",
            "study.people_quota",
            "study.careless",
            "study.trap_rate",
            reader=reader_weights(),
        ),
    message:
        "Simulating votes"
    script:
        "../workflow_scripts/simulate_votes.py"


rule import_votes:
    """Votes of people, from the file that study.votes names, checked row by row."""
    input:
        votes=votes_file(),
        pairs="<results>/sampling/pairs.csv",
    output:
        votes="<results>/study/imported/votes.parquet",
    log:
        "<logs>/import_votes.log",
    benchmark:
        "<benchmarks>/import_votes.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key("import_votes", votes=missing_votes()),
    message:
        "Importing votes"
    script:
        "../workflow_scripts/import_votes.py"


rule score_pairs:
    """Score of each pair: the share of valid votes that say the content changed."""
    input:
        pairs="<results>/sampling/pairs.csv",
        votes=branch(
            config["study"]["votes"] == "simulated",
            then="<results>/study/simulated/votes.parquet",
            otherwise="<results>/study/imported/votes.parquet",
        ),
    output:
        votes="<results>/study/votes.parquet",
        scores="<results>/study/scores.csv",
    log:
        "<logs>/score_pairs.log",
    benchmark:
        "<benchmarks>/score_pairs.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key("score_pairs", "study.votes_per_pair"),
    message:
        "Scoring pairs"
    script:
        "../workflow_scripts/score_pairs.py"


rule split_dataset:
    """Training and test part, by GT image."""
    input:
        scores="<results>/study/scores.csv",
    output:
        split="<results>/study/split.csv",
    log:
        "<logs>/split_dataset.log",
    benchmark:
        "<benchmarks>/split_dataset.tsv"
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        key=key("split_dataset", "study.test_share", "study.split_by"),
    message:
        "Splitting pairs"
    script:
        "../workflow_scripts/split_dataset.py"
