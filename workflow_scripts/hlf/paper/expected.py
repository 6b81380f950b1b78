"""The paper's own numbers, transcribed: the only place they stand. They reach outputs in `paper_*` columns only."""

from typing import NamedTuple


class Correlation(NamedTuple):
    """One row of Table 2 or 3: |SRCC| and |PLCC| with the human score on the test part (the paper prints no sign)."""

    srcc: float
    plcc: float


# Names of the SR models as the paper prints them, in the order in which Section 3.1 counts their pairs.
MODEL_NAMES = {"bsrgan": "BSRGAN", "stablesr": "StableSR", "pasd": "PASD", "seesr": "SeeSR", "swinir": "SwinIR"}

# Section 3.1, last sentence before the user study: pairs of each SR model.
PAIRS_PER_MODEL = {"bsrgan": 148, "stablesr": 148, "pasd": 144, "seesr": 142, "swinir": 141}

# Section 3.1: pairs in all, and the smallest number of independent answers of each pair.
PAIRS, MIN_ANSWERS = 723, 12

# Configuration name of a metric (as in hlf.iqa.registry) -> its row name, in the order of Table 2.
METRIC_NAMES = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "vif": "VIF",
    "lpips": "LPIPS",
    "dists": "DISTS",
    "afine": "A-FINE",
    "afine_fr": "A-FINE fidelity term",
    "afine_nr": "A-FINE naturalness term",
    "clipiqa": "CLIP-IQA",
    "koniqpp_blur": "KONIQ++ blur",
    "koniqpp_artifacts": "KONIQ++ artifacts",
    "koniqpp_quality": "KONIQ++ quality score",
    "joint_rationality": "JOINT rationality score",
    "joint_technical": "JOINT technical quality score",
    "joint_naturalness": "JOINT naturalness score",
}

# Table 2 (Section 4.1), row name -> correlation.
TABLE2 = {
    "PSNR": Correlation(0.4505, 0.4493),
    "SSIM": Correlation(0.5356, 0.5315),
    "VIF": Correlation(0.8063, 0.7508),
    "LPIPS": Correlation(0.7681, 0.7618),
    "DISTS": Correlation(0.7948, 0.8040),
    "A-FINE": Correlation(0.3490, 0.2286),
    "A-FINE fidelity term": Correlation(0.7153, 0.7541),
    "A-FINE naturalness term": Correlation(0.2755, 0.2806),
    "CLIP-IQA": Correlation(0.1367, 0.1289),
    "KONIQ++ blur": Correlation(0.2934, 0.3229),
    "KONIQ++ artifacts": Correlation(0.0529, 0.0128),
    "KONIQ++ quality score": Correlation(0.0524, 0.0472),
    "JOINT rationality score": Correlation(0.0972, 0.0907),
    "JOINT technical quality score": Correlation(0.0379, 0.0239),
    "JOINT naturalness score": Correlation(0.0975, 0.0867),
}

# Configuration name of a backbone -> its row name, in the order of Table 3.
BACKBONE_NAMES = {
    "vit": "ViT Score",
    "clip": "CLIP-vit-p32",
    "blip": "BLIP",
    "dinov2": "DINOv2",
    "pe-core": "PE-core",
}

# Table 3 (Section 4.2), row name -> correlation; "(ft)" = fine-tuned on the training part.
TABLE3 = {
    "ViT Score": Correlation(0.7650, 0.8506),
    "CLIP-vit-p32": Correlation(0.8006, 0.8539),
    "BLIP": Correlation(0.7889, 0.8544),
    "DINOv2": Correlation(0.8008, 0.8889),
    "PE-core": Correlation(0.8045, 0.8790),
    "(ft) CLIP-vit-p32": Correlation(0.8384, 0.9001),
    "(ft) BLIP": Correlation(0.8417, 0.8955),
    "(ft) DINOv2": Correlation(0.8315, 0.9030),
    "(ft) PE-core": Correlation(0.8300, 0.9017),
}

# Table 4 (Section 5): means over 1,000 evaluation images; the number in brackets is alpha of Equation 1.
TABLE4_MEASURES = ("clip_hlf", "blip_hlf", "pe_hlf", "psnr", "ssim", "vif", "lpips", "dists")
TABLE4 = {
    "SeeSR-Original": (0.434, 0.478, 0.459, 20.746, 0.569, 0.058, 0.399, 0.249),
    "SeeSR-Finetuned (0.1)": (0.416, 0.459, 0.450, 21.018, 0.587, 0.059, 0.399, 0.251),
    "SeeSR-Finetuned (0.01)": (0.412, 0.456, 0.436, 21.082, 0.588, 0.060, 0.395, 0.248),
}
