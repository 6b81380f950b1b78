"""The list of all weights: which files each model needs, where they are published, under which licence.

What is official stands in assets.yaml, and nowhere else.
"""

from dataclasses import dataclass

from hlf.zoo.assets import Asset, assets

ZOOS = ("mini", "official")
_OWN = "trained by this project (snakemake train_zoo)"


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


def _official(asset: Asset) -> Entry:
    older = tuple((file.path, other) for file in asset.files for other in file.older)
    paths = tuple(file.path for file in asset.files)
    return Entry(paths, asset.source, asset.licence, asset.loader, asset.needs, older)


def _like(name: str, folder: str, needs: tuple[str, ...] = ()) -> Entry:
    """A mini model whose files are named as those of an official one, in a folder of its own."""
    theirs = _official(assets()[name])
    files = tuple(_moved(file, folder) for file in theirs.files)
    older = tuple((_moved(new, folder), _moved(old, folder)) for new, old in theirs.older)
    return Entry(files, _OWN, "Apache-2.0", theirs.loader, needs, older)


def _moved(path: str, folder: str) -> str:
    return f"{folder}/{path.partition('/')[2]}"


# files of an SR model on a base model, below its folder
STEERED = tuple(file.path.partition("/")[2] for file in assets()["seesr"].files)
_MODEL = ("config.json", "model.safetensors")
_TAGS = ("ram_tag_list.txt", "ram_tag_list_threshold.txt")
ENTRIES: dict[tuple[str, str], Entry] = {
    ("mini", "bsrgan"): _mini("bsrgan", "hlf.sr.bsrgan"),
    ("mini", "swinir"): _mini("swinir", "hlf.sr.swinir"),
    ("mini", "pe-core"): _mini("pe-core", "hlf.backbones"),
    ("mini", "dinov2"): _mini("dinov2", "hlf.backbones"),
    ("mini", "vit"): _mini("vit", "hlf.backbones"),
    ("mini", "blip"): _mini("blip", "hlf.backbones"),
    ("mini", "sd-base"): _like("sd-base", "sd-base"),
    ("mini", "seesr"): _like("seesr", "seesr", ("sd-base", "sd-unet", "ram", "dape")),
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
    ("mini", "pasd"): _like("pasd", "pasd", ("sd-base", "sd-unet", "coca")),
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
    ("mini", "reader"): _mini("reader", "hlf.scenes.reader"),
    ("mini", "vgg"): _mini("vgg", "hlf.nets.vgg"),
    ("mini", "koniqpp"): _mini("koniqpp", "hlf.iqa.koniqpp"),
    ("mini", "joint"): _mini("joint", "hlf.iqa.joint"),  # without artifact detector
    **{("official", asset.name): _official(asset) for asset in assets().values() if asset.kind == "model"},
}  # fmt: skip
