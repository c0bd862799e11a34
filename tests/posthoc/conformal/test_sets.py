"""Prediction sets: quantiles by hand, guarantees by simulation, groups as the unit."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_kit.metrics.bootstrap import GroupBootstrap
from ensemble_kit.posthoc.conformal.coverage import coverage_table
from ensemble_kit.posthoc.conformal.nonconformity import SCORES, nonconformity
from ensemble_kit.posthoc.conformal.quantiles import group_quantile, groups_needed
from ensemble_kit.posthoc.conformal.sets import PredictionSets, fit_sets
from ensemble_kit.posthoc.conformal.spec import SetSpec
from ensemble_kit.posthoc.convex.simplex import softmax


def test_scores_by_hand() -> None:
    p = np.array([[0.5, 0.2, 0.3]])
    assert nonconformity(p, "lac") == pytest.approx(np.array([[0.5, 0.8, 0.7]]))
    assert nonconformity(p, "aps") == pytest.approx(np.array([[0.5, 1.0, 0.8]]))
    assert nonconformity(p, "raps") == pytest.approx(np.array([[0.5, 1.01, 0.8]]))


def test_one_row_a_group_is_the_ordinary_conformal_quantile() -> None:
    """The ceil((n+1) level)-th smallest of n scores, infinite where that exceeds n."""
    scores = np.random.default_rng(0).random(37)
    for level in (0.5, 0.8, 0.9, 0.95, 0.975):
        k = int(np.ceil(38 * level - 1e-9))
        expected = np.sort(scores)[k - 1] if k <= 37 else np.inf
        for unit in ("weighted", "drawn"):
            assert group_quantile(scores, np.arange(37), level, unit) == expected


def test_groups_needed_is_where_the_quantile_becomes_finite() -> None:
    for level in (0.5, 0.8, 0.9, 0.95, 0.99):
        needed = groups_needed(level)
        for n, finite in ((needed, True), (needed - 1, False)):
            q = group_quantile(np.linspace(0, 1, n), np.arange(n), level)
            assert np.isfinite(q) == finite
    assert [groups_needed(x) for x in (0.5, 0.9, 0.95, 0.99)] == [1, 9, 19, 99]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5))
def test_photos_of_one_lesion_given_twice_change_nothing(seed: int, times: int) -> None:
    random = np.random.default_rng(seed)
    scores, groups = random.random(60), random.integers(0, 25, 60)
    base = group_quantile(scores, groups, 0.8)
    again = group_quantile(np.tile(scores, times), np.tile(groups, times), 0.8)
    assert base == again


def test_a_large_group_counts_as_one() -> None:
    """A lesion of 500 photos that all fit badly does not drag the threshold; by rows it would."""
    scores = np.r_[np.linspace(0, 0.5, 99), np.full(500, 0.99)]
    groups = np.r_[np.arange(99), np.full(500, 99)]
    for unit in ("weighted", "drawn"):
        assert group_quantile(scores, groups, 0.9, unit) < 0.5
    assert group_quantile(scores, np.arange(599), 0.9) == 0.99


def hierarchical(random: np.random.Generator, n_groups: int):
    """Groups of 1-6 rows that share most of their difficulty."""
    sizes = random.integers(1, 7, n_groups)
    codes = np.repeat(np.arange(n_groups), sizes)
    of_group = random.integers(0, 3, n_groups)
    labels = of_group[codes]
    logits = random.normal(0, 1.2, (n_groups, 3))[codes] + random.normal(0, 0.3, (len(codes), 3))
    logits[np.arange(len(codes)), labels] += 1.5
    return softmax(logits), labels, codes


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("unit", ["weighted", "drawn"])
@pytest.mark.parametrize("by_class", [True, False])
def test_new_groups_are_covered_as_promised(score: str, unit: str, by_class: bool) -> None:
    random = np.random.default_rng(1)
    covered, of_class = [], [[], [], []]
    for seed in range(80):
        spec = SetSpec(0.8, score, by_class, unit, seed)
        sets = fit_sets(*hierarchical(random, 90), spec)
        p, labels, codes = hierarchical(random, 300)
        inside = nonconformity(p, score) <= sets.thresholds
        hit = inside[np.arange(len(labels)), labels]
        mean = np.bincount(codes, hit) / np.bincount(codes)
        covered.append(mean.mean())
        truth = labels[np.unique(codes, return_index=True)[1]]
        for c in range(3):
            of_class[c].append(mean[truth == c].mean())
    error = 3 * np.std(covered) / np.sqrt(len(covered))
    assert 0.8 - error <= np.mean(covered) <= 0.8 + error + (0.04 if by_class else 0.02)
    if by_class:
        for values in of_class:
            assert np.mean(values) >= 0.8 - 3 * np.std(values) / np.sqrt(len(values))


def test_a_class_with_too_few_groups_gets_no_guarantee_and_the_number_it_needs() -> None:
    p = np.tile([0.6, 0.3, 0.1], (40, 1))
    labels = np.r_[np.zeros(20, int), np.ones(15, int), np.full(5, 2)]
    sets = fit_sets(p, labels, np.r_[np.arange(35), np.full(5, 35)], SetSpec(0.9))
    assert sets.n_groups.tolist() == [20, 15, 1]
    assert sets.finite.tolist() == [True, True, False]
    assert sets.needed == 9
    assert sets.thresholds[2] == np.inf
    assert sets.sets(p)[:, 2].all()
    absent = fit_sets(p[:20], labels[:20], np.arange(20), SetSpec(0.9))
    assert absent.finite.tolist() == [True, False, False]


def test_no_set_is_empty_and_json_is_exact() -> None:
    random = np.random.default_rng(0)
    p, labels, codes = hierarchical(random, 60)
    sets = fit_sets(p, labels, codes, SetSpec(0.5))
    assert sets.sets(p).any(axis=1).all()
    few = PredictionSets(SetSpec(0.9), np.array([0.1, np.inf]), np.array([30, 2]))
    for one in (sets, few):
        again = PredictionSets.from_json(json.loads(json.dumps(one.to_json(), allow_nan=False)))
        assert again.thresholds.tolist() == one.thresholds.tolist()
        assert again.spec == one.spec
        assert again.finite.tolist() == one.finite.tolist()


def test_coverage_by_hand_and_by_slice() -> None:
    labels = np.array([0, 0, 1, 1] * 10)
    sets = np.tile([[True, False], [True, True], [True, False], [False, True]], (10, 1))
    groups = np.arange(40)
    sex = np.array(["f", "m"] * 20)
    table = coverage_table(
        sets, labels, groups, ("a", "b"), GroupBootstrap(40, 500, 0), {"sex": sex}
    )
    found = {(row.scope, row.name): row for row in table}
    assert found["all", ""].coverage.value == 0.75
    assert found["class", "a"].coverage.value == 1.0
    assert found["class", "b"].coverage.value == 0.5
    assert found["all", ""].size.value == 1.25
    assert found["sex", "f"].coverage.value == 0.5
    low, high = found["class", "b"].coverage.low, found["class", "b"].coverage.high
    assert 0.2 < low < 0.5 < high < 0.8
    whole = found["class", "a"]
    groups_of_a = len(np.unique(groups[labels == 0]))
    assert whole.coverage.low == pytest.approx(0.025 ** (1 / groups_of_a)), "exact binomial"
    assert whole.coverage.high == whole.by_group.high == 1.0


def test_coverage_says_when_there_is_nothing_or_too_little_to_estimate() -> None:
    labels = np.r_[np.zeros(30, int), [1, 1]]
    table = coverage_table(
        np.ones((32, 3), bool), labels, np.r_[np.arange(30), [30, 30]], ("a", "b", "c"),
        GroupBootstrap(31, 200, 0),
    )  # fmt: skip
    found = {row.name: row.coverage for row in table if row.scope == "class"}
    assert found["b"].low is None
    assert "1 groups" in found["b"].note
    assert found["c"].value is None
    assert "not estimable" in found["c"].note
