"""How far a fine-tuned metric can be trusted: fine-tuned again without some pairs, and scored on just these.

K folds over GT images say how much its correlation hangs on which pictures were in the test part; leaving out one SR
model says what the metric is worth for a model it never saw. Our choice; the paper has one split.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hlf.columns import conform
from hlf.files import read_table, write_table
from hlf.metric.score import distances
from hlf.metric.train import tune
from hlf.seeds import seed_for
from hlf.study.split import assign_folds

if TYPE_CHECKING:
    import pandas as pd

    from hlf.backbones.base import Backbone

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """One way of fine-tuning, which every repetition follows from the same untrained backbone.

    Attributes:
        load: gives the backbone anew, as the zoo has it.
        device: where it is trained.
        pairs: table `pairs`.
        results: folder of the run.
        settings: the configuration's group `metric`.
        work: folder for what is finished and for checkpoints.
        config_seed: the run's seed.
        events: folder for TensorBoard's files.
    """

    load: "Callable[[], Backbone]"
    device: str
    pairs: "pd.DataFrame"
    results: Path
    settings: dict[str, Any]
    work: Path
    config_seed: int
    events: Path

    def unseen(self, split: "pd.DataFrame", name: str, seed: int) -> "pd.DataFrame":
        """Scores of the rows of `split` with part "test" after fine-tuning on those with part "train".

        A finished repetition is kept, a killed one goes on after its last whole epoch.

        Args:
            split: columns pair_id, image_id, score, part.
            name: of the repetition, for its folders.
            seed: for validation part, order and views.

        Returns:
            Columns pair_id and value (1 - cosine).
        """
        work = self.work / name
        done = work / "scores.parquet"
        if not done.is_file():
            backbone = self.load().to(self.device)
            tune(backbone, self.pairs, split, self.results, self.settings, work, seed, self.events / name)
            tested = self.pairs[self.pairs["pair_id"].isin(split.loc[split["part"] == "test", "pair_id"])]
            value = distances(tested, self.results, backbone, int(self.settings["eval_batch_size"]), self.device)
            write_table(tested[["pair_id"]].assign(value=value), done)
            # four times the weights; a paper-sized run makes dozens
            (work / "checkpoint.pt").unlink(missing_ok=True)
        log.info("%s is done", name)
        return read_table(done)


def crossvalidate(
    recipe: Recipe, split: "pd.DataFrame", zero_shot: "pd.DataFrame", folds: int, seeds: int
) -> "pd.DataFrame":
    """Table `metric_folds`: each scored pair by fine-tunings that never saw its GT, and by the untouched backbone.

    Args:
        recipe: how to fine-tune.
        split: table `split`; all its pairs take part, whatever their part.
        zero_shot: table `metric_scores` of the same backbone, untouched.
        folds: K; each is scored by a fine-tuning on the others, with a validation part of its own.
        seeds: fine-tunings of each fold; they differ in validation part, order and views. 0: the untouched alone.

    Raises:
        HlfError: too few GT images for the folds, and as `train.tune`.
    """
    import pandas as pd

    fold = assign_folds(split, folds, recipe.config_seed)
    untouched = zero_shot.merge(pd.DataFrame({"pair_id": split["pair_id"], "fold": fold}), on="pair_id")
    columns = ["run", "pair_id", "backbone", "zoo"]
    found = [untouched[[*columns, "fold", "value"]].assign(seed=0, tuned=False)]
    for number in range(folds):
        parted = split.assign(part=np.where(fold == number, "test", "train"))
        for seed in range(seeds):
            drawn = seed_for(recipe.config_seed, "metric-fold", number, seed)
            values = recipe.unseen(parted, f"fold{number}-seed{seed}", drawn)
            rows = untouched[columns].merge(values, on="pair_id")
            found.append(rows.assign(fold=number, seed=seed, tuned=True))
    table = conform(pd.concat(found), "metric_folds")
    return table.sort_values(["tuned", "fold", "seed", "pair_id"], ignore_index=True)


def leave_models_out(recipe: Recipe, split: "pd.DataFrame", zero_shot: "pd.DataFrame") -> "pd.DataFrame":
    """Table `metric_left_out`: each test pair by a fine-tuning that saw neither its GT nor its SR model.

    For each SR model: fine-tuned on the training part's pairs of all other models, scored on the test part's pairs of
    the one left out.

    Args:
        recipe: how to fine-tune; seed and GT images are those of the usual fine-tuning.
        split: table `split`.
        zero_shot: table `metric_scores` of the same backbone, untouched; for run and zoo.

    Raises:
        HlfError: too few training pairs without one of the models, and as `train.tune`.
    """
    import pandas as pd

    found = []
    about = zero_shot[["run", "pair_id", "backbone", "zoo"]]
    for model in sorted(split.loc[split["part"] == "test", "model"].unique()):
        # test pairs of the other models, training pairs of this one
        unused = (split["part"] == "test") != (split["model"] == model)
        values = recipe.unseen(split[~unused], f"without-{model}", recipe.config_seed)
        found.append(about.merge(values, on="pair_id").assign(model=model))
    return conform(pd.concat(found), "metric_left_out").sort_values("pair_id", ignore_index=True)
