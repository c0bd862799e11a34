"""One behaviour suite for every calibrator, and an oracle or a known truth for each."""

import json
from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from ensemble_kit.metrics.losses import top_label_ece
from ensemble_kit.posthoc.calibration.curves import fit_beta, fit_histogram, pool_ties, venn_abers
from ensemble_kit.posthoc.calibration.prior import PriorShift, estimate_prevalence, fit_prior_shift
from ensemble_kit.posthoc.calibration.scaling import (
    fit_bias,
    fit_dirichlet,
    fit_matrix,
    fit_temperature,
    fit_vector,
)
from ensemble_kit.posthoc.convex.simplex import mean_log_loss, softmax
from ensemble_kit.posthoc.selection.catalogue import CALIBRATORS, step_from_json, step_to_json
from tests.posthoc.posthoc_cases import made_rows

ALL = pytest.mark.parametrize("name", list(CALIBRATORS))
SMOOTH = ("temperature", "bias", "vector", "dirichlet", "matrix", "beta")


def drawn(n: int = 4000, slope: float = 1.0, bias=(0.0, 0.0, 0.0), seed: int = 0):
    """Probabilities p and labels drawn from softmax(slope log p + bias)."""
    random = np.random.default_rng(seed)
    p = softmax(random.normal(0, 1.5, (n, 3)))
    truth = softmax(slope * np.log(p) + np.array(bias))
    labels = (random.random((n, 1)) > np.cumsum(truth, axis=1)).sum(axis=1)
    return p, labels, np.arange(n) % 4


def on_simplex(p: np.ndarray) -> bool:
    return bool((p >= 0).all() and np.isfinite(p).all() and np.allclose(p.sum(axis=1), 1))


@ALL
def test_simplex_determinism_and_exact_json(name: str) -> None:
    rows = made_rows()
    p = rows.members[0]
    step = CALIBRATORS[name](p, rows.labels, rows.fold)
    out = step.apply(p)
    assert on_simplex(out)
    assert out.tobytes() == CALIBRATORS[name](p, rows.labels, rows.fold).apply(p).tobytes()
    text = json.dumps(step_to_json(step), allow_nan=False)
    again = step_from_json(json.loads(text))
    assert again.apply(p).tobytes() == out.tobytes()
    assert again.n_parameters == step.n_parameters


@ALL
def test_classes_in_another_order_change_nothing_else(name: str) -> None:
    rows = made_rows()
    order = np.array([2, 0, 3, 1])
    labels = np.argsort(order)[rows.labels]
    p = rows.members[0]
    out = CALIBRATORS[name](p, rows.labels, rows.fold).apply(p)[:, order]
    q = np.ascontiguousarray(p[:, order])
    assert CALIBRATORS[name](q, labels, rows.fold).apply(q) == pytest.approx(out, abs=1e-5)


@ALL
def test_well_calibrated_input_is_left_nearly_alone(name: str) -> None:
    p, labels, fold = drawn(20_000)
    out = CALIBRATORS[name](p, labels, fold).apply(p)
    assert np.abs(out - p).mean() < (0.03 if name == "histogram" else 0.012)


@ALL
def test_perfect_input_stays_perfect(name: str) -> None:
    rows = made_rows()
    p = np.eye(4)[rows.labels] * 0.996 + 0.001
    out = CALIBRATORS[name](p, rows.labels, rows.fold).apply(p)
    assert (out.argmax(axis=1) == rows.labels).all()
    assert mean_log_loss(out, rows.labels) < 0.06


@ALL
def test_exact_zeros_and_ones_are_survived(name: str) -> None:
    rows = made_rows()
    p = np.eye(4)[rows.members[1].argmax(axis=1)]
    out = CALIBRATORS[name](p, rows.labels, rows.fold).apply(p)
    assert on_simplex(out)
    if name != "none":
        assert mean_log_loss(out, rows.labels) < np.log(4)


@ALL
def test_a_class_absent_in_training_keeps_its_column(name: str) -> None:
    rows = made_rows()
    seen = rows.labels != 3
    p = rows.members[0]
    step = CALIBRATORS[name](p[seen], rows.labels[seen], rows.fold[seen])
    out = step.apply(p)
    assert on_simplex(out)
    assert out[:, 3].max() > 0


@pytest.mark.parametrize("name", [*SMOOTH, "isotonic", "venn-abers", "histogram"])
def test_overconfidence_is_mended_on_rows_not_fitted_on(name: str) -> None:
    p, labels, fold = drawn(12_000)
    sharp = softmax(2.5 * np.log(p))
    half = np.arange(len(p)) < 6000
    step = CALIBRATORS[name](sharp[half], labels[half], fold[half])
    out = step.apply(sharp[~half])
    before = top_label_ece(labels[~half], sharp[~half])
    assert before > 0.1
    assert top_label_ece(labels[~half], out) < 0.04
    assert mean_log_loss(out, labels[~half]) < mean_log_loss(sharp[~half], labels[~half])


class Logits(ClassifierMixin, BaseEstimator):
    """A classifier that hands its input through as decision values."""

    def __init__(self) -> None:
        self.classes_ = np.arange(3)

    def fit(self, x, y):
        return self

    def decision_function(self, x):
        return x

    def predict(self, x):
        return x.argmax(axis=1)


def test_temperature_matches_scikit_learn() -> None:
    p, labels, fold = drawn(3000, slope=0.6)
    oracle = CalibratedClassifierCV(FrozenEstimator(Logits()), method="temperature")
    oracle.fit(np.log(p), labels)
    ours = fit_temperature(p, labels, fold).apply(p)
    assert ours == pytest.approx(oracle.predict_proba(np.log(p)), abs=1e-4)


def test_temperature_and_biases_find_a_known_truth() -> None:
    p, labels, fold = drawn(20_000, slope=0.5, bias=(0.8, 0.0, -0.8))
    step = fit_bias(p, labels, fold)
    assert step.slopes[0] == pytest.approx(0.5, abs=0.03)
    assert step.biases - step.biases.mean() == pytest.approx([0.8, 0, -0.8], abs=0.08)
    assert fit_temperature(*drawn(20_000, slope=0.5)).slopes[0] == pytest.approx(0.5, abs=0.03)


def test_vector_and_dirichlet_contain_what_is_simpler() -> None:
    p, labels, fold = drawn(3000, slope=0.5, bias=(0.8, 0.0, -0.8))
    losses = [
        mean_log_loss(fit(p, labels, fold).apply(p), labels)
        for fit in (fit_temperature, fit_bias, fit_vector, fit_matrix)
    ]
    assert all(b <= a + 1e-6 for a, b in pairwise(losses))


def test_matrix_matches_unpenalised_logistic_regression() -> None:
    p, labels, fold = drawn(3000, slope=0.7)
    oracle = LogisticRegression(C=1e8, max_iter=5000, tol=1e-8).fit(np.log(p), labels)
    ours = fit_matrix(p, labels, fold).apply(p)
    assert ours == pytest.approx(oracle.predict_proba(np.log(p)), abs=5e-3)


def test_dirichlet_penalises_what_is_off_the_diagonal() -> None:
    p, labels, fold = drawn(400)
    step, free = fit_dirichlet(p, labels, fold), fit_matrix(p, labels, fold)
    off = ~np.eye(3, dtype=bool)
    assert step.off_diagonal > 0
    assert np.abs(step.weights[off]).max() < np.abs(free.weights[off]).max()


def test_isotonic_matches_scikit_learn_before_normalising() -> None:
    rows = made_rows(groups=400)
    p = np.round(rows.members[0], 2)
    step = CALIBRATORS["isotonic"](p, rows.labels, rows.fold)
    least = 1 / (len(rows) + 2)
    grid = np.unique(p[:, 1])
    oracle = IsotonicRegression(out_of_bounds="clip").fit(p[:, 1], rows.labels == 1)
    ours = np.interp(grid, step.knots[1], step.values[1])
    assert ours == pytest.approx(np.clip(oracle.predict(grid), least, 1 - least), abs=1e-9)


def test_beta_matches_logistic_regression_on_its_features() -> None:
    p, labels, fold = drawn(6000, slope=0.6)
    step = fit_beta(p, labels, fold)
    x = np.stack([np.log(p[:, 0]), -np.log(1 - p[:, 0])], axis=1)
    oracle = LogisticRegression(C=1e8, tol=1e-10, max_iter=2000).fit(x, labels == 0)
    expected = [*oracle.coef_[0], oracle.intercept_[0]]
    assert step.parameters[:, 0] == pytest.approx(expected, abs=0.02)


def test_histogram_bins_by_hand() -> None:
    p = np.array([[0.1, 0.9]] * 4 + [[0.9, 0.1]] * 4)
    labels = np.array([1, 1, 1, 0, 0, 0, 0, 0])
    out = fit_histogram(p, labels, labels).apply(p)
    base = 5.5 / 9
    low, high = (1 + base) / 5, (4 + base) / 5
    other = 1 - base
    low1, high1 = (0 + other) / 5, (3 + other) / 5
    assert out[0] == pytest.approx(np.array([low, high1]) / (low + high1))
    assert out[-1] == pytest.approx(np.array([high, low1]) / (high + low1))


def test_venn_abers_is_isotonic_regression_with_the_point_added() -> None:
    """By the definition of Vovk et al. 2015, with scikit-learn's isotonic regression."""
    random = np.random.default_rng(0)
    scores = np.round(random.random(60), 2)
    hit = random.random(60) < scores
    pooled = pool_ties(scores, hit)
    p0, p1 = venn_abers(pooled)
    for i in (0, 7, len(pooled.scores) // 2, len(pooled.scores) - 1):
        for outcome, ours in ((0.0, p0[i]), (1.0, p1[i])):
            x, y = np.r_[scores, pooled.scores[i]], np.r_[hit, outcome]
            oracle = IsotonicRegression().fit(x, y)
            assert ours == pytest.approx(float(oracle.predict([pooled.scores[i]])[0]), abs=1e-12)
    assert (p0 <= p1).all()


def test_prior_shift_is_exact_for_a_bayes_classifier() -> None:
    """Two normals: the posterior under another prior, by Bayes' rule."""
    x = np.linspace(-3, 3, 50)
    density = np.exp(-0.5 * (x[:, None] - np.array([-1.0, 1.0])) ** 2)

    def posterior(prior):
        p = density * prior
        return p / p.sum(axis=1, keepdims=True)

    source, target = np.array([0.8, 0.2]), np.array([0.3, 0.7])
    out = PriorShift(source, target).apply(posterior(source))
    assert out == pytest.approx(posterior(target))
    back = PriorShift(target, source).apply(out)
    assert back == pytest.approx(posterior(source))


def test_prior_of_labels_and_of_unlabelled_rows() -> None:
    shift = fit_prior_shift(np.array([0, 0, 0, 1]), np.array([0.5, 0.5]))
    assert shift.source == pytest.approx([3.5 / 5, 1.5 / 5])
    random = np.random.default_rng(1)
    truth = (random.random(20_000) < 0.7).astype(int)
    x = random.normal(np.where(truth == 1, 1.0, -1.0))
    density = np.exp(-0.5 * (x[:, None] - np.array([-1.0, 1.0])) ** 2)
    p = density * 0.5 / (density * 0.5).sum(axis=1, keepdims=True)
    assert estimate_prevalence(p, np.array([0.5, 0.5])) == pytest.approx([0.3, 0.7], abs=0.015)
