"""hlf: high-level fidelity of super-resolution, from images to tables. The includes are the sections of the paper."""

from snakemake.utils import min_version

min_version("9.25")


configfile: f"{workflow.basedir}/config.yaml"


pathvars:
    results=f"results/{config['run']}",
    logs=f"results/{config['run']}/logs",
    benchmarks=f"results/{config['run']}/benchmarks",
    zoo="results/zoo",


include: "rules/common.smk"
include: "rules/keys.smk"
include: "rules/model_keys.smk"
include: "rules/resources.smk"
include: "rules/start.smk"
include: "rules/zoo.smk"  # the mini zoo, only when asked for: train_zoo
include: "rules/images.smk"  # 3.1 ground truth
include: "rules/degradation.smk"  # 3.1 LR images
include: "rules/sr.smk"  # 3.1 SR models
include: "rules/sampling.smk"  # 3.1 PE-core similarity, choice of pairs
include: "rules/study.smk"  # 3.1 votes, 3.2 scores and split
include: "rules/study_report.smk"  # how consistent the votes are
include: "rules/iqa.smk"  # 4.1 image quality measures
include: "rules/metric.smk"  # 4.2 fine-tuned foundation models
include: "rules/certainty.smk"  # how sure Table 3 is: folds, an unseen SR model, calibration
include: "rules/metric_report.smk"  # how the metric behaves on pairs with a known answer
include: "rules/tuning.smk"  # 5 SeeSR fine-tuned with the metric as a loss
include: "rules/tuning_report.smk"  # Table 4, Figures 1, 6 and 7
include: "rules/tables.smk"  # what the SR models do, Tables 2 and 3
include: "rules/findings.smk"  # the paper's findings, one by one
include: "rules/figures.smk"  # 3: images, pairs and scores, Figure 4
include: "rules/metric_figures.smk"  # 4: measures and metric, Figure 5
include: "rules/costs.smk"  # what the jobs took
include: "rules/report.smk"  # one page
include: "rules/release.smk"  # where results come from; packages for others, only when asked for: release


onstart:
    before_start(workflow.dag)


onsuccess:
    after_success(workflow.dag)


onerror:
    after_failure(workflow.dag)


rule all:
    """Everything that people read."""
    default_target: True
    input:
        "<results>/report.html",
        "<results>/complete.txt",
        "<results>/provenance.json",
        collect("<results>/tables/{table}.csv", table=TABLES),
        collect("<results>/figures/{figure}.pdf", figure=FIGURES),
