"""Votes of made-up people, and a study as the export takes it, with everything that a database would add."""

import numpy as np
import pandas as pd

from hlf.columns import conform, pair_id
from hlf.study.results.data import StudyData
from hlf.study.screening import apply_screening

START = 1_767_225_600_000  # 2026-01-01, ms UTC
TRAPS = 8


def make_pairs(images=10, models=("bsrgan", "swinir"), levels=(0.3,)):
    rows = [(f"{i:03d}", level, model) for i in range(images) for level in levels for model in models]
    table = pd.DataFrame(rows, columns=["image_id", "level", "model"])
    table["pair_id"] = [pair_id(*row) for row in rows]
    for stage in ("gt", "lr", "sr"):
        name = table["image_id"] if stage == "gt" else table["pair_id"]
        table[f"{stage}_path"] = stage + "/" + name + ".png"
    return conform(table.assign(run="t", similarity=0.5, bin=0, seed=1), "pairs")


def make_votes(pairs, people=16, votes=12, careless=("coin", "no"), seed=0):
    """Table `votes`: yes rates from Beta(.3, .3); `votes` answers per pair, 8 traps per person.

    The last people are careless, one for each name in `careless`, and answer every pair.
    """
    rng = np.random.default_rng(seed)
    rate = rng.beta(0.3, 0.3, len(pairs))
    names = [f"p{k:02d}" for k in range(people + len(careless))]
    load = np.zeros(people, dtype=int)
    shown = {name: [] for name in names}
    for number in range(len(pairs)):
        chosen = np.argsort(load + rng.random(people))[:votes]
        load[chosen] += 1
        for person in [*chosen, *range(people, len(names))]:
            shown[names[person]].append(number)
    rows = []
    for index, name in enumerate(names):
        kind = "" if index < people else careless[index - people]
        trials = [(pairs["pair_id"].iloc[i], False, -1, rng.random() < rate[i]) for i in rng.permutation(shown[name])]
        traps = [(f"trap_{'yes' if k % 2 else 'no'}_{k // 2:02d}", True, k % 2, k % 2) for k in range(TRAPS)]
        for k, trap in enumerate(traps):
            trials.insert(min(len(trials), 3 + 2 * k), trap)
        for order, (pair, trap, right, answer) in enumerate(trials):
            given = {"": answer, "coin": rng.random() < 0.5, "no": False}[kind]
            rows.append((name, pair, trap, right, int(given), order))
    columns = ["participant", "pair_id", "is_trap", "trap_answer", "answer", "order_index"]
    table = pd.DataFrame(rows, columns=columns).assign(run="t", source="simulated")
    return conform(apply_screening(table.assign(rt_active_ms=np.nan)), "votes")


def study_data(pairs=None, votes=None, source="human", **more):
    """A finished study; `source` says who the made-up people pretend to be."""
    pairs = make_pairs() if pairs is None else pairs
    votes = make_votes(pairs) if votes is None else votes
    votes = votes.rename(columns={"pair_id": "pair"}).copy()
    rng = np.random.default_rng(1)
    n = len(votes)
    votes["gt_side"] = np.where(rng.random(n) < 0.5, "left", "right")
    votes["rt_ms"] = rng.lognormal(7.5, 0.4, n).round()
    votes["rt_active_ms"] = (votes["rt_ms"] * 0.9).round()
    votes["late"], votes["revisions"] = rng.random(n) < 0.02, (rng.random(n) < 0.03).astype(int)
    votes["zoom_max"], votes["dpr"], votes["css_w"] = 1.0, 2.0, 480.0
    names = sorted(votes["participant"].unique())
    counted = votes.groupby("participant")["valid"].first().reindex(names).to_numpy()
    people = pd.DataFrame({"participant": names, "number": np.arange(1, len(names) + 1), "source": source})
    people["created"] = START + 60_000 * people["number"] + 123
    people["consented"], people["finished"] = people["created"] + 5000, people["created"] + 900_000
    people = people.assign(outcome="complete", consent_hash="ab" * 32, passed=True, counted=counted, touch=False)
    people = people.assign(viewport_w=1440, viewport_h=800, screen_w=1440, screen_h=900, dpr=2.0, comment=None)
    people = people.assign(age_band=None, vision="normal", colour_vision=None, expertise="none")
    shown = pairs.rename(
        columns={"pair_id": "pair", "level": "degradation", "gt_path": "gt_file", "sr_path": "sr_file"}
    )
    traps = votes.loc[votes["is_trap"], ["pair", "trap_answer"]].drop_duplicates()
    traps = traps.rename(columns={"trap_answer": "answer"}).assign(
        kind=np.where(traps["trap_answer"] == 1, "yes_swap", "no_identical"), gt_file="a.png", sr_file="b.png"
    )
    recruit = {"participant": names[:2], "recruit_id": ["pid1", "pid2"], "recruit_study": "s", "recruit_session": "t"}
    made = {
        "study": "st1", "run": "t", "title": "Test", "status": "closed", "seed": 42, "config_hash": "9f" * 32,
        "votes_per_pair": 12, "settings": {"question": "Changed?"}, "pairs": shown, "traps": traps,
        "votes": votes.drop(columns=["run", "source", "is_trap", "trap_answer", "valid"]), "participants": people,
        "recruit": pd.DataFrame(recruit), "declined": 3,
    }  # fmt: skip
    return StudyData(**{**made, **more})
