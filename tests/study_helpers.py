"""A small study for the tests: pairs, content errors with two humps, and its simulated votes."""

import numpy as np
import pandas as pd

from hlf.columns import conform, pair_id
from hlf.study.settings import Settings
from hlf.study.shown.bundle import Shown
from hlf.study.simulated.simulate import simulate_votes


def study_pairs(images=40, models=("bsrgan", "swinir"), levels=(0.3, 1.0)):
    rows = [(f"{i:03d}", level, model) for i in range(images) for level in levels for model in models]
    table = pd.DataFrame(rows, columns=["image_id", "level", "model"])
    table["pair_id"] = [pair_id(*row) for row in rows]
    paths = {f"{stage}_path": f"{stage}.png" for stage in ("gt", "lr", "sr")}
    return conform(table.assign(run="t", similarity=0.5, bin=0, seed=1, **paths), "pairs")


def bimodal_errors(pairs, seed=0):
    rng = np.random.default_rng(seed)
    errors = np.where(rng.random(len(pairs)) < 0.5, rng.beta(1, 12, len(pairs)), rng.beta(12, 1, len(pairs)))
    return pd.DataFrame({"pair_id": pairs["pair_id"], "content_error": errors})


def shown_of(pairs, traps=24):
    """The pairs as rows of a bundle, with traps, half of them yes."""
    rows = []
    for p in pairs.itertuples():
        files = f"{p.pair_id}a", f"{p.pair_id}b"
        rows.append(Shown(p.pair_id, "trial", p.image_id, str(p.level), p.model, *files, "", "", "", -1, ""))
    for i in range(traps):
        name, kind = f"trap_{('no', 'yes')[i % 2]}_{i // 2:02d}", ("no_identical", "yes_swap")[i % 2]
        rows.append(Shown(name, "trap", name, "", "", f"{name}a", f"{name}b", "", "", kind, i % 2, ""))
    return rows


def run_study(pairs=None, careless=0.12, seed=42, votes=12, quota=60, traps=24):
    pairs = study_pairs() if pairs is None else pairs
    settings = Settings(votes_per_pair=votes, people_quota=quota)
    return simulate_votes(shown_of(pairs, traps), bimodal_errors(pairs), settings, careless, seed, "t")
