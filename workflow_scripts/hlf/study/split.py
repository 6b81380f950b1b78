"""Dividing the scored pairs into train and test (paper 3.2: 80 % and 20 %).

The paper does not say what it kept apart. By default all pairs of a GT image go to the same side, because a metric that
was trained on one SR image of a scene would otherwise be tested on another of the same scene.
"""

import logging
from typing import TYPE_CHECKING

from hlf.columns import conform
from hlf.errors import HlfError
from hlf.seeds import generator, seed_for

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

# with fewer GT images a fifth of them is none
MIN_GT = 5
# score bins that are balanced: mostly no, rather no, rather yes, mostly yes
SCORE_BINS = 4


def split_pairs(scores: "pd.DataFrame", test_share: float, split_by: str, seed: int) -> "pd.DataFrame":
    """Put every complete pair into "train" or "test".

    Args:
        scores: table `scores`; incomplete pairs are left out.
        test_share: share of the test part, in (0, 1).
        split_by: "image_id": whole GT images, balanced over SR models and scores; "pair": plain random rows.
        seed: the run's `seed`.

    Returns:
        Table `split`, sorted by pair id; the order of the rows of `scores` changes nothing.

    Raises:
        HlfError: a wrong argument, fewer than 5 GT images with complete pairs, or an empty part.
    """
    import numpy as np

    if not 0.0 < test_share < 1.0:
        raise HlfError(f"study.test_share must lie between 0 and 1, got {test_share}")
    if split_by not in ("image_id", "pair"):
        raise HlfError(f"study.split_by must be image_id or pair, got {split_by!r}")
    table = scores[scores["status"] == "complete"].sort_values("pair_id").reset_index(drop=True)
    images = table["image_id"].nunique()
    if images < MIN_GT:
        raise HlfError(
            f"a split needs complete pairs of at least {MIN_GT} GT images, got {len(table)} pairs of {images}; collect "
            f"more votes (study.votes_per_pair) or choose more pairs (sampling.total)"
        )
    if len(table) < len(scores):
        log.warning("%d incomplete pairs are in neither part", len(scores) - len(table))
    if split_by == "pair":
        test = np.zeros(len(table), dtype=bool)
        test[generator(seed, "study", "split").permutation(len(table))[: round(test_share * len(table))]] = True
    else:
        test = balanced_groups(table, test_share, seed)
    table = table.assign(part=np.where(test, "test", "train"), seed=seed_for(seed, "study", "split"))
    split = conform(table[["pair_id", "image_id", "model", "score", "part", "seed"]], "split")
    if test.all() or not test.any():
        raise HlfError(f"study.test_share {test_share} of {len(table)} pairs leaves one part empty; use more pairs")
    if split_by == "image_id":
        check_split(split)
    return split


def assign_folds(split: "pd.DataFrame", folds: int, seed: int) -> "NDArray[np.int64]":
    """Fold 0 .. folds - 1 of every row, whole GT images together, each fold balanced as the test part is.

    Args:
        split: table `split` (columns image_id, model, score); rows in any order give the same folds.
        folds: 2 or more.
        seed: the run's `seed`.

    Raises:
        HlfError: fewer than 2 folds, fewer than 4 GT images or than folds, or a fold without pairs.
    """
    import numpy as np

    images = split["image_id"].nunique()
    if folds < 2 or images < max(folds, 4):
        raise HlfError(f"metric.folds is {folds}, expected at least 2, and as many GT images or 4, got {images}")
    table = split.sort_values("pair_id")
    fold = np.full(len(table), folds - 1)
    for number in range(folds - 1):
        rest = np.flatnonzero(fold == folds - 1)
        inside = balanced_groups(table.iloc[rest], 1 / (folds - number), seed)
        fold[rest[inside]] = number
    if len(np.unique(fold)) < folds:
        raise HlfError(f"{images} GT images cannot fill {folds} folds (metric.folds); use fewer folds or more pairs")
    found = np.empty_like(fold)
    found[np.argsort(split["pair_id"].to_numpy(dtype=str), kind="stable")] = fold
    return found


def check_split(split: "pd.DataFrame") -> None:
    """Raise HlfError when a GT image has pairs in more than one part of table `split`."""
    sides = split.groupby("image_id")["part"].nunique()
    shared = sides[sides > 1].index.tolist()
    if shared:
        raise HlfError(f"{len(shared)} GT images stand in both train and test, such as {shared[0]}; split by image_id")


def balanced_groups(table: "pd.DataFrame", test_share: float, seed: int) -> "NDArray[np.bool_]":
    """Test rows (n,) of a split by GT image; large groups first, each to the side where it disturbs the balance less.

    The balance is kept for every SR model, score bin, both together, and the whole: as the sum of squared distances
    between the pairs in the test part and their share of the pairs placed so far.
    """
    import numpy as np

    models = np.unique(table["model"].to_numpy(dtype=str), return_inverse=True)[1]
    bins = np.minimum((table["score"].to_numpy() * SCORE_BINS).astype(int), SCORE_BINS - 1)
    cells = models * SCORE_BINS + bins
    # one column per model, bin, cell, and one for all
    one_hot = [np.eye(int(values.max()) + 1)[values] for values in (models, bins, cells)]
    features = np.hstack([*one_hot, np.ones((len(table), 1))])
    names, groups = np.unique(table["image_id"].to_numpy(dtype=str), return_inverse=True)
    counts = np.zeros((len(names), features.shape[1]))
    np.add.at(counts, groups, features)
    sizes = counts[:, -1]
    order = sorted(range(len(names)), key=lambda g: (-sizes[g], seed_for(seed, "study", "split", str(names[g]))))
    test, surplus = np.zeros(len(names), dtype=bool), np.zeros(features.shape[1])
    for group in order:
        # what the test part has too much of, if this group goes to train or to test
        train_side = surplus - test_share * counts[group]
        test_side = train_side + counts[group]
        test[group] = (test_side**2).sum() < (train_side**2).sum()
        surplus = test_side if test[group] else train_side
    return test[groups]
