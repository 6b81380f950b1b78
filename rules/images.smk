"""Paper 3.1: ground-truth images, procedural scenes or a folder of photographs (KonIQ-10k at paper scale).

Inputs: images.folder, when images.source is folder. Outputs: images/manifest.parquet (written last, beside images/gt/),
images/content.parquet (what scenes show), images/rejected.csv (files that could not be used, with reasons).
"""


rule prepare_images:
    """Crop or draw the GT images and list them."""
    output:
        manifest="<results>/images/manifest.parquet",
        content="<results>/images/content.parquet",
        rejected="<results>/images/rejected.csv",
    log:
        "<logs>/prepare_images.log",
    benchmark:
        "<benchmarks>/prepare_images.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=memory("prepare_images"),
        runtime=minutes("prepare_images"),
        gpu=0,
    params:
        key=key("prepare_images", "images", listing=photograph_listing()),
    message:
        "Preparing ground-truth images"
    script:
        "../workflow_scripts/prepare_images.py"
