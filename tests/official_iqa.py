"""An official zoo of made-up weights for the learned measures, in the published formats."""

import warnings
from pathlib import Path

import torch


def light(state, keep=lambda _: True):
    """A state dict whose large unused tensors take no room in a file: one number, repeated."""
    return {name: t if keep(name) else torch.zeros(1).expand(t.shape) for name, t in state.items()}


def write_lpips(folder: Path) -> None:
    """AlexNet and the learned weights of LPIPS, under their published names."""
    from torchvision.models import alexnet

    torch.manual_seed(1)
    network = alexnet(weights=None)
    torch.save(light(network.state_dict(), lambda n: n.startswith("features")), folder / "alexnet-owt-7be5be79.pth")
    channels = enumerate((64, 192, 384, 256, 256))
    learned = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in channels}
    torch.save(learned, folder / "LPIPS_v0.1_alex-df73285e.pth")


def write_dists(folder: Path) -> None:
    """VGG16 and the learned weights of DISTS, under their published names."""
    from torchvision.models import vgg16

    torch.manual_seed(2)
    with torch.device("meta"):
        names = vgg16(weights=None).state_dict()
    state = {name: torch.empty(t.shape).normal_(0, 0.05) for name, t in names.items() if name.startswith("features")}
    state |= {name: torch.zeros(1).expand(t.shape) for name, t in names.items() if name not in state}
    torch.save(state, folder / "vgg16-397923af.pth")
    learned = {name: torch.rand(1, 1475, 1, 1) for name in ("alpha", "beta")}
    torch.save(learned, folder / "DISTS_weights-f5e65c96.pth")


def write_clip(folder: Path) -> None:
    """A small CLIP of OpenAI's ResNet form, as a TorchScript archive."""
    from pyiqa.archs.clip_model import CLIP

    class Traceable(CLIP):
        def picture(self, x):
            return self.encode_image(x, False)

    torch.manual_seed(3)
    model = Traceable(32, 64, (1, 1, 1, 1), 64, None, 77, 49408, 64, 1, 1).eval()
    with warnings.catch_warnings():
        # torch advises against the format, but the weights are published in no other
        warnings.simplefilter("ignore")
        script = torch.jit.trace_module(model, {"picture": torch.zeros(1, 3, 64, 64)}, check_trace=False)
        torch.jit.save(script, folder / "RN50.pt")
