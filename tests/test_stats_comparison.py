"""Which rows of a table differ: Holm and Williams against their definitions, paired bootstrap, whole tables."""

import time

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hlf.errors import HlfError
from hlf.stats import (
    bootstrap_by_group,
    compare_rows,
    holm,
    paired_bootstrap,
    plcc,
    srcc,
    williams,
)

# --- Holm ---


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.5))
def test_holm_equals_the_step_down_procedure(p, level):
    # the procedure as Holm states it: go up from the smallest, stop at the first that is too large
    refused = set()
    for step, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        if p[index] * (len(p) - step) >= level:
            break
        refused.add(index)
    assert {i for i, value in enumerate(holm(p)) if value < level} == refused


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_p_and_bonferroni_and_keeps_the_order(p):
    corrected = holm(p)
    assert (corrected >= np.array(p)).all() and (corrected <= np.minimum(1, len(p) * np.array(p))).all()
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= 0).all()
    assert holm(p[::-1])[::-1].tolist() == corrected.tolist()


@pytest.mark.parametrize("p", [[], [1.2], [-0.1], [float("nan")]])
def test_holm_refuses_what_is_no_p_value(p):
    with pytest.raises(HlfError, match="between 0 and 1"):
        holm(p)


# --- Williams ---


@pytest.mark.parametrize(
    ("first", "second", "between", "n", "t", "p", "digits"),
    [
        # Steiger (1980), masculinity and femininity with verbal ability, as the R package psych prints it
        (0.4, 0.5, 0.1, 103, -0.89, 0.37, 0.005),
        # printed by the R package cocor (Diedenhofen and Musch 2015) in public analyses, correlations with 4 digits
        (0.5447, 0.8, 0.0729, 70, -2.8114, 0.0065, 0.001),
        (0.8066, 0.2383, 0.2255, 177, 9.3823, 0.0000, 0.002),
        (-0.1741, 0.2015, 0.3734, 646, -9.0340, 0.0000, 0.002),
        (0.1724, 0.1795, 0.5387, 646, -0.1909, 0.8487, 0.003),
    ],
)
def test_williams_gives_published_values(first, second, between, n, t, p, digits):
    got = williams(first, second, between, n)
    assert got[0] == pytest.approx(t, abs=digits)
    assert got[1] == pytest.approx(p, abs=digits)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 80))
def test_williams_equals_the_matrix_form_and_turns_with_its_rows(seed, n):
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(n, 3)) @ rng.normal(size=(3, 3))
    matrix = np.corrcoef(data.T)
    first, second, between = matrix[0, 1], matrix[0, 2], matrix[1, 2]
    assume(abs(between) < 0.999)
    t, p = williams(first, second, between, n)
    # the form with the determinant of the correlation matrix and the squared difference (Howell, Statistical Methods)
    ratio = 2 * np.linalg.det(matrix) * (n - 1) / (n - 3) + (first + second) ** 2 / 4 * (1 - between) ** 3
    squared = (first - second) ** 2 * (n - 1) * (1 + between) / ratio
    assert t**2 == pytest.approx(squared, rel=1e-6, abs=1e-9)
    assert p == pytest.approx(scipy.stats.f.sf(squared, 1, n - 3), abs=1e-6)
    assert williams(second, first, between, n) == pytest.approx((-t, p))


def test_williams_holds_its_size_when_two_metrics_are_equally_good():
    rng = np.random.default_rng(5)
    found = []
    for _ in range(500):
        y, shared = rng.normal(size=(2, 60))
        a, b = 0.8 * y + shared + rng.normal(size=(2, 60))
        found.append(williams(plcc(a, y), plcc(b, y), plcc(a, b), 60)[1])
    # 500 tests at 5 %: 25 expected, standard deviation 4.9
    assert 10 <= sum(p < 0.05 for p in found) <= 40
    assert scipy.stats.kstest(found, "uniform").pvalue > 1e-3


def test_williams_of_equal_metrics_and_of_impossible_correlations():
    assert williams(0.7, 0.7, 1.0, 50) == (0.0, 1.0)
    with pytest.raises(HlfError, match="occur together"):
        williams(0.9, -0.9, 0.9, 50)
    with pytest.raises(HlfError, match="occur together"):
        williams(float("nan"), 0.2, 0.1, 50)
    with pytest.raises(HlfError, match="at least 5"):
        williams(0.5, 0.2, 0.1, 4)


# --- paired bootstrap and comparison of rows ---


def study(pairs=120, groups=40, seed=0, slopes=(1.0, 0.3)):
    """Metrics that follow the score with the given slopes, scores, groups of three pairs each."""
    rng = np.random.default_rng(seed)
    names = np.repeat([f"gt{i:03d}" for i in range(groups)], pairs // groups)
    y = np.repeat(rng.normal(size=groups), pairs // groups) + rng.normal(size=pairs)
    wide = {f"m{i}": slope * y + rng.normal(size=pairs) for i, slope in enumerate(slopes)}
    return pd.DataFrame(wide), y, list(names)


@pytest.mark.parametrize(("name", "statistic"), [("srcc", srcc), ("plcc", plcc)])
def test_paired_bootstrap_is_the_bootstrap_of_the_difference(name, statistic):
    wide, y, groups = study(slopes=(-1.0, 0.5))
    found = paired_bootstrap(wide["m0"], wide["m1"], y, groups, 300, 4, name)
    turned = np.column_stack([-wide["m0"], wide["m1"]])
    slow = bootstrap_by_group(lambda m, s: statistic(m[:, 0], s) - statistic(m[:, 1], s), turned, y, groups, 300, 4)
    assert (found.low, found.high) == pytest.approx(slow, abs=1e-9)
    assert found.value == pytest.approx(abs(statistic(wide["m0"], y)) - abs(statistic(wide["m1"], y)), abs=1e-12)
    assert found.low < found.value < found.high


def test_p_of_the_paired_bootstrap_is_even_when_two_metrics_are_equally_good():
    found = []
    for seed in range(150):
        wide, y, groups = study(90, 30, seed, slopes=(0.7, -0.7))
        found.append(paired_bootstrap(wide["m0"], wide["m1"], y, groups, 200, seed).p)
    # 150 tests: 7.5 expected below 5 %, 75 below one half
    assert sum(p < 0.05 for p in found) <= 17
    assert 50 <= sum(p < 0.5 for p in found) <= 100
    assert min(found) >= 2 / 201


def test_a_clear_difference_is_found_whatever_the_direction_of_the_metrics():
    wide, y, groups = study(slopes=(1.5, 0.1, -1.5))
    table = compare_rows(wide, y, groups, 200, 1)
    assert list(table) == [
        "metric_a", "metric_b", "srcc_difference", "srcc_difference_low", "srcc_difference_high", "p_bootstrap",
        "p_williams", "p_holm", "n", "verdict", "status",
    ]  # fmt: skip
    assert list(zip(table["metric_a"], table["metric_b"], strict=True)) == [("m0", "m1"), ("m0", "m2"), ("m1", "m2")]
    assert list(table["verdict"]) == ["a better", "not distinguishable", "b better"]
    assert table["p_holm"].tolist() == holm(table["p_bootstrap"]).tolist()
    assert (table["p_williams"].iloc[[0, 2]] < 1e-6).all() and table["p_williams"].iloc[1] > 0.01
    assert (table["n"] == 120).all() and (table["status"] == "ok").all()
    assert compare_rows(wide, y, groups, 200, 1).equals(table) and not compare_rows(wide, y, groups, 200, 2).equals(
        table
    )


def test_a_comparison_equals_its_parts():
    wide, y, groups = study(slopes=(0.8, -0.5))
    row = compare_rows(wide, y, groups, 500, 3, "plcc").iloc[0]
    alone = paired_bootstrap(wide["m0"], wide["m1"], y, groups, 500, 3, "plcc")
    got = row["plcc_difference"], row["plcc_difference_low"], row["plcc_difference_high"], row["p_bootstrap"]
    assert got == pytest.approx((alone.value, alone.low, alone.high, alone.p), abs=1e-12)
    between = plcc(wide["m0"], -wide["m1"])
    assert row["p_williams"] == pytest.approx(
        williams(plcc(wide["m0"], y), plcc(-wide["m1"], y), between, 120)[1], abs=1e-12
    )


@pytest.mark.parametrize("statistic", ["srcc", "plcc"])
def test_swapping_rows_turns_the_sign_and_nothing_else(statistic):
    wide, y, groups = study(slopes=(1.0, -0.4, 0.1), seed=8)
    wide.loc[3, "m1"] = np.nan
    table = compare_rows(wide, y, groups, 300, 2, statistic)
    turned = compare_rows(wide[["m2", "m1", "m0"]], y, groups, 300, 2, statistic).iloc[::-1]
    name = f"{statistic}_difference"
    assert list(turned["metric_a"]) == ["m1", "m2", "m2"] and list(turned["metric_b"]) == ["m0", "m0", "m1"]
    for here, there in ((name, name), (f"{name}_low", f"{name}_high"), (f"{name}_high", f"{name}_low")):
        assert sorted(table[here]) == pytest.approx(sorted(-turned[there]), abs=1e-12)
    for column in ("p_bootstrap", "p_williams", "p_holm"):
        assert sorted(table[column]) == pytest.approx(sorted(turned[column]), abs=1e-12)
    swapped = turned["verdict"].map({"a better": "b better", "b better": "a better"}).fillna("not distinguishable")
    assert sorted(table["verdict"]) == sorted(swapped)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["srcc", "plcc"]), st.sampled_from([1.0, -1.0, 7.5]))
def test_a_metric_against_itself_differs_by_nothing(seed, statistic, scale):
    wide, y, groups = study(60, 20, seed, slopes=(0.5,))
    wide["same"] = scale * wide["m0"]
    row = compare_rows(wide, y, groups, 100, seed, statistic).iloc[0]
    assert row[f"{statistic}_difference"] == pytest.approx(0.0, abs=1e-12)
    assert row["p_williams"] == pytest.approx(1.0, abs=1e-3) and row["verdict"] == "not distinguishable"
    if scale in (1.0, -1.0) or statistic == "srcc":
        assert row["p_bootstrap"] == row["p_holm"] == 1.0
        assert row[f"{statistic}_difference_low"] == row[f"{statistic}_difference_high"] == 0.0


def test_rows_are_compared_on_the_pairs_that_both_measured():
    wide, y, groups = study(slopes=(1.0, 0.5, 0.2))
    wide.loc[:9, "m1"] = np.inf
    wide.loc[100:, "m2"] = np.nan
    table = compare_rows(wide, y, groups, 200, 1)
    assert list(table["n"]) == [110, 100, 90]
    alone = compare_rows(wide.loc[10:, ["m0", "m1"]], y[10:], groups[10:], 200, 1)
    assert table["srcc_difference"].iloc[0] == pytest.approx(alone["srcc_difference"].iloc[0], abs=1e-12)


def test_a_row_that_cannot_be_compared_says_why_and_harms_no_other():
    wide, y, groups = study(slopes=(1.5, 0.1))
    alone = compare_rows(wide, y, groups, 3000, 1)
    table = compare_rows(wide.assign(flat=1.0, gone=np.nan), y, groups, 3000, 1)
    assert table["verdict"].iloc[0] == "a better" and set(table["verdict"].iloc[1:]) == {"undefined"}
    assert table["p_holm"].iloc[0] == alone["p_holm"].iloc[0] and table["p_holm"].iloc[1:].isna().all()
    assert table["status"].iloc[1].startswith("undefined: a correlation of a constant")
    assert "at least 5 pairs, got 0" in table["status"].iloc[2]


def test_fifteen_rows_can_be_told_apart_and_take_seconds():
    wide, y, groups = study(150, 50, 3, slopes=tuple(np.linspace(0.1, 2.0, 15)))
    start = time.process_time()
    table = compare_rows(wide, y, groups, 2000, 1)
    assert time.process_time() - start < 15
    assert len(table) == 105
    # with 2,000 resamples no p could survive a correction for 105 tests
    assert table["p_holm"].min() == pytest.approx(0.01, abs=1e-4)


def test_comparisons_refuse_wrong_input():
    wide, y, groups = study()
    with pytest.raises(HlfError, match="at least 2 metrics"):
        compare_rows(wide[["m0"]], y, groups, 100, 1)
    with pytest.raises(HlfError, match="each named once"):
        compare_rows(wide[["m0", "m0"]], y, groups, 100, 1)
    with pytest.raises(HlfError, match="120 pairs, 119 scores"):
        compare_rows(wide, y[:-1], groups, 100, 1)
    with pytest.raises(HlfError, match="constant"):
        compare_rows(wide, np.ones(120), groups, 100, 1)
    with pytest.raises(HlfError, match="at least 5 pairs"):
        compare_rows(wide[:4], y[:4], groups[:4], 100, 1)
    with pytest.raises(HlfError, match="2 GT groups"):
        compare_rows(wide, y, ["one"] * 120, 100, 1)
    with pytest.raises(HlfError, match="'srcc' or 'plcc'"):
        compare_rows(wide, y, groups, 100, 1, "krcc")
