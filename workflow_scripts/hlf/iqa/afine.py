"""A-FINE (Chen et al., CVPR 2025): fidelity to the GT, naturalness of both pictures, and their combination.

The parts are pyiqa's; the pass is ours, because pyiqa builds the same network once for each of the four outputs, writes
into its inputs, and refuses sides that are not multiples of the patch, where the official script enlarges the pictures.
Lower is better for every output.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.iqa.formulas import pyiqa_version
from hlf.iqa.picture import Picture
from hlf.iqa.registry import Source
from hlf.zoo.load import check_state, load_strict, read_state
from hlf.zoo.registry import find_weights

if TYPE_CHECKING:
    from torch import Tensor

# sections of the published file: the fine-tuned CLIP, both heads, both maps to a common scale, the combination
HEADS = ("natural", "fidelity", "fidelity_scale", "natural_scale", "adapter")
SECTIONS = ("finetuned_clip", *HEADS)


class Afine:
    """All outputs of A-FINE in one pass, with the share of the GT kept for the next picture.

    Args:
        parts: section -> network, as `build_parts` gives them.
    """

    def __init__(self, parts: "Mapping[str, Any]") -> None:
        self.parts, self.version = parts, pyiqa_version()
        self.patch = int(parts["finetuned_clip"].visual.conv1.stride[0])
        self.gt: tuple[Picture, tuple[Tensor, list[Tensor], Tensor]] | None = None

    def __call__(self, sr: Picture, gt: Picture) -> dict[str, float]:
        """Afine (raw total), afine_scale (0..100), afine_fr and afine_nr (-2..2)."""
        import torch
        from pyiqa.archs.afine_arch import scale_finalscore

        with torch.inference_mode():
            if self.gt is None or self.gt[0] is not gt:
                self.gt = gt, self._seen(gt)
            (x, x_features, x_natural), (y, y_features, y_natural) = self._seen(sr), self.gt[1]
            raw = self.parts["fidelity"](x, y, x_features, y_features)
            fidelity = self.parts["fidelity_scale"](raw)
            total = self.parts["adapter"](x_natural, y_natural, fidelity)
            found = {
                "afine": total,
                "afine_scale": scale_finalscore(total),
                "afine_fr": fidelity,
                "afine_nr": x_natural,
            }
        return {name: float(value) for name, value in found.items()}

    def _seen(self, picture: Picture) -> "tuple[Tensor, list[Tensor], Tensor]":
        """Normalised picture (1, 3, H, W), tokens of every block (1, n, width), naturalness (1, 1)."""
        x, features = self.features(picture.tensor)
        return x, features, self.parts["natural_scale"](self.parts["natural"](x, features))

    def features(self, images: "Tensor") -> "tuple[Tensor, list[Tensor]]":
        """Normalised pictures (N, 3, H, W), and the tokens of every block (N, n, width)."""
        x = self.prepare(images)
        return x, self.parts["finetuned_clip"].encode_image(x)[1]

    def prepare(self, images: "Tensor") -> "Tensor":
        """RGB (N, 3, H, W) in [0, 1] by CLIP's statistics, its sides enlarged to multiples of the patch (official)."""
        from torch.nn import functional as F

        head = self.parts["natural"]
        x = (images - head.mean) / head.std
        sides = [math.ceil(side / self.patch) * self.patch for side in x.shape[-2:]]
        if sides == list(x.shape[-2:]):
            return x
        return F.interpolate(x, sides, mode="bicubic", align_corners=False)


def build_parts(
    clip: "Mapping[str, Tensor]",
    heads: "Mapping[str, Mapping[str, Tensor]] | None",
    path: str | Path,
    hidden: int = 128,
) -> dict[str, Any]:
    """Networks of all sections in eval mode, sizes read from the weights.

    Args:
        clip: state dict of the fine-tuned CLIP.
        heads: section -> state dict of each of HEADS; None: heads as they start.
        path: file, for sentences.
        hidden: width of the naturalness head, where `heads` do not tell.

    Raises:
        HlfError: a section or key is missing, unknown or of another shape.
    """
    from pyiqa.archs.afineclip_model import build_model

    try:
        network = build_model(dict(clip))
    except (KeyError, RuntimeError, AssertionError, AttributeError) as error:
        raise HlfError(f"checkpoint {path} holds no CLIP: {str(error).splitlines()[0]}; fetch it again") from error
    check_state(network.state_dict(), dict(clip), path)  # for NaN; the shapes fit already
    missing = [name for name in HEADS if heads is not None and name not in heads]
    if missing:
        raise HlfError(f"checkpoint {path} lacks section '{missing[0]}', expected {', '.join(HEADS)}; fetch it again")
    if heads is not None and "proj_feat.weight" in heads["natural"]:
        hidden = heads["natural"]["proj_feat.weight"].shape[0]
    parts = build_heads(network.visual.class_embedding.shape[0], len(network.visual.transformer.resblocks), hidden)
    for name, state in (heads or {}).items():
        if name in parts:
            load_strict(parts[name], dict(state), path)
    parts["finetuned_clip"] = network
    return {name: part.float().eval().requires_grad_(False) for name, part in parts.items()}


def build_heads(width: int, layers: int, hidden: int = 128) -> dict[str, Any]:
    """The networks of HEADS as they start, for a CLIP of `layers` blocks of `width`; published ones: 768, 12, 128."""
    from pyiqa.archs import afine_arch as arch

    channels = (3, *[width] * layers)
    limits = {"yita3_upper": 0.95, "yita3_lower": 0.05, "yita4_upper": 0.70, "yita4_lower": 0.01}
    return {
        "natural": arch.AFINEQhead(channels, 1, width, hidden),
        "fidelity": arch.AFINEDhead(channels),
        "fidelity_scale": arch.AFINENLM_FR_Fit_with_limit(2, -2, 0.5, 0.15, **limits),
        "natural_scale": arch.AFINENLM_NR_Fit(2, -2, 0.0, 1.0),
        "adapter": arch.AFINELearnLambda(),
    }


def load(name: str, source: Source) -> Afine:
    """A-FINE with its weights; the mini one is the mini CLIP with heads trained on it.

    Args:
        name: afine.
        source: of weights.

    Raises:
        HlfError: missing or wrong weights.
    """
    paths = find_weights(source.zoo, source.folder, name)
    if source.zoo == "mini":
        clip = read_state(find_weights(source.zoo, source.folder, "clip")[-1])
        return Afine(build_parts(clip, sections(read_state(paths[-1])), paths[-1]))
    (path,) = paths
    # opened section by section, because each of them is a state dict of its own
    state = {section: read_state(path, (section,), mapped=True) for section in SECTIONS}
    return Afine(build_parts(state["finetuned_clip"], state, path))


def sections(flat: "Mapping[str, Tensor]") -> "dict[str, dict[str, Tensor]]":
    """Section -> state dict, from names `section/key`."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in flat.items():
        section, _, key = name.partition("/")
        found.setdefault(section, {})[key] = tensor
    return found
