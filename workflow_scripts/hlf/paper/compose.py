"""Which parts the report has, in which order, and what is said about each: the only place of its wording."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.files import read_table
from hlf.paper import behaviour, costs, findings, models, study_figures, study_report, style, tuning, tuning_figures
from hlf.paper.agreement import CEILING_READING
from hlf.paper.album import album, left_for_pairs
from hlf.paper.certainty import CALIBRATION_READING, LEAVE_ONE_OUT_READING
from hlf.paper.facts import NO_VOTES, Facts
from hlf.paper.figure3 import FIGURE3_ABSENT, FIGURE3_CAPTION, FIGURE3_TITLE
from hlf.paper.formats import PROVENANCE
from hlf.paper.gather import counts
from hlf.paper.pairs import in_turn, pair_table
from hlf.paper.quality_figure import FIGURE1_CAPTION
from hlf.paper.report import Chapter, FigureSection, Note, Report, TableSection
from hlf.paper.summary import headlines
from hlf.paper.tables import READING, TABLE3_READING, incomplete, row_name
from hlf.versions import package_versions

if TYPE_CHECKING:
    import pandas as pd

# chapters in the order of the paper: key, name in the navigation, heading, and the tables and figures inside
CHAPTERS = (
    (
        "images",
        "3.1 Images",
        "3.1 Images, SR models and the choice of pairs",
        ("examples", "sr_models", "similarity", "strata"),
    ),
    (
        "study",
        "3.2 Study",
        "3.1 and 3.2 The study and its scores",
        ("figure3", "study_votes", "agreement", "observers", "figure4", "worst_pairs"),
    ),
    (
        "measures",
        "4.1 Measures",
        "4.1 Measures of image quality against the scores",
        ("table2", "iqa_scatter", "significance", "figure1"),
    ),
    (
        "metric",
        "4.2 Metric",
        "4.2 Foundation models as the metric HLF",
        ("figure5", "table3", "metric_scatter", "learning_curves"),
    ),
    (
        "certainty",
        "Certainty",
        "4.2 How sure Table 3 is",
        ("ranking", "ceiling", "leave_one_out", "calibration", "reliability"),
    ),
    (
        "behaves",
        "Behaviour",
        "4.2 What the metric sees",
        ("sensitivity", "behaviour", "mild_changes", "invariance", "change_examples", "change_map"),
    ),
    (
        "tuning",
        "5 Fine-tuning",
        "5 SeeSR fine-tuned with the metric as a loss",
        ("table4", "table4_changes", "tuning_curves", "figure6", "figure7"),
    ),
)
STRATA_NOTE = (
    "Pairs that each similarity bin of each SR model had, should give and gave. A bin that had too few hands its "
    "places on within its SR model."
)
TABLES = {
    "strata": ("Strata of the sampling", STRATA_NOTE),
    "sr_models": (models.TITLE, models.NOTE),
    "agreement": (study_report.AGREEMENT_TITLE, study_report.AGREEMENT_READING),
    "observers": (study_report.OBSERVERS_TITLE, study_report.OBSERVERS_READING),
    "table2": ("Table 2. Image quality measures against high-level fidelity scores", READING),
    "ceiling": ("Human ceiling: how far people agree with people", CEILING_READING),
    "table3": ("Table 3. Foundation backbones as the HLF metric, untouched and fine-tuned (ft)", TABLE3_READING),
    "leave_one_out": ("The metric on an SR model that it never saw", LEAVE_ONE_OUT_READING),
    "calibration": ("Calibration of the fine-tuned metric", CALIBRATION_READING),
    "behaviour": (behaviour.TITLE, ""),  # its note names the run's threshold
    "invariance": (behaviour.MILD_TITLE, behaviour.MILD_READING),
    "change_map": (behaviour.MAP_TITLE, behaviour.MAP_READING),
    "table4": (tuning.TABLE4_TITLE, tuning.TABLE4_READING),
    "table4_changes": (tuning.CHANGES_TITLE, tuning.CHANGES_READING),
}
HEADINGS = {"table4_changes": tuning.CHANGES_HEADINGS, "observers": study_report.OBSERVERS_HEADINGS}
# rows of a long table that are shown at once, the others when asked for
LEAD = {"behaviour": ("kind", behaviour.ALL), "change_map": ("way", behaviour.ALL)}
LONG = 20  # rows that are shown at once of any other table
# the correlations' elsewhere
BEST = {"behaviour": behaviour.BEST, "invariance": {}, "change_map": behaviour.MAP_BEST, "table4_changes": {}}
FIGURES = {
    "figure1": ("Figure 1. Quality and fidelity", FIGURE1_CAPTION),
    "examples": (
        "What the models make of the images",
        "LR, bicubic, each SR model and GT; images in order of their ids.",
    ),
    "similarity": ("Similarity before and after sampling", "All candidates, and the pairs chosen to spread evenly."),
    "figure3": (FIGURE3_TITLE, FIGURE3_CAPTION),
    "study_votes": (study_figures.STUDY_VOTES_TITLE, study_figures.STUDY_VOTES_CAPTION),
    "figure4": ("Figure 4. Scores by SR model", "Share of valid votes that say that the content changed, per pair."),
    "iqa_scatter": (
        "Table 2, pair by pair",
        "Score against each measure on the test part, with the logistic fit behind PLCC logistic and RMSE; where a "
        "measure says nothing, the fit is a step between two groups.",
    ),
    "significance": (
        "Which rows of Table 2 differ",
        "Difference of the absolute SRCC of the row and the column, coloured where the paired bootstrap over GT images "
        "tells them apart at 0.05 after Holm's correction.",
    ),
    "figure5": ("Figure 5. The metric", "SR and GT pass through one backbone; 1 - cosine is regressed to the score."),
    "metric_scatter": ("Prediction against score", "Test pairs only, before and after fine-tuning."),
    "ranking": (
        "Tables 2 and 3 against the human ceiling",
        "Absolute SRCC of every row with its interval; the line is what as many new votes would reach.",
    ),
    "reliability": (
        "Reliability",
        "Predicted against observed share in bins of equally many test pairs; on the diagonal a prediction means what "
        "it says.",
    ),
    "learning_curves": (
        "Fine-tuning",
        "Training and validation part by epoch; the epoch with the lowest validation loss is kept, the test part is "
        "never seen.",
    ),
    "worst_pairs": (
        "The worst pairs",
        "Pairs with the highest scores, GT beside SR; equal scores by the lower similarity. HLF is the raw value, 1 - "
        "cosine.",
    ),
    "sensitivity": (
        "How well planted edits are told",
        "Edits of content (details, local structure, holistic) against edits of texture only, with known answers.",
    ),
    "mild_changes": (
        "Mild changes in bars",
        "What leaves all content should stay far left of the line; bars that are cut say how long they are.",
    ),
    "change_examples": (
        "Change maps to look at",
        "Disagreement of patch tokens, brighter = more, with the edited box framed; a colour scale for each backbone. "
        "The last rows hold no edit of content.",
    ),
    "tuning_curves": ("Fine-tuning SeeSR", tuning_figures.CURVES_CAPTION),
    "figure6": ("Figure 6. What fine-tuning mended", tuning_figures.FIGURE6_CAPTION),
    "figure7": ("Figure 7. What it left", tuning_figures.FIGURE7_CAPTION),
}


def compose(
    tables: "dict[str, pd.DataFrame]",
    table_files: list[str],
    figure_files: list[str],
    facts: Facts,
    settings: dict[str, Any],
    root: Path,
    cost_file: str | None = None,
) -> Report:
    """The report of a run.

    Args:
        tables: manifest, rejected, lr, sr, pairs, votes, scores, iqa, metric.
        table_files: CSV files that `tables.write_all` made; those named in TABLES are shown.
        figure_files: PNG files; those named in FIGURES are shown.
        facts: provenance of the report.
        settings: a rule's settings with config, paper.worst_pairs and metric.finetune.
        root: results folder of the run.
        cost_file: CSV file of the cost sheet; None for a report without.
    """
    backbone = settings["metric.finetune"][0]
    frames = {Path(p).stem: read_table(p) for p in table_files}
    pictures = {Path(p).stem: Path(p) for p in figure_files}
    notes = {"behaviour": behaviour.reading(settings["config"]["metric"]["threshold"])}
    if "table4_changes" in frames:  # both say when the metric was gained without what it stands for
        changes = frames["table4_changes"]
        notes |= {n: tuning.table4_note(TABLES[n][1], changes) for n in ("table4", "table4_changes")}
    scores, n_pairs = tables["scores"], len(tables["scores"])
    pairs = pair_table(scores, tables["pairs"], tables["metric"], tables["iqa"], tables["sr"], backbone)
    # no vote takes part in a picture of the page
    unasked = replace(facts, votes=NO_VOTES, n_pairs=0).origin()
    parts: dict[str, TableSection | FigureSection | Note] = {
        **{n: _section(n, frames[n], n_pairs, notes.get(n)) for n in TABLES if n in frames},
        **{
            n: FigureSection(n, title, pictures[n], text, origin=unasked if n == "figure3" else "")
            for n, (title, text) in FIGURES.items()
            if n in pictures
        },
    }
    if "figure3" not in pictures:
        parts["figure3"] = Note(FIGURE3_ABSENT)
    found = frames.get("findings")
    return Report(
        counts=counts(*(tables[n] for n in ("manifest", "rejected", "lr", "sr", "votes", "scores", "iqa"))),
        config=settings["config"],
        chapters=chapters(parts),
        headlines=headlines(frames),
        findings=None
        if found is None
        else TableSection("findings", findings.TITLE, found, findings.NOTE, origin=_origin(found, n_pairs)),
        album=album(
            pairs, in_turn(pairs, settings["paper.worst_pairs"]), root, left_for_pairs(list(pictures.values()))
        ),
        metric=row_name(backbone, True, str(tables["metric"]["zoo"].iloc[0])),
        versions=package_versions(),
        costs=None if cost_file is None else costs.section(_plain(read_table(cost_file)), settings["zoo"]),
    )


def chapters(parts: "Mapping[str, TableSection | FigureSection | Note]") -> list[Chapter]:
    """The chapters that have a table or figure; a run without fine-tuned SeeSR has no Section 5."""
    filled = [
        Chapter(key, short, title, [parts[name] for name in names if name in parts])
        for key, short, title, names in CHAPTERS
    ]
    return [chapter for chapter in filled if chapter.parts]


def _plain(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A table without the columns that say where it comes from: its caption says so once."""
    return frame.drop(columns=list(PROVENANCE), errors="ignore")


def _origin(frame: "pd.DataFrame", n_pairs: int) -> str:
    """The small print of a table, from its columns of provenance."""
    row = frame.iloc[0].fillna("")
    source = str(row["source"])
    n = 0 if source == NO_VOTES else n_pairs
    facts = Facts(row["run"], row["scale"], row["zoo"], source, n, int(row["seed"]), str(row["config_hash"]))
    return facts.caption()


def _section(name: str, frame: "pd.DataFrame", n_pairs: int, note: str | None = None) -> TableSection:
    """A table with what is marked, how its columns are called, and where it comes from."""
    title, usual = TABLES[name]
    table, origin = _plain(frame), _origin(frame, n_pairs)
    headings, best, second = HEADINGS.get(name), BEST.get(name), False
    if name == "table4":
        headings, best, second = tuning.table4_headings(table), tuning.table4_best(table), True
    if name == "strata":
        table, best = _strata(table), {}
    text = _note(table, usual if note is None else note)
    return TableSection(name, title, table, text, best, second, headings, _lead(name, table), origin=origin)


def _lead(name: str, table: "pd.DataFrame") -> "pd.Series | None":
    """Which rows of a long table are shown at once; None for all of a short one."""
    if len(table) <= LONG:
        return None
    column, value = LEAD.get(name, (str(table.columns[0]), None))
    return table[column] == value


def _strata(strata: "pd.DataFrame") -> "pd.DataFrame":
    """The strata table with its two edges as one column, short strata marked by `status`."""
    table = strata.copy()
    edges = [f"{low:.3f}\u00a0to\u00a0{high:.3f}" for low, high in zip(table["low"], table["high"], strict=True)]
    table.insert(2, "similarity", edges)
    table["model"] = table["model"].map(style.model_name)
    table["status"] = [
        "ok" if t >= w else f"{w - t} short" for t, w in zip(table["taken"], table["wanted"], strict=True)
    ]
    return table.drop(columns=["low", "high"])


def _note(table: "pd.DataFrame", note: str) -> str:
    """The note below a table; one that lacks rows says so first."""
    lacking = incomplete(table) if {"metric", "status"} <= set(table) else []
    return f"INCOMPLETE, weights missing for {'; '.join(lacking)}. {note}" if lacking else note
