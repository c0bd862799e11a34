"""Ensemble temperature scaling against its own definition and against the temperature alone."""

import numpy as np
import pytest

from ensemble_kit.posthoc.calibration.scaling import fit_temperature
from ensemble_kit.posthoc.calibration.tempered import fit_tempered_mixture
from ensemble_kit.posthoc.convex.simplex import mean_log_loss
from tests.posthoc.posthoc_cases import made_rows


def test_it_is_the_mixture_it_says() -> None:
    rows = made_rows()
    p = rows.members[0]
    step = fit_tempered_mixture(p, rows.labels, rows.fold)
    a, b, c = step.weights
    assert step.weights.min() >= 0
    assert step.weights.sum() == pytest.approx(1)
    assert step.apply(p) == pytest.approx(a * step.tempered.apply(p) + b * p + c / 4, abs=1e-12)
    assert (step.apply(p).argmax(axis=1) == p.argmax(axis=1)).all()


def test_on_its_own_rows_no_worse_than_the_temperature() -> None:
    rows = made_rows()
    for p in rows.members:
        alone = fit_temperature(p, rows.labels, rows.fold).apply(p)
        mixed = fit_tempered_mixture(p, rows.labels, rows.fold).apply(p)
        assert mean_log_loss(mixed, rows.labels) <= mean_log_loss(alone, rows.labels) + 1e-9


def test_labels_drawn_at_random_for_a_fifth_of_the_rows_give_the_uniform_part_its_weight() -> None:
    rng = np.random.default_rng(4)
    p = rng.dirichlet(np.full(5, 0.05), 4000)
    labels = np.array([rng.choice(5, p=row / row.sum()) for row in p])
    noisy = rng.random(4000) < 0.2
    labels[noisy] = rng.integers(0, 5, noisy.sum())
    step = fit_tempered_mixture(p, labels, np.zeros(4000, np.int64))
    assert step.weights[2] == pytest.approx(0.2, abs=0.06)
