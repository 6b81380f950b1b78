"""Which parts the report has, in which order, and what is said about each: the only place of its wording."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.files import read_table
from hlf.paper import behaviour, costs, models, study_figures, study_report, tuning, tuning_figures
from hlf.paper.agreement import CEILING_READING
from hlf.paper.certainty import CALIBRATION_READING, LEAVE_ONE_OUT_READING
from hlf.paper.figure3 import FIGURE3_ABSENT, FIGURE3_CAPTION, FIGURE3_TITLE
from hlf.paper.formats import PROVENANCE
from hlf.paper.gather import counts
from hlf.paper.pairs import disagreements, worst_pairs, worst_tagged_pairs
from hlf.paper.quality_figure import FIGURE1_CAPTION
from hlf.paper.report import FigureSection, Report, TableSection
from hlf.paper.tables import READING, TABLE3_READING, incomplete
from hlf.versions import package_versions

if TYPE_CHECKING:
    import pandas as pd

TABLES = {
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
FOLDED = {"observers"}  # long tables, shown when asked for
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
    "figure4": ("Figure 4. Scores by SR model", "Share of viewers who say that the content changed, per pair."),
    "iqa_scatter": (
        "Table 2, pair by pair",
        "Score against each measure on the test part, with the logistic fit behind PLCC logistic and RMSE.",
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
    "worst_pairs": ("The worst pairs", "Pairs with the highest scores, GT beside SR."),
    "sensitivity": (
        "Planted edits",
        "Edits of content (details, local structure, holistic) against edits of texture only, with known answers.",
    ),
    "mild_changes": (
        "Mild changes",
        "What leaves all content should stay far left of the line; bars that are cut say how long they are.",
    ),
    "change_examples": (
        "Where did it change",
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
    settings: dict[str, Any],
    cost_file: str | None = None,
) -> Report:
    """The report of a run.

    Args:
        tables: manifest, rejected, lr, sr, strata, pairs, votes, scores, iqa, metric.
        table_files: CSV files that `tables.write_all` made; those named in TABLES are shown.
        figure_files: PNG files; those named in FIGURES are shown, in that order.
        settings: a rule's settings with config, paper.worst_pairs and metric.finetune.
        cost_file: CSV file of the cost sheet; None for a report without.
    """
    backbone, many = settings["metric.finetune"][0], settings["paper.worst_pairs"]
    frames = {Path(p).stem: _read(p) for p in table_files}
    pictures = {Path(p).stem: Path(p) for p in figure_files}
    notes = {"behaviour": behaviour.reading(settings["config"]["metric"]["threshold"])}
    if "table4_changes" in frames:  # both say when the metric was gained without what it stands for
        changes = frames["table4_changes"]
        notes |= {n: tuning.table4_note(TABLES[n][1], changes) for n in ("table4", "table4_changes")}
    metric, scores, pairs = tables["metric"], tables["scores"], tables["pairs"]
    return Report(
        counts=counts(*(tables[n] for n in ("manifest", "rejected", "lr", "sr", "votes", "scores", "iqa"))),
        config=settings["config"],
        tables=[
            _section(n, title, frames[n], notes.get(n, note)) for n, (title, note) in TABLES.items() if n in frames
        ],
        figures=[FigureSection(n, title, pictures[n], text) for n, (title, text) in FIGURES.items() if n in pictures],
        absent=[] if "figure3" in pictures else [FIGURE3_ABSENT],
        strata=tables["strata"],
        worst=worst_pairs(scores, pairs, metric, backbone, many),
        tagged=worst_tagged_pairs(scores, pairs, metric, tables["sr"], backbone, many),
        disagreements=disagreements(metric, tables["iqa"], scores, pairs, backbone, many),
        versions=package_versions(),
        costs=None if cost_file is None else costs.section(_read(cost_file), settings["zoo"]),
    )


def _read(path: str) -> "pd.DataFrame":
    """A table of the run without the columns that say where it comes from: the page says so once."""
    return read_table(path).drop(columns=list(PROVENANCE), errors="ignore")


def _section(name: str, title: str, frame: "pd.DataFrame", note: str) -> TableSection:
    """A table with what is marked and how its columns are called."""
    if name == "table4":
        return TableSection(name, title, frame, note, tuning.table4_best(frame), True, tuning.table4_headings(frame))
    headings = HEADINGS.get(name)
    best, folded = BEST.get(name), name in FOLDED
    return TableSection(name, title, frame, _note(frame, note), best, headings=headings, folded=folded)


def _note(table: "pd.DataFrame", note: str) -> str:
    """The note below a table; one that lacks rows says so first."""
    lacking = incomplete(table) if {"metric", "status"} <= set(table) else []
    return f"INCOMPLETE, weights missing for {'; '.join(lacking)}. {note}" if lacking else note
