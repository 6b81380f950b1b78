"""The datasheet of an export: what the data are, how they were made, and what they must not be used for.

Its parts serve the card of a released data set too (`hlf.release.card`).
"""

from typing import Any

from hlf.study.results.flags import RULES

WHY = (
    "The votes tell how often people see that super-resolution changed what a picture shows (high-level fidelity). "
    "They are made to train and judge metrics of it."
)
FITNESS = (
    "Use `score` only where status is complete, with its interval: a score of 12 votes is uncertain by about a "
    "quarter. Pairs of one GT image are not independent; keep them on one side of any split."
)
NEVER_MIX = "Votes of different sources (people, simulation, models) must never be averaged."


def datasheet(summary: dict[str, Any], with_recruit_ids: bool) -> str:
    """Markdown page, after the questions of Gebru et al., "Datasheets for Datasets" (2021), filled from the summary.

    Args:
        summary: of `findings.findings`.
        with_recruit_ids: whether table `recruit` lies in the folder.
    """
    parts = [
        f"# Datasheet: {summary['title']}",
        f"**{summary['warning']}**" if summary["warning"] else "",
        f"Study {summary['study']}, pairs of run {summary['run']}, source of votes: {summary['source']}, state: "
        f"{summary['study_status']}, seed {summary['seed']}, configuration {summary['config_hash']}.",
        "## Why",
        WHY,
        "## What is in it",
        *contents(summary),
        "The images are not in the folder; gt_file and sr_file are their paths in the pipeline's results.",
        "## How it was collected",
        collection(summary),
        f"{takebacks(summary)}, and `revisions` tells how often. {exceptions(summary['counts'])}",
        "## Screening",
        f"{screening(summary)} The other rules only flag (table screening). {excluded(summary)}",
        "## What it is fit for, and what not",
        f"{FITNESS} Answers hold for the displays of the participants (dpr, css_w), at which fine detail may be lost.",
        f"Sensitivity, specificity, bias and slope describe people and are no other scores. {NEVER_MIX}",
        "## Privacy",
        "There are no names, e-mail or network addresses. Participant names are random. Statements on age, sight and "
        "expertise are voluntary. Read the comments before you publish: people may have written something personal.",
        "Table recruit links participants to a recruiting site. Do not publish it."
        if with_recruit_ids
        else "Names of a recruiting site are not in this export.",
        "## Versions",
        ", ".join(f"{name} {version}" for name, version in sorted(summary["versions"].items())) + ".",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def contents(summary: dict[str, Any]) -> tuple[str, str]:
    """How many answers, what they mean, and how many pairs are complete: two paragraphs."""
    counts = summary["counts"]
    return (
        f"{counts['votes']} answers of {counts['people_with_votes']} participants to {counts['pairs']} pairs of a "
        f"ground truth (GT) and a super-resolved (SR) image, and {counts['trap_answers']} answers to traps, pairs "
        "whose answer is known. An answer is yes (1, the content changed) or no (0). The score of a pair is the mean "
        "of its valid answers, in [0, 1]; higher means that more people saw a change.",
        f"{counts['complete_pairs']} of {counts['pairs']} pairs are complete, that is, have at least "
        f"{summary['votes_per_pair']} valid votes. Rows with status incomplete are not scores yet.",
    )


def collection(summary: dict[str, Any]) -> str:
    """How people were asked by the study's own platform."""
    question = summary["settings"].get("question", "")
    return (
        (f'The question under each pair was: "{question}" ' if question else "")
        + "Participants saw one pair at a time on their own devices: this is a crowd test, not a laboratory test after "
        "BT.500. They agreed to the text whose SHA-256 is consent_hash and passed a practice with known answers, which "
        "does not count."
    )


def takebacks(summary: dict[str, Any]) -> str:
    """That answers could be taken back: a sentence without its full stop."""
    people = "Participants" if summary["source"] == "human" else f"Participants ({summary['source']})"
    return f"{people} may have taken answers back; the last one counts"


def exceptions(counts: dict[str, int]) -> str:
    """Late votes, and people who did not agree or withdrew."""
    return (
        f"{counts['late_votes']} votes came after their time limit and count. {counts['declined']} people did not "
        "agree; of them nothing but this number is kept. Votes of people who withdrew are deleted."
    )


def screening(summary: dict[str, Any]) -> str:
    """Version of the screening and the rules that exclude people."""
    found = summary["screening"]
    excluding = "; ".join(f"{name}: {RULES[name]}" for name in found["excluding"]) or "none"
    return f"Rules {found['version']}. Rules that exclude people: {excluding}."


def excluded(summary: dict[str, Any]) -> str:
    """How many people the screening left out, and what that did to the scores."""
    counts, moved = summary["counts"], summary["screening"]["pairs_moved"]
    return (
        f"{counts['people_excluded']} of {counts['people_with_votes']} participants are excluded; their "
        f"votes stay in the table with valid = False. Screening moved {moved} scores."
    )
