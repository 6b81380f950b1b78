"""The measures that can be asked for, each with its direction, range and conventions: the only place that names them.

Paper 4.1 names the measures but no options. Earlier public code of its authors calls pyiqa with default options on RGB
images in [0, 1], and the VIF values of Table 4 fit pyiqa's wavelet VIF; so the defaults of pyiqa are used here.
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hlf.errors import HlfError
from hlf.zoo.registry import weight_paths, with_needs

if TYPE_CHECKING:
    from hlf.iqa.picture import Picture


@dataclass(frozen=True)
class Source:
    """Where metrics take their weights from, and how.

    Attributes:
        zoo: mini or official.
        folder: folder of that zoo.
        trust_koniqpp_file: open KonIQ++'s official pickle although it may run code.
        joint_mask: detector: JOINT asks its artifact detector which patches may move; empty: all of them may.
        seed: the configuration's seed, from which JOINT's shuffles are drawn.
    """

    zoo: str
    folder: Path
    trust_koniqpp_file: bool = False
    joint_mask: str = "detector"
    seed: int = 0


class Measure(Protocol):
    """What a group's module builds.

    Attributes:
        version: what computed the last values, for result rows.
    """

    version: str

    def __call__(self, sr: "Picture", gt: "Picture") -> dict[str, float]:
        """Values of all metrics of the group, by name; HlfError when no number comes out.

        Work on the GT alone is kept for the next call, so pairs of one GT belong one after the other.

        Args:
            sr: the judged picture.
            gt: the reference, the same object for all pairs of one GT.
        """


@dataclass(frozen=True)
class Group:
    """Measures that one pass of a network, or one formula, gives together.

    Attributes:
        module: its function `load(group, source)` gives the `Measure`.
        entries: entries of the zoo that it reads; none for formulas.
    """

    module: str
    entries: tuple[str, ...] = ()


GROUPS = {
    **{name: Group("hlf.iqa.formulas") for name in ("psnr", "psnry", "ssim", "ssimc", "vif")},
    "lpips": Group("hlf.iqa.features", ("lpips",)),
    "dists": Group("hlf.iqa.features", ("dists",)),
    "afine": Group("hlf.iqa.afine", ("afine",)),
    "clipiqa": Group("hlf.iqa.clipiqa", ("clipiqa",)),
    "koniqpp": Group("hlf.iqa.judges", ("koniqpp",)),
    "joint": Group("hlf.iqa.judges", ("joint",)),
}


@dataclass(frozen=True)
class Metric:
    """One measure.

    Attributes:
        name: as in configuration and tables.
        group: key of GROUPS.
        kind: "FR" (compares SR with GT) or "NR" (sees the SR image only).
        lower_better: direction.
        range: lowest and highest value that usual images reach.
        min_side: smallest image side in pixels that it works on.
        convention: colour space, border, value range, resize; written into every row.
        more: entries of the official zoo that it needs beside its group's.
    """

    name: str
    group: str
    kind: str
    lower_better: bool
    range: tuple[float, float]
    min_side: int
    convention: str
    more: tuple[str, ...] = ()

    def said(self, zoo: str) -> str:
        """The convention as a row of that zoo bears it: a mini twin says what it has in place of official parts."""
        twin = MINI.get(self.group, "") if zoo == "mini" else ""
        return f"mini: {twin}" if twin else self.convention


_CLIP = "RGB, CLIP mean and deviation"
_KONIQPP = "KonIQ++: RGB, resized to its input size (bilinear, antialiased), ImageNet mean and deviation"
_JOINT = "JOINT: RGB, shorter side resized and centre cropped to its input size, ImageNet mean and deviation"
_DETECTOR = ("joint-detector",)
_AFINE = f"pyiqa parts: {_CLIP}, sides enlarged to multiples of the patch (bicubic) as the official script"
_ALL = (
    Metric("psnr", "psnr", "FR", False, (0, 80), 1, "pyiqa-default: RGB, no border, [0,1], unrounded, 80 = identical"),
    Metric("psnry", "psnry", "FR", False, (0, 80), 1, "pyiqa-default: Y of YIQ, no border, [0,1], unrounded"),
    Metric("ssim", "ssim", "FR", False, (0, 1), 11, "pyiqa-default: Y of YIQ, rounded to 0..255, valid region"),
    Metric("ssimc", "ssimc", "FR", False, (0, 1), 11, "pyiqa-default: mean of RGB, rounded to 0..255, valid region"),
    Metric(
        "vif", "vif", "FR", False, (0, 1), 33,
        "pyiqa-default: wavelet VIF (steerable pyramid), Y of YIQ, rounded to 0..255, noise variance 0.4",
    ),
    Metric("lpips", "lpips", "FR", True, (0, 1), 32, "pyiqa-default: 0.1, AlexNet, [-1,1], spatial mean, no resize"),
    Metric("dists", "dists", "FR", True, (0, 1), 16, "pyiqa-default: VGG16 with L2 pooling, ImageNet mean, no resize"),
    Metric("afine", "afine", "FR", True, (-10, 10), 32, f"{_AFINE}; raw total"),
    Metric("afine_scale", "afine", "FR", True, (0, 100), 32, f"{_AFINE}; total mapped to 0..100"),
    Metric("afine_fr", "afine", "FR", True, (-2, 2), 32, f"{_AFINE}; fidelity term"),
    Metric("afine_nr", "afine", "NR", True, (-2, 2), 32, f"{_AFINE}; naturalness term"),
    Metric("clipiqa", "clipiqa", "NR", False, (0, 1), 32, f"pyiqa-default: {_CLIP}, five pairs of prompts, no resize"),
    Metric("koniqpp_blur", "koniqpp", "NR", True, (-100, 100), 1, f"{_KONIQPP}; raw output, correlations only"),
    Metric("koniqpp_artifacts", "koniqpp", "NR", True, (-100, 100), 1, f"{_KONIQPP}; raw output, correlations only"),
    Metric("koniqpp_quality", "koniqpp", "NR", False, (0, 100), 1, f"{_KONIQPP}; mean opinion score 0..100"),
    Metric("joint_rationality", "joint", "NR", False, (0, 5), 1, f"{_JOINT}, of the structure image"),
    Metric("joint_technical", "joint", "NR", False, (0, 5), 1, f"{_JOINT}, of the patch-shuffled image", _DETECTOR),
    Metric("joint_naturalness", "joint", "NR", False, (0, 5), 1, f"{_JOINT}; 0.145 T + 0.769 R", _DETECTOR),
)  # fmt: skip

# what the mini twins of learned metrics do otherwise; formulas are the same in both zoos
MINI = {
    "lpips": "mini VGG on [-1,1], features of unit length, no learned weights, spatial mean, no resize",
    "dists": "mini VGG on [-1,1] with max pooling, equal weights, no resize",
    "afine": "heads on the mini CLIP, sides enlarged to multiples of 16 (bicubic)",
    "clipiqa": "mini CLIP (ViT, with positions), five pairs of prompts, no resize",
    "koniqpp": "resized to 128x128 (bilinear, antialiased), ImageNet mean and deviation",
    "joint": "shorter side 110, centre 64, ImageNet mean and deviation, every patch may move",
}

METRICS = {metric.name: metric for metric in _ALL}


def get_metric(name: str) -> Metric:
    """The metric called `name`; HlfError lists the known ones when there is none.

    >>> get_metric("vif").kind
    'FR'
    """
    if name not in METRICS:
        raise HlfError(f"iqa.metrics names {name!r}, expected some of {', '.join(METRICS)}")
    return METRICS[name]


def load_measure(group: str, source: Source) -> Measure:
    """The measure of a group with its weights; HlfError when they are missing or wrong."""
    measure: Measure = importlib.import_module(GROUPS[group].module).load(group, source)
    return measure


def entries(name: str, zoo: str, joint_mask: str = "detector") -> list[str]:
    """Entries of a zoo that a metric reads, needs of theirs included."""
    metric = get_metric(name)
    more = metric.more if zoo == "official" and joint_mask == "detector" else ()
    found = [need for entry in (*GROUPS[metric.group].entries, *more) for need in with_needs(zoo, entry)]
    return list(dict.fromkeys(found))


def weight_files(names: Iterable[str], source: Source) -> list[Path]:
    """Files that metrics read, present or not."""
    found = [
        p
        for n in names
        for e in entries(n, source.zoo, source.joint_mask)
        for p in weight_paths(source.zoo, source.folder, e)
    ]
    return list(dict.fromkeys(found))


def missing_weights(name: str, source: Source) -> str:
    """Name of the first file that a metric lacks; "" when all are there."""
    return next((path.name for path in weight_files([name], source) if not path.is_file()), "")
