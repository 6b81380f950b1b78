"""Write the table of docs/licences.md: python docs/licences.py (called by make docs; tests/test_licences.py compares).

Models and data stand in hlf/zoo/assets.yaml, pictures and remarks in hlf/release/licences.py; libraries are those of
requirements*.txt, with the licence that the installed package tells. Nothing of these is written a second time here.
"""

import importlib.metadata
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from hlf.files import write_text  # noqa: E402
from hlf.release.licences import SCENES, remark  # noqa: E402
from hlf.zoo.assets import Asset, assets  # noqa: E402

PAGE = ROOT / "docs/licences.md"
LISTS = ("requirements.txt", "requirements-basicsr.txt")
BEGIN, END = "<!-- made by docs/licences.py -->", "<!-- end of the made table -->"

# names that packages give -> SPDX
SPDX = {
    "Apache": "Apache-2.0", "Apache 2.0": "Apache-2.0", "Apache License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0", "Apache 2.0 License": "Apache-2.0", "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0", "MIT License": "MIT", "BSD 3-Clause License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause", "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "ISC License": "ISC", "PSF": "PSF-2.0",
}  # fmt: skip
# what the metadata leaves out or says loosely; read in the licence file that the package brings
READ = {
    **dict.fromkeys(
        ("cycler", "gitdb", "itsdangerous", "Jinja2", "kiwisolver", "mpmath", "nodeenv", "scikit-image", "scipy",
         "segno", "sympy", "torchvision"), "BSD-3-Clause",
    ),
    **dict.fromkeys(
        ("axe-playwright-python", "conda-inject", "facexlib", "snakemake-interface-common",
         "snakemake-interface-logger-plugins", "snakemake-interface-report-plugins",
         "snakemake-interface-scheduler-plugins", "snakemake-interface-storage-plugins"), "MIT",
    ),
    "cuda-toolkit": "NVIDIA's terms (proprietary)",
    "docutils": "public domain, BSD-2-Clause and others",
    "matplotlib": "Matplotlib (after PSF-2.0)",
    "numba": "BSD-2-Clause",
    "nvidia-cusparselt-cu13": "NVIDIA's terms (proprietary)",
    "openai-clip": "none stated (the package has no licence file; openai/CLIP itself is MIT)",
    "packaging": "Apache-2.0 OR BSD-2-Clause",
    "pathspec": "MPL-2.0",
}  # fmt: skip
# by the beginning of a licence's name: who needs such libraries, and what follows
LIBRARIES = {
    "PolyForm": ("Tables 2 and 4, `sr_models`, `hlf iqa`, measures beside `hlf score`", "**no commercial use**"),
    "NVIDIA": ("torch on a GPU", "use with NVIDIA's hardware; do not pass on the files beyond what their terms allow"),
    "LGPL": ("`hlf study` on PostgreSQL", "must stay replaceable where you ship it"),
    "MPL": ("", "changes to their own files stay under it"),
    "none stated": ("CLIP-IQA and A-FINE, through pyiqa", "ask OpenAI before you pass it on"),
}
# what no list holds: (kind, what, licence, needed for, mind)
OTHERS = (
    ("model", "the mini zoo, `resources/zoo/mini`", "Apache-2.0", "everything at mini scale", ""),
    ("picture", "glyphs and photographs in scenes", "see right", "`hlf.scenes`, the mini zoo", SCENES),
    ("code", "Real-ESRGAN (xinntao/Real-ESRGAN), its degradation", "BSD-3-Clause", "`hlf.degradation.realesrgan`", ""),
    ("code", "Swin Transformer (microsoft/Swin-Transformer)", "MIT", "`hlf.nets.swin`", ""),
    ("code", "latent diffusion (CompVis/latent-diffusion), names of tensors", "MIT", "`hlf.nets.stablesr_keys`", ""),
    ("program", "Chromium", "BSD-3-Clause and others", "Figure 3, tests of the study's pages", ""),
    ("program", "nginx; PostgreSQL", "BSD-2-Clause; PostgreSQL", "a study on a server", ""),
    ("program", "Slurm; MUNGE", "GPL-2.0-or-later; GPL-3.0-or-later", "`profiles/slurm`", "runs apart from hlf"),
)


def packages() -> dict[str, str]:
    """Pinned packages and their versions, by name as the lists spell it."""
    lines = [line for name in LISTS for line in (ROOT / name).read_text(encoding="utf8").splitlines()]
    return dict(line.split("==") for line in lines if re.match(r"[\w.-]+==", line))


def licence_of(package: str) -> str:
    """SPDX name where there is one, of an installed package.

    Raises:
        ValueError: the package tells nothing that is understood; look into its files and add a line to READ.
    """
    if package in READ:
        return READ[package]
    told = importlib.metadata.metadata(package)
    expression = told.get("License-Expression")
    if expression:
        return expression.replace("LicenseRef-NVIDIA-Proprietary", "NVIDIA's terms (proprietary)")
    kinds = [line.rpartition(" :: ")[2] for line in told.get_all("Classifier") or [] if line.startswith("License ::")]
    loose = (told.get("License") or "").strip().partition("\n")[0]
    for name in [loose, *kinds]:
        known = SPDX.get(name, name)
        if re.fullmatch(r"(MIT|ISC|(Apache|BSD|MPL|PSF|LGPL)-[\w.-]+)( (AND|OR) [\w.-]+)*", known):
            return known
    raise ValueError(f"{package} states its licence as {loose!r}, {kinds}: read its files, add it to READ")


def row(*cells: str) -> str:
    """One line of the table."""
    return f"| {' | '.join(cells)} |"


def asset_rows() -> list[str]:
    """Data sets and models of the manifest; other sizes of a network stand in its row."""
    together: dict[str, list[str]] = {}
    for name, asset in assets().items():
        first = next((f for f in together if name.startswith(f"{f}-") and _alike(assets()[f], asset)), name)
        together.setdefault(first, []).append(name)
    lines = []
    for first, names in together.items():
        asset = assets()[first]
        links = ", ".join(f"[{name}]({assets()[name].page.removeprefix('docs/')})" for name in names)
        what = f"{links}: {asset.title}; {asset.publisher}"
        lines.append(row(asset.kind, what, asset.licence, f"`{asset.loader or asset.setting}`", remark(asset.licence)))
    return lines


def _alike(one: Asset, other: Asset) -> bool:
    """Whether two assets come from the same people under the same terms."""
    return (one.publisher, one.licence, one.loader) == (other.publisher, other.licence, other.loader)


def library_rows() -> list[str]:
    """Libraries by licence, the most frequent one first."""
    together = defaultdict(list)
    for name in packages():
        together[licence_of(name)].append(name)
    lines = []
    for licence, names in sorted(together.items(), key=lambda item: (-len(item[1]), item[0])):
        needed, mind = next((about for start, about in LIBRARIES.items() if licence.startswith(start)), ("", ""))
        lines.append(row("library", ", ".join(names), licence, needed, mind))
    return lines


def made() -> str:
    """The whole table."""
    head = [row("kind", "what", "licence", "needed for", "mind"), "|---|---|---|---|---|"]
    return "\n".join(head + asset_rows() + [row(*cells) for cells in OTHERS] + library_rows())


def main() -> None:
    """Write the table between its marks."""
    before, _, rest = PAGE.read_text(encoding="utf8").partition(BEGIN)
    write_text(PAGE, f"{before}{BEGIN}\n{made()}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
