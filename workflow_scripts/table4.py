"""Table 4: variants of SeeSR on the evaluation images, and what changed against the baseline (paper 5)."""

import logging
from pathlib import Path

import hlf_job
from hlf.files import read_table
from hlf.paper import tuning
from hlf.paper.gather import facts_of
from hlf.paper.tables import write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    evaluation, scores = read_table(job.input["evaluation"]), read_table(job.input["scores"])
    changes = tuning.table4_changes(evaluation, job.settings["iqa.bootstrap"], job.settings["seed"])
    for sentence in tuning.reward_hacking(changes):
        logging.warning(sentence)
    weighted = evaluation.rename(columns={"variant": "model"}).assign(weights_sha256=evaluation["sr_sha256"])
    facts = facts_of(job.settings, scores, weighted[["model", "weights_sha256"]].drop_duplicates())
    stems = [Path(job.output[name]).with_suffix("") for name in ("csv", "changes")]
    table = tuning.table4(evaluation)
    note, best, headings = (
        tuning.table4_note(tuning.TABLE4_READING, changes), tuning.table4_best(table), tuning.table4_headings(table)
    )  # fmt: skip
    write_all(table, facts, stems[0], tuning.TABLE4_TITLE, note, best, True, headings)
    note = tuning.table4_note(tuning.CHANGES_READING, changes)
    write_all(changes, facts, stems[1], tuning.CHANGES_TITLE, note, {}, headings=tuning.CHANGES_HEADINGS)


hlf_job.run(main, globals().get("snakemake"))
