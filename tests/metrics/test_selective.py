"""Risk–coverage curves by hand and against a loop; simultaneous bands hold whole curves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_kit.metrics.cases import Cases
from ensemble_kit.metrics.curves import pointwise_band, simultaneous_band
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


def test_the_simultaneous_band_holds_the_share_of_curves_and_the_pointwise_one_does_not() -> None:
    random = np.random.default_rng(0)
    curves = random.normal(size=(40, 2000)).cumsum(axis=0)
    low, high = simultaneous_band(curves, 0.95)
    inside = ((curves >= low[:, None]) & (curves <= high[:, None])).all(axis=0).mean()
    assert 0.95 <= inside < 0.965
    point_low, point_high = pointwise_band(curves, 0.95)
    held = ((curves >= point_low[:, None]) & (curves <= point_high[:, None])).all(axis=0).mean()
    assert held < 0.9
    assert (low <= point_low).all()
    assert (high >= point_high).all()


def test_points_where_all_curves_agree_do_not_widen_the_band() -> None:
    random = np.random.default_rng(1)
    curves = random.normal(size=(10, 500))
    with_ends = np.vstack([np.zeros(500), curves, np.ones(500)])
    low, high = simultaneous_band(with_ends, 0.9)
    plain_low, plain_high = simultaneous_band(curves, 0.9)
    assert low[1:-1] == pytest.approx(plain_low)
    assert high[1:-1] == pytest.approx(plain_high)
    assert (low[0], high[0], low[-1], high[-1]) == (0, 0, 1, 1)
