"""What is told of the votes of a run: the summary behind the card, from its tables and an export if there is one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.files import read_json
from hlf.paper.facts import HUMAN
from hlf.study.results import datasheet, flags
from hlf.study.results.findings import warning_of
from hlf.study.results.summary import before_after
from hlf.study.sources import SIMULATED

if TYPE_CHECKING:
    from hlf.release.finished import Finished

SUMMARY = "summary.json"  # of the export of a study


def summary_of(run: "Finished") -> dict[str, Any]:
    """Summary in the form of `findings.findings`, as far as the tables tell; what an export knows stands in it too.

    A study's export knows its question, late votes and people who declined; a table of votes does not.
    """
    votes, scores = run.tables["votes"], run.tables["scores"]
    source = str(run.config["study"]["votes"])
    known = read_json(Path(source) / SUMMARY) if (Path(source) / SUMMARY).is_file() else {}
    trials, people = votes[~votes["is_trap"]], votes.groupby("participant")["valid"].first()
    both = before_after(votes)
    counts = {
        "votes": len(trials), "valid_votes": int(trials["valid"].sum()), "trap_answers": int(votes["is_trap"].sum()),
        "people_with_votes": len(people), "people_excluded": int((~people).sum()),
        "pairs": len(scores), "complete_pairs": int((scores["status"] == "complete").sum()),
    }  # fmt: skip
    moved = int(((both["score"] - both["score_all"]).abs() > 0).sum())
    screening = {"version": flags.VERSION, "excluding": list(flags.DEFAULT_RULES), **known.get("screening", {})}
    return {
        **known,
        "title": f"High-level fidelity of super-resolution, run {run.facts.run}",
        "source": run.facts.votes,
        "warning": warning_of(run.facts.votes),
        "votes_per_pair": run.config["study"]["votes_per_pair"],
        "counts": {**known.get("counts", {}), **counts},
        "screening": {**screening, "pairs_moved": moved},
    }


def collection(run: "Finished", summary: dict[str, Any]) -> list[str]:
    """Paragraphs on how the votes came about."""
    if run.config["study"]["votes"] == SIMULATED:
        return [
            "Nobody was asked. Simulated people took part in the study's own platform: they say yes the more often, "
            "the more of the known content of a scene an independent network reads differently in the SR picture, and "
            "some of them are careless. Their votes test the software and stand for no person.",
        ]
    if "settings" not in summary:
        return [
            "The votes were given to the software as a table. How they were collected, and what people agreed to, is "
            "not known to it: whoever publishes this data set tells it here.",
        ]
    told = datasheet.collection(summary) if run.facts.votes == HUMAN else ""
    return [t for t in (told, f"{datasheet.takebacks(summary)}. {datasheet.exceptions(summary['counts'])}") if t]
