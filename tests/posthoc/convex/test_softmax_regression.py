"""Softmax regression of many features: scikit-learn's optimum, whatever it starts from."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ensemble_kit.posthoc.convex.softmax_regression import (
    Block,
    fit_softmax,
    fit_without_each,
    mean_loss,
    principal_axes,
)


def drawn(n=300, features=40, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(n, features)) @ rng.normal(size=(features, features))).astype(np.float32)
    x = (x - x.mean(0)) / x.std(0)
    scores = x @ rng.normal(size=(features, classes)) * 0.5
    labels = np.array([rng.choice(classes, p=np.exp(s - s.max()) / np.exp(s - s.max()).sum())
                       for s in scores])  # fmt: skip
    return x, labels


def fitted(x, labels, ridge, weights=None, start=None, parts=2):
    axes = principal_axes([x])
    weights = np.ones(len(x), np.float32) if weights is None else weights
    turned = x @ axes.turn
    cut = np.array_split(np.arange(len(x)), parts)
    blocks = [Block(turned[rows], labels[rows], weights[rows]) for rows in cut]
    return axes, blocks, fit_softmax(blocks, labels.max() + 1, ridge, axes, start)


@pytest.mark.parametrize("features", [40, 400])
@pytest.mark.parametrize("ridge", [4.0, 0.1, 0.004])
def test_the_optimum_is_scikit_learns(features, ridge):
    x, labels = drawn(features=features)
    axes, _, fit = fitted(x, labels, ridge)
    peer = LogisticRegression(C=1 / (ridge * len(x)), max_iter=20_000, tol=1e-10).fit(x, labels)
    gap = fit.probabilities(x @ axes.turn) - peer.predict_proba(x)
    assert np.abs(gap).max() < 1e-3
    assert axes.turn.shape[1] <= 1.02 * min(features, len(x))


def test_weights_count_rows_and_blocks_do_not_matter():
    x, labels = drawn()
    weights = np.random.default_rng(1).integers(1, 4, len(x)).astype(np.float32)
    axes, _, fit = fitted(x, labels, 0.1, weights)
    peer = LogisticRegression(C=1 / (0.1 * weights.sum()), max_iter=20_000, tol=1e-10)
    peer.fit(x, labels, sample_weight=weights)
    assert np.abs(fit.probabilities(x @ axes.turn) - peer.predict_proba(x)).max() < 1e-3
    parted = fitted(x, labels, 0.1, weights, parts=7)[2]
    np.testing.assert_allclose(parted.kernel, fit.kernel, atol=2e-3)


def test_another_start_ends_at_the_same_place_and_no_step_from_it_is_better():
    x, labels = drawn()
    _, blocks, fit = fitted(x, labels, 0.05)
    far = fitted(x, labels, 5.0)[2]
    again = fitted(x, labels, 0.05, start=far)[2]
    np.testing.assert_allclose(again.kernel, fit.kernel, atol=2e-3)

    def value(kernel):
        moved = type(fit)(kernel, fit.bias)
        return mean_loss(blocks, moved) + 0.025 * (kernel**2).sum()

    rng = np.random.default_rng(2)
    for _ in range(20):
        step = 0.01 * rng.normal(size=fit.kernel.shape)
        assert value(fit.kernel + step) >= value(fit.kernel) - 1e-6


def test_side_by_side_each_fit_is_that_of_the_other_blocks():
    x, labels = drawn()
    weights = np.random.default_rng(1).integers(1, 4, len(x)).astype(np.float32)
    axes, blocks, _ = fitted(x, labels, 0.05, weights, parts=4)
    found = fit_without_each(blocks, 4, 0.05, axes, tolerance=1e-6)
    again = fit_without_each(blocks, 4, 0.05, axes, found, tolerance=1e-6)
    for k, (fit, same) in enumerate(zip(found, again, strict=True)):
        rest = [block for block in blocks if block is not blocks[k]]
        alone = fit_softmax(rest, 4, 0.05, axes, tolerance=1e-6)
        p = alone.probabilities(blocks[k].x)
        np.testing.assert_allclose(fit.probabilities(blocks[k].x), p, atol=2e-3)
        np.testing.assert_allclose(same.probabilities(blocks[k].x), p, atol=2e-3)
