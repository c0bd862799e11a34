import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_kit.metrics.delong import clustered_auc, delong_interval


def naive(scores: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """AUC and DeLong's variance by comparing every pair."""
    up, down = scores[positive], scores[~positive]
    wins = (up[:, None] > down[None]) + 0.5 * (up[:, None] == down[None])
    v10, v01 = wins.mean(axis=1), wins.mean(axis=0)
    return float(wins.mean()), v10.var(ddof=1) / len(up) + v01.var(ddof=1) / len(down)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_one_image_a_group_is_delong_by_all_pairs(seed: int, ties: bool) -> None:
    random = np.random.default_rng(seed)
    n = int(random.integers(8, 60))
    positive = np.arange(n) % 3 == 0
    scores = random.normal(size=n) + positive
    scores = np.round(scores) if ties else scores
    found = clustered_auc(scores, positive, np.arange(n))
    auc, variance = naive(scores, positive)
    assert found.auc == pytest.approx(auc, abs=1e-12)
    assert found.variance == pytest.approx(variance, abs=1e-12)


def test_copies_of_an_image_add_nothing_when_grouped() -> None:
    random = np.random.default_rng(1)
    positive = np.arange(80) % 2 == 0
    scores = random.normal(size=80) + positive
    once = clustered_auc(scores, positive, np.arange(80))
    twice = [np.repeat(x, 3) for x in (scores, positive)]
    grouped = clustered_auc(*twice, np.repeat(np.arange(80), 3))
    ignored = clustered_auc(*twice, np.arange(240))
    assert grouped.auc == pytest.approx(once.auc)
    assert grouped.variance == pytest.approx(once.variance, rel=1e-9)
    assert ignored.variance < 0.4 * once.variance


def test_groups_with_both_sides_count_their_covariance() -> None:
    """A hand case of Obuchowski's formula: two groups, each one positive and one negative."""
    found = clustered_auc(
        np.array([3.0, 1.0, 2.0, 2.5]), np.array([True, False, True, False]), np.array([0, 0, 1, 1])
    )
    # V10 = (1, 1/2), V01 = (1, 1/2), AUC 3/4: S10 = S01 = S11 = 2/(1·2)·(1/16 + 1/16) or 2·1/8
    assert found.auc == 0.75
    assert found.variance == pytest.approx(0.125 / 2 + 0.125 / 2 + 2 * 0.25 / 4)


def test_no_interval_where_it_cannot_be() -> None:
    scores, truth = np.array([1.0, 2, 3, 4]), np.array([False, False, True, True])
    perfect = delong_interval(scores, truth, np.arange(4))
    assert (perfect.value, perfect.low) == (1.0, None)
    assert "separated" in perfect.note
    assert delong_interval(scores, truth, np.array([0, 1, 2, 2])).value is None
