"""Which pair comes next and where traps stand: properties of the pure functions, over people, quotas and rates."""

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hlf.study.choice import FIRST_TRAP, JITTER, MIN_TRAPS, Candidate, Frame, choose, sitting, trap_answers, trap_spots

seeds = st.integers(0, 2**32 - 1)
quotas = st.integers(1, 400)
rates = st.integers(4, 40)


def spots_of(seed, quota, rate):
    return trap_spots(quota, rate, np.random.default_rng(seed))


@given(seeds, quotas, rates)
def test_no_trap_comes_early_last_or_beside_another(seed, quota, rate):
    spots = spots_of(seed, quota, rate)
    trials = quota + len(spots)
    assert spots == sorted(set(spots)) and all(type(spot) is int for spot in spots)
    assert all(FIRST_TRAP <= spot < trials - 1 for spot in spots)
    assert all(b - a >= 2 for a, b in pairwise(spots))


@given(seeds)
def test_a_full_sitting_meets_a_trap_every_8_to_12_trials(seed):
    spots = spots_of(seed, 150, 10)
    assert set(np.diff(spots)) <= set(range(8, 13))
    assert len(spots) >= MIN_TRAPS
    # the first one within the reach of one step, and no stretch without traps at the end
    assert 3 <= spots[0] <= 10 and 150 + len(spots) - spots[-1] <= 12 + 1


@given(seeds, quotas, rates)
def test_there_are_8_traps_or_as_many_as_pairs_can_part(seed, quota, rate):
    spots = spots_of(seed, quota, rate)
    assert len(spots) >= min(MIN_TRAPS, max(0, quota - FIRST_TRAP))
    if len(spots) > MIN_TRAPS:
        assert set(np.diff(spots)) <= set(range(rate - JITTER, rate + JITTER + 1))


@given(seeds, st.integers(0, 60))
def test_half_of_the_traps_are_yes(seed, count):
    answers = trap_answers(count, np.random.default_rng(seed))
    assert len(answers) == count and set(answers) <= {0, 1}
    assert abs(2 * sum(answers) - count) == count % 2


def test_an_odd_trap_out_is_as_often_yes_as_no_and_the_order_tells_nothing():
    rng = np.random.default_rng(1)
    drawn = np.array([trap_answers(9, rng) for _ in range(2000)])
    # 2,000 coins: within 4 standard deviations of a half
    assert abs((drawn.sum(axis=1) == 5).mean() - 0.5) < 0.045
    assert np.abs(drawn.mean(axis=0) - 0.5).max() < 0.045


@given(seeds, st.integers(1, 10_000), quotas, rates)
def test_a_sitting_is_the_same_whenever_it_is_asked(seed, number, quota, rate):
    first = dict(sitting(seed, number, quota, rate))
    sitting.cache_clear()
    assert sitting(seed, number, quota, rate) == first
    assert Frame(quota, rate, {}).total(seed, number) == quota + len(first)


def test_people_and_seeds_have_sittings_of_their_own():
    assert len({tuple(sitting(42, number, 150, 10).items()) for number in range(1, 101)}) == 100
    assert sitting(42, 1, 150, 10) != sitting(43, 1, 150, 10)


models = st.integers(1, 6).map(lambda n: [f"m{i}" for i in range(n)])


@st.composite
def situations(draw):
    """Candidates of some models, what a person saw of each, and what they saw just now."""
    names = draw(models)
    weights = [draw(st.integers(1, 9)) for _ in names]
    shares = {name: w / sum(weights) for name, w in zip(names, weights, strict=True)}
    seen = Counter({name: draw(st.integers(0, 20)) for name in names})
    rows = draw(st.lists(st.tuples(st.integers(0, 6), st.sampled_from(names), st.integers(0, 12)), max_size=30))
    candidates = [Candidate(100 + i, f"img{image}", model, load) for i, (image, model, load) in enumerate(rows)]
    recent = {f"img{i}" for i in draw(st.sets(st.integers(0, 6), max_size=4))}
    return candidates, shares, seen, recent, draw(seeds)


def run_choose(candidates, shares, seen, recent, seed):
    return choose(candidates, shares, seen, recent, np.random.default_rng(seed))


@given(situations())
def test_every_candidate_is_ranked_once_and_equal_questions_get_equal_answers(case):
    candidates = case[0]
    order = run_choose(*case)
    assert sorted(order) == sorted(one.pair for one in candidates)
    assert run_choose(*case) == order


@given(situations())
def test_a_gt_seen_just_now_waits_while_another_is_open(case):
    candidates, recent = case[0], case[3]
    image = {one.pair: one.image_id for one in candidates}
    late = [image[pair] in recent for pair in run_choose(*case)]
    assert late == sorted(late)


def first_of(case):
    """The pair that comes first, None when none is open, and how far each model would be above its share if shown."""
    candidates, shares, seen, _, _ = case
    order = run_choose(*case)
    count = sum(seen.values()) + 1
    ahead = {model: seen[model] + 1 - count * share for model, share in shares.items()}
    return next((one for one in candidates if one.pair == order[0]), None) if order else None, ahead


@given(situations())
def test_a_model_ahead_of_its_share_waits_while_another_is_open(case):
    candidates, recent = case[0], case[3]
    first, ahead = first_of(case)
    # above its share by one or more once it is shown
    if first is not None and ahead[first.model] >= 1 + 1e-6:
        others = [one for one in candidates if (one.image_id in recent) == (first.image_id in recent)]
        assert all(ahead[one.model] >= 1 - 1e-6 for one in others)


@given(situations())
def test_among_allowed_pairs_the_least_loaded_comes_first_then_the_model_seen_least(case):
    candidates, recent = case[0], case[3]
    first, ahead = first_of(case)
    if first is None:
        return

    def group(one):
        over = round(ahead[one.model], 9)
        return one.image_id in recent, over >= 1, min(over, 0)

    equals = [one for one in candidates if group(one) == group(first)]
    assert first.load == min(one.load for one in equals)
    least = [one for one in equals if one.load == first.load]
    assert ahead[first.model] <= min(ahead[one.model] for one in least) + 1e-9


def test_chance_decides_between_equals():
    candidates = [Candidate(i, f"img{i}", "m", 3) for i in range(5)]
    firsts = Counter(run_choose(candidates, {"m": 1.0}, Counter(), set(), seed)[0] for seed in range(2000))
    # 2,000 draws of 5: 400 each, within 5 standard deviations
    assert set(firsts) == set(range(5)) and all(abs(n - 400) < 90 for n in firsts.values())


@given(seeds, models, st.integers(1, 5), st.booleans())
def test_nobody_gets_more_than_one_pair_above_or_below_a_models_share(seed, names, each, hostile):
    """Loads that favour one model, or come from chance, do not bend a person's shares."""
    rng = np.random.default_rng(seed)
    pairs = [Candidate(i, f"img{i}", names[i % len(names)], 0) for i in range(each * 12 * len(names))]
    loads = [0 if one.model == names[0] and hostile else int(rng.integers(12)) for one in pairs]
    pairs = [Candidate(one.pair, one.image_id, one.model, load) for one, load in zip(pairs, loads, strict=True)]
    off = deviations(pairs, {name: 1 / len(names) for name in names}, each * 6 * len(names), rng)
    assert all(abs(one) <= 1 + 1e-9 for one in off)


@given(seeds, st.lists(st.integers(1, 9), min_size=2, max_size=6))
def test_models_with_few_pairs_keep_their_smaller_share(seed, weights):
    rng = np.random.default_rng(seed)
    names = [f"m{i}" for i, weight in enumerate(weights) for _ in range(8 * weight)]
    pairs = [Candidate(i, f"img{i}", name, int(rng.integers(12))) for i, name in enumerate(names)]
    shares = {f"m{i}": weight / sum(weights) for i, weight in enumerate(weights)}
    off = deviations(pairs, shares, len(pairs) // 2, rng)
    # several models may be due at once, and only one of them can be next
    assert max(off) < 1 and min(off) > -1.5


def deviations(pairs, shares, trials, rng):
    """Pairs of each model above its share, after each of `trials` trials of one person."""
    seen, off = Counter(), []
    for count in range(1, trials):
        chosen = choose(pairs, shares, seen, set(), rng)[0]
        seen[next(one.model for one in pairs if one.pair == chosen)] += 1
        pairs = [one for one in pairs if one.pair != chosen]
        off += [seen[name] - count * share for name, share in shares.items()]
    return off
