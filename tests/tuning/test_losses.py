"""Fold losses: their values against other formulas, their influence against leaving groups out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.metrics import log_loss as sk_log_loss

from ensemble_kit.tuning.losses import direction, fold_loss, pack, score, unpack

METRICS = ("log_loss", "roc_auc_ovr", "balanced_accuracy")


@pytest.fixture
def case():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 400)
    logits = rng.normal(0, 1, (400, 4))
    logits[np.arange(400), labels] += 1
    odds = np.exp(logits)
    return labels, odds / odds.sum(axis=1, keepdims=True), np.arange(400) // 3


def test_values_equal_scikit_learns(case):
    labels, p, groups = case
    values = {m: fold_loss(m, labels, p, groups).value for m in METRICS}
    assert values["log_loss"] == pytest.approx(sk_log_loss(labels, p))
    auc = roc_auc_score(labels, p, multi_class="ovr", average="macro")
    assert values["roc_auc_ovr"] == pytest.approx(1 - auc)
    hits = balanced_accuracy_score(labels, p.argmax(axis=1))
    assert values["balanced_accuracy"] == pytest.approx(1 - hits)
    assert score("roc_auc_ovr", labels, p) == pytest.approx(auc)
    assert [direction(m) for m in METRICS] == ["minimize", "maximize", "maximize"]


@pytest.mark.parametrize("metric", METRICS)
def test_influence_is_what_leaving_a_group_out_shows(case, metric):
    labels, p, groups = case
    whole = fold_loss(metric, labels, p, groups)
    assert whole.influence.sum() == pytest.approx(0, abs=1e-12)
    without = [
        fold_loss(metric, labels[groups != g], p[groups != g], groups[groups != g]).value
        for g in range(groups.max() + 1)
    ]
    jackknife = whole.value - np.array(without)
    assert np.corrcoef(jackknife, whole.influence)[0, 1] > 0.999
    assert np.abs(jackknife - whole.influence).max() < 0.1 * np.abs(whole.influence).max()


@pytest.mark.parametrize("metric", METRICS)
def test_influence_gives_the_standard_error_that_resampling_groups_gives(case, metric):
    labels, p, groups = case
    whole = fold_loss(metric, labels, p, groups)
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(groups == g) for g in range(groups.max() + 1)]
    values = []
    for _ in range(400):
        rows = np.concatenate([members[g] for g in rng.integers(0, len(members), len(members))])
        values.append(fold_loss(metric, labels[rows], p[rows], np.arange(len(rows))).value)
    assert np.sqrt((whole.influence**2).sum()) == pytest.approx(np.std(values), rel=0.12)


@given(st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_packing_keeps_the_value_exactly_and_the_rest_to_single_precision(n, seed):
    rng = np.random.default_rng(seed)
    labels, p = rng.integers(0, 3, n), rng.dirichlet(np.ones(3), n)
    loss = fold_loss("log_loss", labels, p, np.arange(n))
    again = unpack(pack(loss))
    assert (again.value, again.rows) == (loss.value, n)
    np.testing.assert_allclose(again.influence, loss.influence, rtol=1e-6, atol=1e-30)


def test_a_class_absent_from_a_fold_is_left_out_of_its_means():
    labels, p = np.array([0, 0, 1, 1]), np.full((4, 3), 1 / 3)
    for metric in METRICS:
        assert np.isfinite(fold_loss(metric, labels, p, np.arange(4)).influence).all()
    assert fold_loss("balanced_accuracy", labels, p, np.arange(4)).value == 0.5
    assert fold_loss("roc_auc_ovr", labels, p, np.arange(4)).value == 0.5
