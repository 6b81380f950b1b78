"""What a study holds, as plain tables: read from the database by one module, judged and exported by others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError

if TYPE_CHECKING:
    import pandas as pd

# columns of the tables of StudyData: name -> meaning; "or missing" may be None or NaN, everything else must be there
VOTES = {
    "participant": "who answered; a row of participants",
    "pair": "name of the pair or trap (pair.name in the database); a row of pairs or traps",
    "answer": "1 = the content changed, 0 = it did not; the final answer, after any undo",
    "order_index": "place of the trial among those this person was given, from 0, traps counted in",
    "gt_side": "side of the ground truth: left | right (stacked pairs: left = top)",
    "rt_ms": "ms from both images painted to the answer, or missing",
    "rt_active_ms": "the same without the time that the page was hidden or not in focus, or missing",
    "late": "True: it came after the hold had expired",
    "revisions": "answers to this trial that this one replaced (undo), from 0",
    "zoom_max": "largest zoom factor used, 1 = none, or missing",
    "dpr": "device pixels per CSS pixel when answered, or missing",
    "css_w": "width of each image in CSS pixels when answered, or missing",
}
PAIRS = {
    "pair": "name of the pair, image_id@level@model as the pipeline writes it",
    "image_id": "name of the ground truth image",
    "model": "SR model",
    "degradation": "degradation level in [0, 1]",
    "gt_file": "ground truth, path of the pipeline (pair.gt_path in the database)",
    "sr_file": "SR image, path of the pipeline",
}
TRAPS = {
    "pair": "name of the trap",
    "kind": "no_identical | no_lowlevel | yes_swap | yes_planted",
    "answer": "right answer, 1 = the content changed",
    "gt_file": "first image, path of the pipeline or of the owner, or empty",
    "sr_file": "second image, or empty",
}
PARTICIPANTS = {
    "participant": "opaque random name",
    "number": "order of arrival, from 1",
    "source": "human | simulated | vlm:NAME",
    "created": "first request, ms UTC",
    "consented": "consent given, ms UTC",
    "finished": "end of the sitting, ms UTC, or missing",
    "outcome": "complete | nothing_left | time | screened, or missing while the sitting lasts",
    "consent_hash": "SHA-256 of the text agreed to",
    "passed": "True: passed the practice",
    "counted": "True: the server counts this person's votes",
    "viewport_w": "CSS pixels at consent, or missing, as are the next three",
    "viewport_h": "CSS pixels",
    "screen_w": "CSS pixels",
    "screen_h": "CSS pixels",
    "dpr": "device pixels per CSS pixel at consent, or missing",
    "touch": "True: a touch screen; or missing",
    "age_band": "own statement, or missing, as are the next three",
    "vision": "own statement on corrected vision",
    "colour_vision": "own statement on colour vision",
    "expertise": "own statement",
    "comment": "free text at the end, or missing",
}
RECRUIT = {
    "participant": "a row of participants",
    "recruit_id": "name on the recruiting site (PROLIFIC_PID)",
    "recruit_study": "STUDY_ID of the recruiting site",
    "recruit_session": "SESSION_ID of the recruiting site",
}
TABLES = {"votes": VOTES, "pairs": PAIRS, "traps": TRAPS, "participants": PARTICIPANTS, "recruit": RECRUIT}


@dataclass(frozen=True)
class StudyData:
    """One study. Tables hold at least the columns above, in any order of rows; other columns are ignored.

    Attributes:
        study: id of the study.
        run: name of the pipeline's run whose pairs are judged.
        title: as participants see it.
        status: draft | open | paused | closed.
        seed: of the study, also of every bootstrap.
        config_hash: of the configuration behind the pairs.
        votes_per_pair: valid votes that a complete pair has.
        settings: plain JSON values; written into the export as they are.
        votes: columns VOTES; one row per person and pair that has an answer now, traps too, practice never.
        pairs: columns PAIRS; every pair of the study that is shown, also those without a vote. No traps.
        traps: columns TRAPS; every trap shown.
        participants: columns PARTICIPANTS; everybody who consented, also without votes. Nobody who withdrew.
        recruit: columns RECRUIT; rows only for people who came from a recruiting site.
        rules: screening rules that exclude people (names of `flags.RULES`), chosen before data collection.
        declined: people who did not consent, of whom nothing but this number is known.
    """

    study: str
    run: str
    title: str
    status: str
    seed: int
    config_hash: str
    votes_per_pair: int
    settings: Mapping[str, Any]
    votes: "pd.DataFrame"
    pairs: "pd.DataFrame"
    traps: "pd.DataFrame"
    participants: "pd.DataFrame"
    recruit: "pd.DataFrame"
    rules: tuple[str, ...] = field(default=("traps",))
    declined: int = 0


def check(data: StudyData) -> None:
    """Refuse tables that contradict each other or themselves, with one HlfError that names table, column and a row."""
    for name, columns in TABLES.items():
        table = getattr(data, name)
        missing = [c for c in columns if c not in table]
        if missing:
            raise HlfError(f"study '{data.study}': table {name} lacks columns {missing}; it has {list(table)}")
    votes, people = data.votes, data.participants
    keys = {"pairs": ["pair"], "traps": ["pair"], "participants": ["participant"], "recruit": ["participant"]}
    for name, key in {**keys, "votes": ["participant", "pair"]}.items():
        table = getattr(data, name)
        _refuse(data, name, table[table.duplicated(key)], key, "stands there twice")
    both = data.traps[data.traps["pair"].isin(data.pairs["pair"])]
    _refuse(data, "traps", both, ["pair"], "is the name of a pair, too")
    known: dict[str, Iterable[Any]] = {
        "pair": [*data.pairs["pair"], *data.traps["pair"]],
        "participant": people["participant"],
    }
    for column, names in known.items():
        _refuse(data, "votes", votes[~votes[column].isin(names)], [column], "is in no other table")
    strangers = data.recruit[~data.recruit["participant"].isin(people["participant"])]
    _refuse(data, "recruit", strangers, ["participant"], "is no participant")
    _refuse(data, "votes", votes[~votes["answer"].isin([0, 1])], ["participant", "pair", "answer"], "is not 0 or 1")
    _refuse(data, "traps", data.traps[~data.traps["answer"].isin([0, 1])], ["pair", "answer"], "is not 0 or 1")
    _refuse(data, "votes", votes[~votes["gt_side"].isin(["left", "right"])], ["gt_side"], "is not left or right")
    strange = ~(people["source"].isin(["human", "simulated"]) | people["source"].astype(str).str.match(r"vlm:."))
    _refuse(data, "participants", people[strange], ["source"], "is not human, simulated or vlm:NAME")


def _refuse(data: StudyData, name: str, wrong: "pd.DataFrame", columns: list[str], what: str) -> None:
    if len(wrong):
        first = ", ".join(f"{c} {wrong[c].iloc[0]!r}" for c in columns)
        raise HlfError(f"study '{data.study}': table {name}, {len(wrong)} rows: {first} {what}; mend the database")


def sources_of(data: StudyData) -> list[str]:
    """Sources of the people of a study, sorted; scores of different ones are never averaged."""
    return sorted(set(data.participants["source"]))


def source_of(data: StudyData) -> str:
    """The one source of a study; "" before anybody came, HlfError when there are several."""
    found = sources_of(data)
    if len(found) > 1:
        raise HlfError(f"study '{data.study}' holds votes of {found}, which are never averaged; name one as source")
    return found[0] if found else ""


def votes_of(data: StudyData) -> "pd.DataFrame":
    """All votes of a study as the pipeline's table `votes` without `valid`, with the columns of VOTES it has besides.

    Args:
        data: a study of one source.

    Returns:
        Columns run, source, participant, pair_id, is_trap, trap_answer (-1 for pairs), answer, order_index, gt_side,
        rt_ms, rt_active_ms, late, revisions, zoom_max, dpr, css_w; sorted by participant, order_index and pair. It goes
        into `flags.flag_people` as it is, and with `flags.apply_flags` into everything that takes table `votes`.

    Raises:
        HlfError: as `check`.
    """
    check(data)
    right = data.traps.set_index("pair")["answer"].astype("int64")
    people = data.participants.set_index("participant")["source"].astype(str)
    votes = data.votes[list(VOTES)].rename(columns={"pair": "pair_id"})
    kinds = {"participant": "str", "pair_id": "str", "answer": "int64", "order_index": "int64", "gt_side": "str"}
    kinds |= {"late": "bool", "revisions": "int64"}
    kinds |= dict.fromkeys(("rt_ms", "rt_active_ms", "zoom_max", "dpr", "css_w"), "float64")
    votes = votes.astype(kinds).assign(run=data.run)
    votes["source"] = votes["participant"].map(people).astype("str")
    votes["is_trap"] = votes["pair_id"].isin(right.index)
    votes["trap_answer"] = votes["pair_id"].map(right).fillna(-1).astype("int64")
    return votes.sort_values(["participant", "order_index", "pair_id"]).reset_index(drop=True)


def only_source(data: StudyData, source: str) -> StudyData:
    """The part of a study that people of one source gave."""
    people = data.participants[data.participants["source"] == source]
    names = people["participant"]
    votes, recruit = (t[t["participant"].isin(names)] for t in (data.votes, data.recruit))
    return replace(data, participants=people, votes=votes, recruit=recruit)
