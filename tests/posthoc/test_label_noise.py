"""Wrong labels: cleanlab's counts as the oracle, planted swaps found, clean sets left alone."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ensemble_kit.posthoc.label_noise import confident_joint, label_noise


def drawn(seed: int, n: int = 2000, n_classes: int = 4, sharp: float = 3.0):
    """Probabilities true by construction and labels drawn from them."""
    random = np.random.default_rng(seed)
    scores = sharp * random.normal(size=(n, n_classes))
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    labels = (random.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1)
    return p, np.minimum(labels, n_classes - 1).astype(np.int64)


def swapped(labels, n_classes: int, share: float, seed: int):
    random = np.random.default_rng(seed)
    rows = random.choice(len(labels), int(share * len(labels)), replace=False)
    given_labels = labels.copy()
    given_labels[rows] = (labels[rows] + random.integers(1, n_classes, len(rows))) % n_classes
    bad = np.zeros(len(labels), bool)
    bad[rows] = True
    return given_labels, bad


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), n_classes=st.integers(2, 6), sharp=st.floats(1.5, 6))
def test_the_confident_joint_is_cleanlabs(seed: int, n_classes: int, sharp: float) -> None:
    count = pytest.importorskip("cleanlab.count", reason="cleanlab is not installed")
    filters = pytest.importorskip("cleanlab.filter")
    p, labels = drawn(seed, 300, n_classes, sharp)
    labels[:n_classes] = np.arange(n_classes)  # every class is there
    found = confident_joint(p, labels)
    reached = p >= found.thresholds - 1e-6
    likeliest = reached[np.arange(len(p)), p.argmax(axis=1)]
    # with several classes reached they take the likeliest of all, we (as the paper) of those
    assume(not ((reached.sum(axis=1) > 1) & ~likeliest).any())
    theirs = count.compute_confident_joint(labels, p, calibrate=False)
    empty = np.diag(found.counts) == 0  # theirs writes 1 where a class confirms nobody
    assert np.array_equal((found.counts + np.diag(empty)), theirs)
    flagged = filters.find_label_issues(labels, p, filter_by="confident_learning", n_jobs=1)
    assert not (flagged & ~found.off_diagonal(labels)).any()
    kept = found.off_diagonal(labels) & ~flagged
    predicted = p.argmax(axis=1)
    assert (predicted[kept] == labels[kept]).all()  # theirs spares what the model agrees with


def test_three_images_by_hand() -> None:
    p = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.95, 0.05]])
    labels = np.array([0, 0, 1, 1])
    found = confident_joint(p, labels)
    # means of own class: 0.8 and (0.8 + 0.05) / 2; image 1 reaches neither
    assert found.thresholds == pytest.approx([0.8, 0.425])
    assert found.counted.tolist() == [0, -1, 1, 0]
    assert found.counts.tolist() == [[1, 0], [1, 1]]
    assert found.off_diagonal(labels).tolist() == [False, False, False, True]


@pytest.mark.parametrize("share", [0.01, 0.02, 0.1])
@pytest.mark.parametrize("confidence", [0.6, 1.0, 2.5])
def test_planted_swaps_are_found_whatever_the_confidence(share: float, confidence: float) -> None:
    p, labels = drawn(1, 5000)
    labels, bad = swapped(labels, 4, share, 2)
    shown = p**confidence / (p**confidence).sum(axis=1, keepdims=True)
    found = label_noise(shown, labels)
    assert found.rate == pytest.approx(share, rel=0.35, abs=0.004)
    assert found.inverse_temperature == pytest.approx(1 / confidence, rel=0.1)
    listed = found.suspicion >= 0.5
    assert bad[listed].mean() > 0.5
    # suspicions are probabilities: their sum is the number of swaps, within its noise
    assert found.suspicion.sum() == pytest.approx(bad.sum(), rel=0.4, abs=20)
    assert found.suspicion[bad].mean() > 5 * found.suspicion[~bad].mean()


def test_a_clean_set_is_left_alone() -> None:
    for confidence in (1.0, 3.0):
        p, labels = drawn(5, 4000, sharp=2.0)
        shown = p**confidence / (p**confidence).sum(axis=1, keepdims=True)
        found = label_noise(shown, labels)
        assert found.rate < 0.003
        assert (found.suspicion >= 0.5).sum() <= 2


def test_the_suggestion_is_the_likeliest_other_class() -> None:
    p, labels = drawn(3, 200)
    found = label_noise(p, labels)
    assert (found.suggested != labels).all()
    others = p.copy()
    others[np.arange(200), labels] = 0
    assert np.array_equal(found.suggested, others.argmax(axis=1))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_zeros_and_ones_and_order_do_no_harm(seed: int) -> None:
    p, labels = drawn(seed, 120, 3, 4.0)
    hard = np.eye(3)[p.argmax(axis=1)]
    found = label_noise(hard, labels)
    assert np.isfinite(found.suspicion).all()
    assert ((found.suspicion >= 0) & (found.suspicion <= 1)).all()
    order = np.random.default_rng(seed).permutation(120)
    again = label_noise(p[order], labels[order])
    assert again.suspicion == pytest.approx(label_noise(p, labels).suspicion[order], abs=2e-3)
