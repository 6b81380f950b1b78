"""What the paper says it found, finding by finding: words and places, no numbers (those stand in `expected`)."""

from hlf.paper.findings_verdict import Claim

_MINI_SR = (
    "Which of the mini SR models is sharp or faithful hangs on minutes of training on generated scenes as much as on "
    "the method."
)
_MINI_NETS = "The networks here are mini ones, trained for minutes on generated scenes."
_MINI_FORMULAS = f"{_MINI_NETS[:-1]}; PSNR, SSIM and VIF need no training, so being mini costs them nothing."
_MINI_FINE_TUNING = (
    "Mini backbones are fine-tuned on few pairs and know little to begin with, so a gain varies from split to split."
)
_MINI_TUNING = (
    "Mini SeeSR is fine-tuned for a short time on generated scenes and judged by mini backbones on few images."
)
_MINI_ALPHA = f"{_MINI_TUNING} In so short a training a larger alpha may only move SeeSR further the same way."
_MINI_VOTES = (
    "Mini SR models and scenes decide how often content is lost, half lost or kept, and so how the scores spread."
)
_ONE_READER = (
    "Simulated people all go by one content reader, which mostly finds a thing kept or lost: few middle scores, and "
    "agreement, are to a part built in."
)
_BY_CONTENT = "Simulated votes follow what the content reader can name; sharpness and texture do not move them."
_TABLES = ("table4", "table4_changes")

CLAIMS = {
    "u_shape": Claim(
        "Scores are U-shaped: most pairs are seen as changed by nearly all or by nearly nobody.",
        "3.2, Figure 4", "share of pairs in the thirds of the scores",
        ("figure4",), _MINI_VOTES, _ONE_READER, "Figure 4, no number",
    ),
    "consistent": Claim(
        "People perceive fidelity in a fairly consistent manner.",
        "3.2", "agreement of the votes, of which 0.667 is the least to build on",
        ("agreement",), _MINI_VOTES, _ONE_READER, "no number",
    ),
    "seesr": Claim(
        "SeeSR is sharp but unfaithful: sharper than StableSR, with higher scores.",
        "3.2, Figure 4", "difference of means",
        ("figure4", "sr_models", "figure1", "strata"), _MINI_SR, _BY_CONTENT, "Figure 4, no number",
    ),
    "stablesr": Claim(
        "StableSR is faithful, if less sharp: mostly low scores, and lower ones than the other diffusion models.",
        "3.2, Figure 4", "share, or difference of means",
        ("figure4", "sr_models", "figure1", "strata"), _MINI_SR, _BY_CONTENT, "Figure 4, no number",
    ),
    "gans": Claim(
        "BSRGAN and SwinIR are neither sharp nor faithful: less sharp than SeeSR and PASD, with higher scores than "
        "StableSR.",
        "3.2, Figure 4", "difference of means",
        ("figure4", "sr_models", "figure1", "strata"), _MINI_SR, _BY_CONTENT, "Figure 4, no number",
    ),
    "no_reference": Claim(
        "No no-reference measure aligns with fidelity.",
        "4.1, Table 2", "SRCC; 0.5 is halfway from the paper's best such measure to its moderately consistent ones",
        ("table2", "iqa_scatter", "figure1"), _MINI_NETS,
    ),
    "full_reference": Claim(
        "Full-reference measures are above no-reference ones.",
        "4.1, Table 2", "difference of mean SRCC",
        ("table2", "significance", "ranking"), _MINI_FORMULAS,
    ),
    "middle": Claim(
        "VIF, LPIPS, DISTS and A-FINE's fidelity term lie in the middle: moderately consistent, above the other "
        "measures, below fine-tuned foundation models.",
        "4.1, Tables 2 and 3", "difference of mean SRCC",
        ("table2", "table3", "ranking", "comparisons"), _MINI_FORMULAS,
    ),
    "vif": Claim(
        "VIF is comparable with or better than measures with learned features.",
        "4.1, Table 2", "difference of mean SRCC",
        ("table2", "significance"), _MINI_FORMULAS,
    ),
    "vit_score": Claim(
        "All four foundation backbones, untouched, are above ViT Score.",
        "4.2, Table 3", "difference of SRCC to ViT Score",
        ("table3", "ranking", "comparisons"), _MINI_NETS,
    ),
    "foundation": Claim(
        "Foundation backbones, untouched, are above image quality measures.",
        "1 and 4.1, Tables 2 and 3", "difference of mean SRCC",
        ("table2", "table3", "ranking"), _MINI_FORMULAS,
    ),
    "tuned_above": Claim(
        "Every fine-tuned backbone is above every image quality measure.",
        "4.2, Tables 2 and 3", "difference of SRCC and of PLCC",
        ("table3", "ranking", "comparisons"), _MINI_FORMULAS,
    ),
    "tuned": Claim(
        "Fine-tuned backbones are above untouched ones.",
        "4.2, Table 3", "difference of SRCC",
        ("table3", "metric_scatter", "comparisons"), _MINI_FINE_TUNING,
    ),
    "held_out": Claim(
        "SeeSR fine-tuned with alpha 0.1 and with 0.01 is more faithful than SeeSR by HLF metrics outside its loss.",
        "5, Table 4", "tuned less baseline (alpha)",
        (*_TABLES, "figure6"), _MINI_TUNING,
    ),
    "distortion": Claim(
        "SeeSR fine-tuned with either alpha is better than SeeSR in PSNR, SSIM and VIF, too.",
        "5, Table 4", "tuned less baseline (alpha)",
        _TABLES, _MINI_TUNING,
    ),
    "small_alpha": Claim(
        "Alpha 0.01 is better than 0.1 in HLF and in PSNR, SSIM and VIF.",
        "5, Table 4", "alpha 0.01 less alpha 0.1",
        _TABLES, _MINI_ALPHA,
    ),
    "every_measure": Claim(
        "Alpha 0.01 is better than SeeSR in every measure of Table 4, LPIPS and DISTS included.",
        "5, caption of Table 4", "tuned less baseline (alpha)",
        _TABLES, _MINI_TUNING,
    ),
}  # fmt: skip
