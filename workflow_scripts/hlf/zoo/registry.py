"""Which files each model needs, where they are published, and under which licence. Two zoos, never mixed."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from hlf.errors import HlfError
from hlf.files import sha256

ZOOS = ("mini", "official")
_OWN = "trained by this project (snakemake train_zoo)"
_HUB = "model hub entry"


@dataclass(frozen=True)
class Entry:
    """Weights of one model of one zoo.

    Attributes:
        files: paths relative to the zoo folder, all needed.
        source: where they are published, in words.
        licence: SPDX name.
        loader: module that reads them.
    """

    files: tuple[str, ...]
    source: str
    licence: str
    loader: str


def _mini(name: str, loader: str) -> Entry:
    return Entry((f"{name}/config.json", f"{name}/model.safetensors"), _OWN, "Apache-2.0", loader)


_SWINIR = "GitHub release v0.0 of JingyunLiang/SwinIR"
ENTRIES: dict[tuple[str, str], Entry] = {
    ("mini", "bsrgan"): _mini("bsrgan", "hlf.sr.bsrgan"),
    ("mini", "swinir"): _mini("swinir", "hlf.sr.swinir"),
    ("mini", "pe-core"): _mini("pe-core", "hlf.backbones"),
    ("mini", "dinov2"): _mini("dinov2", "hlf.backbones"),
    # content reader of the simulated observers, and network of the perceptual loss: the official world needs neither
    ("mini", "reader"): _mini("reader", "hlf.nets.reader"),
    ("mini", "vgg"): _mini("vgg", "hlf.nets.vgg"),
    ("official", "bsrgan"): Entry(
        ("BSRGAN.pth",), "GitHub release v1.0 of cszn/KAIR", "Apache-2.0", "hlf.sr.bsrgan"
    ),
    ("official", "swinir"): Entry(
        ("003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x4_GAN.pth",), _SWINIR, "Apache-2.0", "hlf.sr.swinir"
    ),
    ("official", "swinir-l"): Entry(
        ("003_realSR_BSRGAN_DFOWMFC_s64w8_SwinIR-L_x4_GAN.pth",), _SWINIR, "Apache-2.0", "hlf.sr.swinir"
    ),
    ("official", "pe-core"): Entry(
        ("PE-Core-L-14-336/open_clip_model.safetensors",),
        f"{_HUB} timm/PE-Core-L-14-336", "Apache-2.0", "hlf.backbones",
    ),
    ("official", "dinov2"): Entry(
        ("dinov2-base/config.json", "dinov2-base/model.safetensors"),
        f"{_HUB} facebook/dinov2-base", "Apache-2.0", "hlf.backbones",
    ),
}  # fmt: skip


def entry(zoo: str, name: str) -> Entry:
    """Registry entry of a model; HlfError lists what the zoo holds when there is none."""
    if zoo not in ZOOS:
        raise HlfError(f"zoo '{zoo}' is unknown, expected one of {', '.join(ZOOS)}")
    if (zoo, name) not in ENTRIES:
        known = ", ".join(n for z, n in ENTRIES if z == zoo)
        raise HlfError(f"zoo '{zoo}' has no model '{name}', expected one of {known}")
    return ENTRIES[zoo, name]


def find_weights(zoo: str, folder: str | Path, name: str) -> list[Path]:
    """Paths of a model's files in `folder`, the folder of that zoo; another zoo is never looked at.

    Raises:
        HlfError: unknown zoo or name, or a file is missing; names it, its source, licence and the folder to put it in.
    """
    wanted = entry(zoo, name)
    paths = [Path(folder) / file for file in wanted.files]
    for path in paths:
        if not path.is_file():
            raise HlfError(
                f"zoo '{zoo}' lacks the weights of '{name}': {path} does not exist; source: {wanted.source}, "
                f"licence {wanted.licence}; put {path.name} into {path.parent}"
            )
    return paths


def weights_sha256(paths: list[Path]) -> str:
    """One SHA-256 for a model's files: of the file itself, or of the sorted names and digests when there are several.

    Names without folders, so that a moved zoo keeps its digest.
    """
    digests = sorted(f"{path.name} {sha256(path)}" for path in paths)
    if len(digests) == 1:
        return digests[0].split()[-1]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
