"""Paper 3.1 and 3.2: votes, scores, and the 80/20 split.

Inputs: sampling/pairs.csv, and votes: simulated observers by default, or the file that study.votes names. Outputs:
study/votes.parquet, study/scores.csv, study/split.csv. study/bundle/ is what people see; for a study with them, make it
alone: snakemake study_bundle
"""


localrules:
    import_votes,
    score_pairs,
    split_dataset,


rule study:
    """Scored pairs and their split."""
    input:
        "<results>/study/scores.csv",
        "<results>/study/split.csv",


rule study_bundle:
    """What people see: the pairs, traps and practice pairs, as images under opaque names; see hlf/study/shown/bundle.py.

    The images lie beside the tables, which are written last; images that are there and whole are kept.
    """
    input:
        pairs="<results>/sampling/pairs.csv",
        # what scenes show, so that traps and practice pairs can be made of them
        content=branch(
            config["images"]["source"] == "scenes",
            then="<results>/images/content.parquet",
        ),
    output:
        study="<results>/study/bundle/study.json",
        pairs="<results>/study/bundle/pairs.csv",
    log:
        "<logs>/study_bundle.log",
    benchmark:
        "<benchmarks>/study_bundle.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("study_bundle"),
        runtime=minutes("study_bundle"),
        gpu=0,
    params:
        key=key(
            "study_bundle",
            *STUDY_SETTINGS,
            # not the whole group: where votes come from changes nothing of what people see
            **table_facts("images", "degradation", "sr", "sampling", *STUDY_SETTINGS),
        ),
    message:
        "Writing the bundle of the study"
    script:
        "../workflow_scripts/study_bundle.py"


rule simulate_votes:
    """Simulated people take part in the study; they see content errors found by the content reader, and no metric.

    They go through the platform's own assignment, votes and trap rule, in this process: hlf/study/simulated/simulate.py.
    """
    input:
        pairs="<results>/sampling/pairs.csv",
        shown="<results>/study/bundle/pairs.csv",
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
        mem_mb=memory("simulate_votes"),
        runtime=minutes("simulate_votes"),
        gpu=0,
    params:
        key=key(
            "simulate_votes",
            # how large images are shown changes no simulated vote
            *(name for name in STUDY_SETTINGS if name != "study.min_css_px"),
            "study.careless",
            reader=reader_weights(),
        ),
    message:
        "Simulating votes"
    script:
        "../workflow_scripts/simulate_votes.py"


rule import_votes:
    """Votes of people, from the file, export or database that study.votes names, checked row by row."""
    input:
        votes=votes_files(),
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
        key=key("import_votes", "study.votes", state=votes_state()),
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
