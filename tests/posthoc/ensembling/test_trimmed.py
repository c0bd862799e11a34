"""The trimmed mean by hand; the behaviour suite of all ensemblers covers the rest."""

import numpy as np
import pytest
from scipy import stats

from ensemble_kit.posthoc.ensembling.trimmed import TrimmedMean, fit_trimmed
from tests.posthoc.posthoc_cases import made_rows


def test_three_members_by_hand() -> None:
    """Order statistics weigh 1/6, 2/3, 1/6: a third of a member's place lies in the middle half."""
    members = np.array([[[0.9, 0.1]], [[0.2, 0.8]], [[0.4, 0.6]]])
    high, low = 0.2 / 6 + 0.4 * 2 / 3 + 0.9 / 6, 0.1 / 6 + 0.6 * 2 / 3 + 0.8 / 6
    expected = np.array([[high, low]]) / (high + low)
    assert TrimmedMean(0.25).apply(members) == pytest.approx(expected)


def test_with_a_whole_number_cut_it_is_scipys() -> None:
    members = made_rows(members=8).members
    expected = stats.trim_mean(members, 0.25, axis=0)
    expected /= expected.sum(axis=1, keepdims=True)
    assert TrimmedMean(0.25).apply(members) == pytest.approx(expected, abs=1e-12)


def test_one_member_that_errs_alone_counts_less_than_in_the_mean() -> None:
    rows = made_rows(members=5)
    wrong = np.eye(4)[(rows.labels + 1) % 4]
    members = np.concatenate([rows.members, wrong[None]])
    of_truth = np.arange(len(rows.labels)), rows.labels
    trimmed = fit_trimmed(rows).apply(members)[of_truth]
    assert trimmed.mean() > members.mean(axis=0)[of_truth].mean()
