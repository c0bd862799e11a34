"""Greedy selection against an independent loop, for every objective."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, roc_auc_score

from ensemble_kit.core.errors import PredictionsError
from ensemble_kit.metrics.losses import auc
from ensemble_kit.posthoc.ensembling.greedy import GreedyOptions, fit_greedy, select
from ensemble_kit.posthoc.ensembling.losses import selection_loss
from tests.posthoc.posthoc_cases import made_rows

SCORES = {
    "log_loss": lambda y, p: log_loss(y, p, labels=np.arange(p.shape[1])),
    "accuracy": lambda y, p: 1 - accuracy_score(y, p.argmax(axis=1)),
    "balanced_accuracy": lambda y, p: 1 - balanced_accuracy_score(y, p.argmax(axis=1)),
    "roc_auc_ovr": lambda y, p: 1 - np.mean(
        [roc_auc_score(y == c, p[:, c]) for c in range(p.shape[1])]
    ),
}  # fmt: skip
ALL = pytest.mark.parametrize("objective", list(SCORES))


def loop(members: np.ndarray, labels: np.ndarray, objective: str, rounds: int) -> list[int]:
    """The plain reading of Caruana 2004, scoring every average from scratch."""
    taken: list[int] = []
    losses = []
    for _ in range(rounds):
        trial = []
        for m in range(len(members)):
            mean = np.mean([members[k] for k in [*taken, m]], axis=0)
            trial.append(SCORES[objective](labels, mean / mean.sum(axis=1, keepdims=True)))
        best = int(np.flatnonzero(np.array(trial) <= min(trial) + 1e-12)[0])
        taken.append(best)
        losses.append(trial[best])
    keep = int(np.flatnonzero(np.array(losses) <= min(losses) + 1e-12)[0]) + 1
    return taken[:keep]


@ALL
def test_selection_is_that_of_a_plain_loop(objective: str) -> None:
    rows = made_rows(groups=80, classes=3, members=6)
    loss = selection_loss(objective, rows.members, rows.labels)
    found = select(loss, GreedyOptions(objective, rounds=12))
    assert list(found.taken) == loop(rows.members, rows.labels, objective, 12)
    mean = np.mean([rows.members[k] for k in found.taken], axis=0)
    assert found.losses[-1] == pytest.approx(SCORES[objective](rows.labels, mean), abs=1e-9)


@ALL
def test_ties_of_classes_go_to_the_first_as_argmax_does(objective: str) -> None:
    rows = made_rows(groups=60, classes=3, members=4)
    coarse = np.round(rows.members * 4) / 4
    coarse[coarse.sum(axis=2) == 0] = 0.25
    loss = selection_loss(objective, coarse, rows.labels)
    if objective == "log_loss":
        pytest.skip("rounding leaves rows that do not sum to 1, which the oracle refuses")
    expected = [SCORES[objective](rows.labels, p) for p in coarse]
    assert loss.candidates(np.arange(4)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 64, 65])
def test_log_loss_by_products_is_exact_for_any_number_of_rows(n: int) -> None:
    p = np.random.default_rng(n).dirichlet(np.full(3, 0.01), (2, n))
    labels = np.arange(n) % 3
    found = selection_loss("log_loss", p, labels).candidates(np.arange(2))
    own = np.maximum(p[:, np.arange(n), labels], 1e-15)
    assert found == pytest.approx(-np.log(own).mean(axis=1), rel=1e-10)


def test_a_pool_restricts_and_a_sorted_start_takes_the_best_in_order() -> None:
    rows = made_rows(members=5)
    loss = selection_loss("log_loss", rows.members, rows.labels)
    order = np.argsort(loss.candidates(np.arange(5)))
    found = select(loss, GreedyOptions(rounds=3, sorted_start=3))
    assert found.taken[:3] == tuple(order[:3])
    assert set(select(loss, GreedyOptions(rounds=9), np.array([1, 3])).taken) <= {1, 3}


def test_bagging_is_reproducible_and_spreads_weight() -> None:
    rows = made_rows(groups=120, members=12)
    options = GreedyOptions(bags=8, sorted_start=2, rounds=10, seed=5)
    one, two = (fit_greedy(rows, options).weights for _ in range(2))
    assert one.tolist() == two.tolist()
    assert one.sum() == pytest.approx(1)
    plain = fit_greedy(rows, GreedyOptions(rounds=10)).weights
    assert np.count_nonzero(one) > np.count_nonzero(plain)


def test_auc_matches_scikit_learn_with_ties() -> None:
    random = np.random.default_rng(0)
    scores, positive = np.round(random.random(500), 1), random.random(500) < 0.3
    assert auc(scores, positive) == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)


def test_unknown_objective_is_named() -> None:
    rows = made_rows(groups=40)
    with pytest.raises(PredictionsError, match="'f2' is not an objective"):
        selection_loss("f2", rows.members, rows.labels)
