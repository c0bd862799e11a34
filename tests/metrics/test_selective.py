"""Risk–coverage curves by hand and against a loop; simultaneous bands hold whole curves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm as normal
from scipy.stats import t as student

from ensemble_kit.metrics.bootstrap import GroupBootstrap
from ensemble_kit.metrics.cases import Cases
from ensemble_kit.metrics.curves import make_curves, pointwise_band, simultaneous_band
from ensemble_kit.metrics.ranking import GRID, RankingFigures
from ensemble_kit.metrics.reliability import ReliabilityFigures
from ensemble_kit.metrics.selective import COVERAGES, RiskCoverage
from tests.metrics.examples import drawn_cases


def cases_of(certainty, right) -> Cases:
    n = len(certainty)
    p = np.column_stack([certainty, 1 - np.asarray(certainty)])
    labels = np.where(right, 0, 1).astype(np.int64)
    return Cases(labels, p, np.arange(n), n, ("a", "b"), np.zeros(2, bool))


def test_four_images_by_hand() -> None:
    cases = cases_of([0.9, 0.8, 0.7, 0.6], [True, False, True, False])
    risk = RiskCoverage(cases)(np.ones((4, 1)))[:, 0]
    at = {round(float(c), 2): r for c, r in zip(COVERAGES, risk, strict=True)}
    assert at[0.25] == pytest.approx(0)
    assert at[0.5] == pytest.approx(1 / 2)
    assert at[0.75] == pytest.approx(1 / 3)
    assert at[1.0] == pytest.approx(1 / 2)
    without_second = RiskCoverage(cases)(np.array([[1.0], [0.0], [1.0], [1.0]]))[:, 0]
    assert without_second[-1] == pytest.approx(1 / 3)


def test_ties_are_left_to_chance_and_the_order_of_rows_does_not_matter() -> None:
    cases = cases_of([0.7] * 10, [True] * 5 + [False] * 5)
    risk = RiskCoverage(cases)(np.ones((10, 1)))[:, 0]
    assert risk == pytest.approx(np.full(100, 0.5))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_it_follows_a_loop_and_ends_at_the_error(seed: int) -> None:
    cases = drawn_cases(seed, 300, 3)
    risk = RiskCoverage(cases)(np.ones((cases.n_groups, 1)))[:, 0]
    order = np.argsort(-cases.probabilities.max(axis=1), kind="stable")
    wrong = (cases.predicted != cases.labels)[order]
    loop = np.array([wrong[: max(1, round(c * len(wrong)))].mean() for c in COVERAGES])
    assert risk[-1] == pytest.approx(wrong.mean())
    assert np.abs(risk - loop)[20:].max() < 0.02


def roc_and_draws(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The ROC curve of one class of ``3 n`` single images, and of 400 resamples."""
    random = np.random.default_rng(seed)
    labels = (np.arange(3 * n) >= 2 * n).astype(np.int64)
    score = 1 / (1 + np.exp(-(random.normal(size=3 * n) + 2.2 * labels)))
    p = np.column_stack([1 - score, score])
    cases = Cases(labels, p, np.arange(3 * n), 3 * n, ("a", "b"), np.zeros(2, bool))
    weights = next(iter(GroupBootstrap(3 * n, 400, seed).blocks()))
    figures = RankingFigures(cases, pairs=False, micro=False)
    point = figures(np.ones((3 * n, 1)), curves=True)[1]["roc", "b"][:, 0]
    return point, figures(weights, curves=True)[1]["roc", "b"]


def test_the_simultaneous_band_holds_the_true_curve_also_where_all_resamples_agree() -> None:
    truth = normal.sf(normal.isf(GRID) - 2.2)
    held, by_percentiles = [], []
    for seed in range(60):
        point, drawn = roc_and_draws(seed, 25)
        low, high = simultaneous_band(point, drawn, 0.95, 25)
        held.append(bool(((low <= truth) & (truth <= high)).all()))
        percentile_low, _ = pointwise_band(drawn, 0.95)
        by_percentiles.append(bool((percentile_low <= truth).all()))
    assert np.mean(held) >= 0.9
    assert np.mean(by_percentiles) < 0.1  # all 1 where no image was missed


def test_the_simultaneous_band_rises_stays_in_range_and_lies_around_the_curve() -> None:
    point, drawn = roc_and_draws(3, 20)
    low, high = simultaneous_band(point, drawn, 0.95, 20)
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) >= 0).all()
    assert (low[0], low[-1], high[-1]) == (0, 1, 1)
    assert ((low <= point) & (point <= high)).all()
    assert low.min() >= 0
    assert high.max() <= 1
    narrow = simultaneous_band(point, drawn, 0.5, 20)
    assert (narrow[0] >= low).all()
    assert (narrow[1] <= high).all()


def test_bands_know_an_error_where_resamples_know_none() -> None:
    n = 12
    labels = np.repeat([0, 1], n)
    p = np.column_stack([1 - labels, labels]) * 0.8 + 0.1  # every image is right
    cases = Cases(labels, p, np.arange(2 * n), 2 * n, ("a", "b"), np.zeros(2, bool))
    ones, weights = np.ones((2 * n, 1)), next(iter(GroupBootstrap(2 * n, 200, 0).blocks()))

    def values(w):
        ranked = RankingFigures(cases, pairs=False, micro=False)(w, curves=True)[1]
        binned = ReliabilityFigures(cases)(w, curves=True)[1]
        return ranked | binned | {("risk", ""): RiskCoverage(cases)(w)}

    def least(groups):
        return student.ppf(0.975, groups - 1) / groups

    for curve in make_curves("pooled", cases, values(ones), values(weights), 0.95):
        assert curve.low is not None
        assert curve.high is not None
        if curve.kind in ("roc", "pr") and curve.class_name != "macro":
            assert curve.low[1:-1] == pytest.approx(1 - least(n))
        if curve.kind == "roc":
            assert curve.low[-1] == 1
        if curve.kind == "risk":
            assert curve.high[49] == pytest.approx(least(n))  # half of the images kept
            assert curve.high[-1] == pytest.approx(least(2 * n))
        if curve.kind == "reliability" and curve.class_name == "a":
            there = curve.support > 0
            assert curve.high[there][0] == pytest.approx(least(n))
            assert np.isnan(curve.low[~there]).all()
