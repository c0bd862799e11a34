"""Intervals that count what training adds."""

import numpy as np
import pytest
from scipy.stats import t as student

from ensemble_kit.metrics.repeats import NestedSplit, corrected_interval, nested_interval


def test_corrected_interval_by_hand() -> None:
    scores = np.array([[0.8, 0.9, 0.7, 0.8, 0.8], [0.7, 0.9, 0.8, 0.8, 0.9]])
    found = corrected_interval(scores)
    assert found.value == pytest.approx(0.81)
    error = np.sqrt((1 / 10 + 1 / 4) * scores.var(ddof=1))
    half = student.ppf(0.975, 9) * error
    assert found.low == pytest.approx(0.81 - half)
    assert found.high == pytest.approx(0.81 + half)
    scores[0, 0] = np.nan
    assert corrected_interval(scores).low is None


def test_nested_interval_covers_the_error_of_the_trained_model() -> None:
    """The learner is a mean of n numbers, the loss (x − mean)²: its true risk is known."""
    random = np.random.default_rng(0)
    n, folds, held, narrow = 60, 5, 0, 0
    for _ in range(120):
        x = random.normal(size=n)
        splits, plain = [], np.empty(n)
        for repeat in range(6):
            fold = random.permutation(n) % folds
            for k in range(folds):
                out = fold == k
                outer = (x[out] - x[~out].mean()) ** 2
                if repeat == 0:
                    plain[out] = outer
                inner = [
                    (x[fold == j] - x[(fold != j) & ~out].mean()) ** 2
                    for j in range(folds) if j != k
                ]  # fmt: skip
                splits.append(NestedSplit(np.concatenate(inner), outer))
        found = nested_interval(splits, plain, np.arange(n), folds)
        risk = 1 + x.mean() ** 2
        assert found.low is not None
        assert found.high is not None
        held += found.low <= risk <= found.high
        narrow += found.high - found.low < 2 * 1.95 * plain.std(ddof=1) / n**0.5
    assert held >= 0.88 * 120
    assert narrow == 0


def test_nested_interval_needs_folds() -> None:
    split = NestedSplit(np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match="three folds"):
        nested_interval([split, split], np.ones(8), np.arange(8), 2)
