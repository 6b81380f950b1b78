"""What is said of licences: of the data, of the pictures, and of the weights behind them."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hlf.release.finished import Finished

# procedural scenes hold parts of these; as the packages that ship them say
SCENES = (
    "Scenes are drawn by this software. They hold glyphs of the DejaVu fonts (Bitstream Vera licence, which allows "
    "embedding) and crops of photographs that scikit-image ships: astronaut (NASA) and rocket (SpaceX), both in the "
    "public domain; chelsea (Stefan van der Walt), coffee (Rachel Michetti), brick, grass and gravel, all CC0; "
    "motorcycle, from the Middlebury 2014 stereo benchmark (Nesic, Westling, Wang, Kitajima, Krathwohl, Scharstein)."
)
LEFT_OUT = (
    "No picture is in this package. Each picture made again from its recipe, GT, LR or SR, derives from a photograph "
    "and stays under the licence of that photograph. In KonIQ-10k every photograph has a Creative Commons licence of "
    "its own, and some of them forbid derived works or commercial use."
)
# by the beginning of a licence's name: what follows for whoever uses or passes on what is made with such weights
REMARKS = {
    "OpenRAIL++": "use-based restrictions (Attachment A) bind every user and must be passed on",
    "CreativeML-OpenRAIL": "use-based restrictions (Attachment A) bind every user and must be passed on",
    "S-Lab": "for non-commercial use; ask its authors for any other",
    "none stated": "no licence is stated, so ask its authors before you pass anything on",
}
# Attachment A of both OpenRAIL licences of Stable Diffusion, in our words; its own text binds, not this
RESTRICTIONS = (
    "break any law or regulation",
    "exploit or harm minors",
    "spread false information, or content made by a machine as if it were not, in order to harm others",
    "use personal data to harm a person",
    "defame, insult or harass others",
    "decide by machine alone what touches a person's rights or creates binding duties",
    "discriminate against people for their behaviour, nature or legally protected traits",
    "exploit people's weaknesses in a way that may hurt them",
    "give medical advice or interpret medical results",
    "serve law enforcement or immigration by predicting people's conduct",
)
SPDX = (
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "apache-2.0",
    "mit",
    "odc-by",
    "odbl",
)


def remark(licence: str) -> str:
    """What must be known of a licence beyond its name; "" for most."""
    return next((text for start, text in REMARKS.items() if licence.startswith(start)), "")


def card_name(licence: str) -> str:
    """A licence as the YAML part of a card names it: the hub's own name, or "other".

    >>> card_name("CC-BY-4.0"), card_name("our own terms"), card_name("OpenRAIL++-M")
    ('cc-by-4.0', 'other', 'openrail++')
    """
    name = licence.lower()
    if name.startswith("openrail++"):
        return "openrail++"
    if name.startswith("creativeml-openrail"):
        return "creativeml-openrail-m"
    return name if name in SPDX or name.startswith("bsd-") else "other"


def weight_table(weights: Iterable[Mapping[str, Any]]) -> str:
    """Markdown table of weight files' entries with licence, source and remark."""
    rows = {(w["entry"], w["licence"], w["source"]): remark(w["licence"]) for w in weights}
    lines = [f"| {name} | {licence} | {source} | {text} |" for (name, licence, source), text in sorted(rows.items())]
    return "\n".join(["| weights | licence | source | mind |", "|---|---|---|---|", *lines])


def restrictions() -> str:
    """Markdown paragraph on the restrictions of OpenRAIL licences."""
    things = "\n".join(f"- {thing};" for thing in RESTRICTIONS)
    return (
        "These weights derive from Stable Diffusion. Whoever uses them, or passes them on, changed or not, is bound by "
        "the use-based restrictions of its licence, must bind the next user by the same, and must give a copy of the "
        "licence along, which lies at the source named above. In short, and without replacing its text, it is "
        f"forbidden to use them to\n\n{things}"
    )


def dataset_licences(run: "Finished") -> str:
    """Markdown page on the licence of everything inside a data set package."""
    data, images = run.release["licence"], run.config["images"]["source"]
    parts = ["# Licences", f"Votes, scores, splits, values of measures and texts: **{data}**."]
    if images == "scenes":
        parts += [f"Pictures and their recipes: **{data}**. {SCENES}"]
    elif run.copies:
        parts += [f"GT pictures, and LR and SR pictures derived from them: **{run.release['image_licence']}**."]
    else:
        parts += [LEFT_OUT]
    parts += [
        "SR pictures and values of learned measures were made with these weights, none of which is in this package:",
        weight_table(run.origin["weights"]),
        "The software that made all of it, hlf, is under Apache-2.0.",
    ]
    return "\n\n".join(parts) + "\n"
