"""Predicted against observed share of viewers on the test part, before and after calibration."""

from pathlib import Path

import hlf_job
from hlf.files import read_table
from hlf.paper.certainty import CALIBRATION_READING, calibration_table, calibrations
from hlf.paper.gather import facts_of
from hlf.paper.tables import write_all


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    metric, scores, split, sr = (read_table(job.input[name]) for name in ("metric", "scores", "split", "sr"))
    fitted, resamples = calibrations(job.input["configs"]), job.settings["iqa.bootstrap"]
    table = calibration_table(metric, scores, split, fitted, resamples, job.settings["seed"])
    facts, stem = facts_of(job.settings, scores, sr, metric), Path(job.output["csv"]).with_suffix("")
    write_all(table, facts, stem, "Calibration of the fine-tuned metric", CALIBRATION_READING, {})


hlf_job.run(main, globals().get("snakemake"))
