"""Change maps of planted edits and mild changes, by each fine-tuned backbone."""

from pathlib import Path

import hlf_job
from hlf.device import one_thread
from hlf.files import read_table
from hlf.metric.behaviour import example_pairs
from hlf.metric.model import load_metric_folder
from hlf.paper.change_figures import change_examples
from hlf.paper.gather import facts_of
from hlf.paper.style import save_figure
from hlf.paper.tables import row_name


def main(job: hlf_job.Job) -> None:
    """See the module docstring."""
    one_thread()
    behaviour, scores = (read_table(job.input[name]) for name in ("behaviour", "scores"))
    settings = job.settings
    pairs = example_pairs(settings["seed"], settings["images.crop"], tuple(settings["images.objects"]))
    tuned = [load_metric_folder(Path(config).parent)[0] for config in job.input["configs"]]
    named = {row_name(b.description.name, True, b.description.zoo): b for b in tuned}
    figure = change_examples(pairs, named, facts_of(settings, scores, behaviour), job.device)
    save_figure(figure, job.output["pdf"], job.output["png"], settings["paper.dpi"])


hlf_job.run(main, globals().get("snakemake"))
