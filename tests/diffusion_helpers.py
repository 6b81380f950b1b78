"""What tests of the diffusion models share: a tiny zoo of each, and loading from it with few steps."""

from pathlib import Path

import torch

from hlf.images import to_tensor
from hlf.sr.registry import load_upscaler
from pasd_helpers import tiny_pasd_zoo
from seesr_helpers import tiny_seesr_zoo
from sr_helpers import picture
from stablesr_helpers import tiny_stablesr_zoo

ZOOS = {"seesr": tiny_seesr_zoo, "pasd": tiny_pasd_zoo, "stablesr": tiny_stablesr_zoo}
# tiles of the tiny StableSR are smaller than the official overlap
QUICK = {
    "seesr": {"steps": 2},
    "pasd": {"steps": 2, "process_size": 32},
    "stablesr": {"steps": 2, "latent_overlap": 4},
}


def load(name: str, zoo: Path, precision: str = "fp32", **options):
    """A model of its tiny zoo."""
    return load_upscaler(name, "mini", zoo, "cpu", precision, {**QUICK[name], **options})


def lr_batch(count=3, height=9, width=11):
    """LR images (count, 3, height, width), each another one."""
    return torch.stack([to_tensor(picture(height, width, phase)) for phase in range(count)])
