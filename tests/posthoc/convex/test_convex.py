"""Solvers against general optimisers, finite differences and optimality conditions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from ensemble_kit.posthoc.convex.designs import Affine, Biased, Pooled, Vector
from ensemble_kit.posthoc.convex.logistic import (
    LogLoss,
    Penalty,
    _left_out_loss,
    fit_choosing_penalty,
    fit_logistic,
)
from ensemble_kit.posthoc.convex.mixture import mixture_weights
from ensemble_kit.posthoc.convex.simplex import (
    log_floor,
    mean_log_loss,
    safe_log,
    softmax,
    true_class,
)
from tests.posthoc.posthoc_cases import made_rows


def designs():
    rows = made_rows(groups=60, classes=3)
    logs = safe_log(rows.members)
    features = np.hstack([logs[0], logs[1], np.ones((len(rows), 1))])
    return rows.labels, {
        "pooled": (Pooled(logs), 3),
        "biased": (Biased(logs[0]), 4),
        "vector": (Vector(logs[0]), 6),
        "affine": (Affine(features, 3), 21),
    }


@pytest.mark.parametrize("name", ["pooled", "biased", "vector", "affine"])
def test_derivatives_are_those_of_the_loss(name: str) -> None:
    labels, made = designs()
    design, size = made[name]
    random = np.random.default_rng(0)
    theta = random.normal(0, 0.3, size)
    objective = LogLoss(design, labels, Penalty(np.full(size, 0.1), np.ones(size)))
    gradient, hessian = objective.slope(theta).gradient, objective.hessian(theta)
    for j in range(size):
        step = np.zeros(size)
        step[j] = 1e-5
        up, down = objective.slope(theta + step), objective.slope(theta - step)
        assert gradient[j] == pytest.approx((up.value - down.value) / 2e-5, abs=1e-7)
        assert hessian[:, j] == pytest.approx((up.gradient - down.gradient) / 2e-5, abs=1e-6)


@pytest.mark.parametrize("name", ["pooled", "biased", "vector", "affine"])
def test_fit_reaches_the_optimum_a_general_optimiser_finds(name: str) -> None:
    labels, made = designs()
    design, size = made[name]
    penalty = Penalty(np.full(size, 0.01), np.full(size, 0.5))
    found = fit_logistic(design, labels, penalty)
    objective = LogLoss(design, labels, penalty)
    oracle = minimize(lambda t: objective.slope(t).value, np.zeros(size), method="BFGS", tol=1e-9)
    assert objective.slope(found).value <= oracle.fun + 1e-9
    assert np.abs(objective.slope(found).gradient).max() < 1e-7


def test_bounds_hold_and_are_optimal() -> None:
    rows = made_rows(groups=80)
    good = safe_log(rows.members)
    logs = np.stack([good[2], -good[1], good[0]])
    penalty = Penalty(np.full(3, 1e-4), np.full(3, 1 / 3))
    found = fit_logistic(Pooled(logs), rows.labels, penalty, lower=np.zeros(3))
    objective = LogLoss(Pooled(logs), rows.labels, penalty)
    oracle = minimize(
        lambda t: objective.slope(t).value, np.full(3, 0.3), bounds=[(0, None)] * 3, tol=1e-12
    )
    assert found.min() == 0.0
    assert objective.slope(found).value <= oracle.fun + 1e-8


def test_large_problems_go_to_lbfgs_and_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, made = designs()
    design, size = made["affine"]
    penalty = Penalty(np.full(size, 0.05), np.zeros(size))
    exact = fit_logistic(design, labels, penalty)
    monkeypatch.setattr("ensemble_kit.posthoc.convex.newton.MAX_NEWTON_PARAMETERS", 5)
    assert fit_logistic(design, labels, penalty) == pytest.approx(exact, abs=1e-4)


def test_one_newton_step_comes_close_to_refitting_without_a_fold() -> None:
    rows = made_rows(groups=300, classes=3)
    features = np.hstack([*safe_log(rows.members), np.ones((len(rows), 1))])
    design, size = Affine(features, 3), 30
    penalty = Penalty(np.full(size, 0.01), np.zeros(size))
    theta = fit_logistic(design, rows.labels, penalty)
    quick = _left_out_loss(LogLoss(design, rows.labels, penalty), theta, rows.fold)
    exact = 0.0
    for k in range(4):
        held = np.flatnonzero(rows.fold == k)
        rest = np.flatnonzero(rows.fold != k)
        n = len(rows) / len(rest)
        part = Penalty(penalty.ridge * n, penalty.centre)
        refit = fit_logistic(design.take(rest), rows.labels[rest], part)
        p = softmax(design.take(held).scores(refit))
        exact += len(held) * mean_log_loss(p, rows.labels[held]) / len(rows)
    assert quick == pytest.approx(exact, abs=2e-3)
    assert quick > mean_log_loss(softmax(design.scores(theta)), rows.labels)


def test_the_chosen_penalty_is_the_one_with_the_least_left_out_loss() -> None:
    rows = made_rows(groups=200, classes=3)
    features = np.hstack([*safe_log(rows.members), np.ones((len(rows), 1))])
    centre = np.zeros(30)
    penalties = [Penalty(np.full(30, r), centre) for r in (100.0, 0.01, 1e-6)]
    found = fit_choosing_penalty(Affine(features, 3), rows.labels, rows.fold, penalties)
    assert found.chosen == int(np.argmin(found.losses)) == 1


def test_mixture_weights_match_a_general_optimiser() -> None:
    rows = made_rows(groups=200, members=5)
    a = true_class(rows.members, rows.labels).T
    found = mixture_weights(a)
    oracle = minimize(
        lambda w: -np.log(a @ w).mean(), np.full(5, 0.2), method="SLSQP", bounds=[(0, 1)] * 5,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1}, options={"ftol": 1e-14},
    )  # fmt: skip
    assert -np.log(a @ found).mean() <= oracle.fun + 1e-10
    assert found == pytest.approx(oracle.x, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(2, 60))
def test_mixture_weights_satisfy_the_optimality_conditions(seed: int, m: int, n: int) -> None:
    a = np.random.default_rng(seed).dirichlet(np.full(m, 0.4), n) + 1e-6
    w = mixture_weights(a)
    assert w.min() >= 0
    assert w.sum() == pytest.approx(1)
    ratio = (a / (a @ w)[:, None]).mean(axis=0)
    assert ratio.max() <= 1 + 1e-6
    assert ratio[w > 1e-6] == pytest.approx(1, abs=1e-5)


def test_mixture_of_twins_shares_equally_and_a_dominated_member_gets_nothing() -> None:
    good = np.array([0.9, 0.8, 0.7, 0.6])
    assert mixture_weights(np.stack([good, good], axis=1)) == pytest.approx([0.5, 0.5])
    assert mixture_weights(np.stack([good, good / 2], axis=1)).tolist() == [1.0, 0.0]
    assert mixture_weights(np.zeros((4, 2))) == pytest.approx([0.5, 0.5])


def test_floor_is_half_the_smallest_positive_value_within_bounds() -> None:
    assert log_floor(np.array([0.0, 2e-7, 1.0])) == 1e-7
    assert log_floor(np.array([0.3, 0.7])) == 1e-5
    assert log_floor(np.array([1e-30, 1.0])) == 1e-12
    assert log_floor(np.array([0.0])) == 1e-5
