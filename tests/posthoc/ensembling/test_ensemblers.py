"""One behaviour suite for every way of combining members, and what is special to each."""

from dataclasses import replace

import numpy as np
import pytest

from ensemble_kit.posthoc.convex.simplex import mean_log_loss, softmax
from ensemble_kit.posthoc.crossfit import Rows
from ensemble_kit.posthoc.ensembling.pools import LogPool
from ensemble_kit.posthoc.ensembling.ranks import fit_ranks
from ensemble_kit.posthoc.ensembling.stacking import fit_stack
from ensemble_kit.posthoc.ensembling.weighting import (
    fit_best,
    fit_calibrated_mean,
    fit_class_weights,
    fit_geometric,
    fit_log_weights,
    fit_mean,
    fit_weights,
)
from ensemble_kit.posthoc.selection.catalogue import METHODS, step_from_json, step_to_json
from tests.posthoc.posthoc_cases import made_rows

ALL = pytest.mark.parametrize("method", list(METHODS))


def on_simplex(p: np.ndarray) -> bool:
    return bool((p >= 0).all() and np.isfinite(p).all() and np.allclose(p.sum(axis=-1), 1))


@ALL
def test_output_is_on_the_simplex_and_deterministic(method: str) -> None:
    rows = made_rows()
    one, two = METHODS[method](rows), METHODS[method](rows)
    out = one.apply(rows.members)
    assert out.shape == rows.members.shape[1:]
    assert on_simplex(out)
    assert out.tobytes() == two.apply(rows.members).tobytes()


@ALL
def test_json_round_trip_is_exact(method: str) -> None:
    import json

    rows = made_rows()
    step = METHODS[method](rows)
    text = json.dumps(step_to_json(step), allow_nan=False)
    again = step_from_json(json.loads(text))
    assert again.apply(rows.members).tobytes() == step.apply(rows.members).tobytes()
    assert json.dumps(step_to_json(again)) == text
    assert again.n_parameters == step.n_parameters


@ALL
def test_classes_in_another_order_change_nothing_else(method: str) -> None:
    rows = made_rows()
    order = np.array([2, 0, 3, 1])
    place = np.argsort(order)
    shuffled = replace(rows, members=rows.members[:, :, order], labels=place[rows.labels])
    out = METHODS[method](rows).apply(rows.members)[:, order]
    assert METHODS[method](shuffled).apply(shuffled.members) == pytest.approx(out, abs=2e-5)


@ALL
def test_rows_come_one_by_one(method: str) -> None:
    rows = made_rows()
    step = METHODS[method](rows)
    whole = step.apply(rows.members)
    part = step.apply(np.ascontiguousarray(rows.members[:, 7:8]))
    assert part == pytest.approx(whole[7:8], abs=1e-12)


@ALL
def test_a_class_absent_in_training_keeps_its_column(method: str) -> None:
    rows = made_rows()
    seen = rows.take(rows.labels != 3)
    out = METHODS[method](seen).apply(rows.members)
    assert on_simplex(out)
    assert out[:, 3].max() > 0


@ALL
def test_one_member_alone_is_itself_or_a_monotone_map_of_itself(method: str) -> None:
    rows = made_rows(members=1)
    out = METHODS[method](rows).apply(rows.members)
    assert on_simplex(out)
    if method not in ("calibrated-mean", "log-weights", "stack", "ranks"):
        assert out == pytest.approx(rows.members[0], abs=1e-9)
    assert mean_log_loss(out, rows.labels) < mean_log_loss(rows.members[0], rows.labels) + 0.02


@ALL
def test_members_given_twice_change_little(method: str) -> None:
    rows = made_rows()
    twice = replace(rows, members=np.concatenate([rows.members, rows.members]))
    out = METHODS[method](rows).apply(rows.members)
    doubled = METHODS[method](twice).apply(twice.members)
    exact = ("mean", "geometric", "best", "calibrated-mean", "ranks", "trimmed-mean")
    close = 1e-6 if method in exact else 0.08
    assert np.abs(out - doubled).max() < close


@ALL
def test_exact_zeros_and_ones_are_survived(method: str) -> None:
    rows = made_rows()
    hard = np.eye(4)[rows.members[0].argmax(axis=1)]
    mixed = replace(rows, members=np.stack([hard, rows.members[1], rows.members[2]]))
    out = METHODS[method](mixed).apply(mixed.members)
    assert on_simplex(out)
    assert mean_log_loss(out, rows.labels) < np.log(4)


@ALL
def test_perfect_members_stay_perfect(method: str) -> None:
    rows = made_rows()
    truth = np.eye(4)[rows.labels] * 0.996 + 0.001
    perfect = replace(rows, members=np.stack([truth, truth]))
    out = METHODS[method](perfect).apply(perfect.members)
    assert (out.argmax(axis=1) == rows.labels).all()
    assert mean_log_loss(out, rows.labels) < 0.02


def test_means_by_hand() -> None:
    members = np.array([[[0.9, 0.1]], [[0.1, 0.9]], [[0.4, 0.6]]])
    rows = Rows(members, np.array([0]), np.array([0]), np.array([0]))
    assert fit_mean(rows).apply(members) == pytest.approx(np.array([[1.4 / 3, 1.6 / 3]]))
    a, b = (0.9 * 0.1 * 0.4) ** (1 / 3), (0.1 * 0.9 * 0.6) ** (1 / 3)
    assert fit_geometric(rows).apply(members) == pytest.approx(np.array([[a, b]]) / (a + b))


def test_best_takes_the_member_with_the_least_log_loss() -> None:
    rows = made_rows()
    losses = [mean_log_loss(p, rows.labels) for p in rows.members]
    assert fit_best(rows).weights.tolist() == np.eye(3)[int(np.argmin(losses))].tolist()


def test_weights_beat_every_other_point_of_a_grid_on_their_own_rows() -> None:
    rows = made_rows()
    best = mean_log_loss(fit_weights(rows).apply(rows.members), rows.labels)
    for a in np.linspace(0, 1, 21):
        for b in np.linspace(0, 1 - a, 21):
            mixed = np.tensordot([a, b, 1 - a - b], rows.members, axes=1)
            assert best <= mean_log_loss(mixed, rows.labels) + 1e-10


def test_class_weights_are_columns_on_the_simplex_and_help_where_members_differ_by_class() -> None:
    rows = made_rows(members=2)
    members = rows.members.copy()
    noise = np.random.default_rng(0).dirichlet(np.ones(4), len(rows))
    members[0, :, 0] = noise[:, 0]
    members /= members.sum(axis=2, keepdims=True)
    step = fit_class_weights(replace(rows, members=members))
    assert step.weights.sum(axis=0) == pytest.approx(np.ones(4))
    assert step.weights[0, 0] < step.weights[0, 1:].min()


def test_log_weights_undo_a_known_power() -> None:
    """Labels drawn from softmax(1.5 L_0 + 0.5 L_1): the weights come out near (1.5, 0.5)."""
    random = np.random.default_rng(3)
    logits = random.normal(0, 1.5, (2, 6000, 3))
    members = softmax(logits)
    truth = softmax(1.5 * np.log(members[0]) + 0.5 * np.log(members[1]))
    labels = (random.random((6000, 1)) > np.cumsum(truth, axis=1)).sum(axis=1)
    rows = Rows(members, labels, np.arange(6000), np.arange(6000) % 4)
    assert fit_log_weights(rows).weights == pytest.approx([1.5, 0.5], abs=0.08)


def test_floors_keep_one_rounded_zero_from_vetoing_all_others() -> None:
    members = np.array([[[0.0, 1.0]], [[0.999999, 0.000001]], [[0.999999, 0.000001]]])
    rows = Rows(members, np.array([0]), np.array([0]), np.array([0]))
    assert fit_geometric(rows).apply(members)[0, 0] > 0.9
    veto = LogPool(np.full(3, 1 / 3), np.full(3, 1e-300))
    assert veto.apply(members)[0, 0] < 1e-6


def test_stack_learns_what_a_pool_cannot_say() -> None:
    """Member 1 has two classes swapped: no weight can mend that, the stacker does."""
    rows = made_rows(groups=900, members=2)
    swapped = rows.members[:, :, [1, 0, 2, 3]][1]
    crossed = replace(rows, members=np.stack([rows.members[0], swapped]))
    pool = mean_log_loss(fit_log_weights(crossed).apply(crossed.members), rows.labels)
    assert mean_log_loss(fit_stack(crossed).apply(crossed.members), rows.labels) < pool - 0.1


def test_stack_falls_back_to_its_pool_where_there_is_nothing_to_learn() -> None:
    rows = made_rows(groups=60, classes=5)
    noise = np.random.default_rng(0).integers(0, 5, 60)[rows.groups]
    assert fit_stack(replace(rows, labels=noise)).ridge == 10.0


def test_calibrated_mean_mends_an_overconfident_member() -> None:
    rows = made_rows(groups=600)
    step = fit_calibrated_mean(rows)
    assert step.slopes[0] < step.slopes[1:].min()


def test_ranks_keep_each_members_order_and_ignore_its_scale() -> None:
    rows = made_rows(members=1)
    squeezed = replace(rows, members=softmax(0.2 * np.log(rows.members)))
    for given in (rows, squeezed):
        step = fit_ranks(given)
        raw = np.array([0.1, 0.4, 0.7])
        columns = np.quantile(given.members[0, :, 0], raw)
        member = np.stack([columns, *[np.full(3, 0.2)] * 3], axis=1)[None]
        out = step.apply(member)
        assert (np.diff(out[:, 0]) > 0).all()
