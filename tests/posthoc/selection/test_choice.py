"""What candidates weigh: the mean of all, or the simplest within one standard error."""

import json

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score

from ensemble_kit.metrics.losses import point_scores
from ensemble_kit.posthoc.calibration.prior import Identity
from ensemble_kit.posthoc.calibration.scaling import fit_bias
from ensemble_kit.posthoc.crossfit import Rows
from ensemble_kit.posthoc.ensembling.pools import LinearPool
from ensemble_kit.posthoc.selection.catalogue import Candidate, candidates
from ensemble_kit.posthoc.selection.choice import _loss, candidate_weights, choose
from ensemble_kit.posthoc.selection.decision import Decision, fit_decision
from ensemble_kit.posthoc.selection.explaining import diversity, member_weights, reliability
from ensemble_kit.posthoc.selection.fitted import Chain, Combination, fit_candidates
from ensemble_kit.posthoc.selection.fitting import ChainSpec, fit_chain
from tests.posthoc.posthoc_cases import made_rows

SIMPLE, MIDDLE, RICH = (Candidate("mean", c) for c in ("temperature", "bias", "vector"))


def outputs(gain_of_middle: float, gain_of_rich: float, n: int = 400, noise: float = 0.1):
    """Three candidates whose log loss differs by known amounts with known noise."""
    random = np.random.default_rng(0)
    labels = np.zeros(n, dtype=np.int64)
    logs = np.full((n, 3), -0.7)
    jitter = random.normal(0, noise, (n, 2))
    jitter -= jitter.mean(axis=0)
    logs[:, 1] += gain_of_middle + jitter[:, 0]
    logs[:, 2] += gain_of_rich + jitter[:, 1]
    p = np.exp(logs)
    return np.stack([p, 1 - p], axis=2), labels


def chosen(middle: float, rich: float, groups=None) -> Candidate:
    made, labels = outputs(middle, rich)
    groups = np.arange(len(labels)) if groups is None else groups
    return choose(made, labels, groups, (SIMPLE, MIDDLE, RICH), (1, 3, 6)).heaviest


def test_a_tie_goes_to_the_simpler_and_a_gain_beyond_one_standard_error_does_not() -> None:
    """The standard error here is 0.1 / √400 = 0.005 against the simple one."""
    assert chosen(0.0, 0.0) == SIMPLE
    assert chosen(0.003, 0.004) == SIMPLE
    assert chosen(0.008, 0.009) == MIDDLE
    assert chosen(0.0, 0.02) == RICH
    assert chosen(-0.05, -0.05) == SIMPLE


def test_standard_errors_count_groups_not_rows() -> None:
    """Each group twice: the same gain is worth less, by √2."""
    made, labels = outputs(0.006, -1.0)
    doubled = np.concatenate([made, made])
    twice = np.concatenate([labels, labels])
    three = (SIMPLE, MIDDLE, RICH)
    by_rows = choose(doubled, twice, np.arange(800), three, (1, 3, 6))
    by_groups = choose(doubled, twice, np.tile(np.arange(400), 2), three, (1, 3, 6))
    ratio = by_groups.judged[0].error / by_rows.judged[0].error
    assert ratio == pytest.approx(np.sqrt(2))


def test_the_reason_says_why() -> None:
    made, labels = outputs(0.0, 0.004)
    found = choose(made, labels, np.arange(400), (SIMPLE, MIDDLE, RICH), (1, 3, 6))
    assert "simpler than mean + vector" in found.reason
    assert "within one standard error" in found.reason
    best = choose(made[:, :1], labels, np.arange(400), (SIMPLE,), (1,))
    assert best.reason == "mean + temperature: as asked"


def weighted_score(p: np.ndarray, labels: np.ndarray, weights: np.ndarray, objective: str) -> float:
    """The loss of rows with weights, with scikit-learn; the decision stays that of the rows."""
    if objective == "log_loss":
        return float(log_loss(labels, p, sample_weight=weights, labels=np.arange(p.shape[1])))
    if objective == "balanced_accuracy":
        decided = (p / np.bincount(labels)).argmax(axis=1)
        return 1.0 - float(balanced_accuracy_score(labels, decided, sample_weight=weights))
    areas = [roc_auc_score(labels == c, p[:, c], sample_weight=weights) for c in range(p.shape[1])]
    return 1.0 - float(np.mean(areas))


@pytest.mark.parametrize("objective", ["log_loss", "balanced_accuracy", "roc_auc_ovr"])
def test_influence_is_the_derivative_by_a_rows_weight(objective: str) -> None:
    """Oracle: scikit-learn's weighted score, a row's weight moved by a little, divided by it."""
    rows = made_rows(groups=150, classes=3)
    p, y, n = rows.members[1], rows.labels, len(rows)
    base = _loss(p, y, objective)
    ones = np.ones(n)
    assert base.value == pytest.approx(weighted_score(p, y, ones, objective))
    assert base.influence.sum() == pytest.approx(0, abs=1e-6)
    step = 1e-5
    slopes = [
        (weighted_score(p, y, ones + step * (np.arange(n) == i), objective) - base.value) / step
        for i in range(n)
    ]
    assert np.array(slopes) * n == pytest.approx(base.influence, abs=1e-3)


def test_loss_values_are_the_scores() -> None:
    rows = made_rows(groups=300)
    p = rows.members[2]
    scores = point_scores(rows.labels, p)
    assert _loss(p, rows.labels, "log_loss").value == pytest.approx(scores["log_loss"])
    assert _loss(p, rows.labels, "roc_auc_ovr").value == pytest.approx(1 - scores["roc_auc_ovr"])
    uniform = p * np.bincount(rows.labels)
    uniform /= uniform.sum(axis=1, keepdims=True)
    bacc = point_scores(rows.labels, p)["balanced_accuracy"]
    assert _loss(uniform, rows.labels, "balanced_accuracy").value == pytest.approx(1 - bacc)


@pytest.mark.parametrize("method", ["auto", "select"])
def test_what_has_more_parameters_than_a_tenth_of_the_rows_is_left_out(method: str) -> None:
    few = {c.method for c in candidates(method, "auto", 3, 7, 300)}
    many = {c.method for c in candidates(method, "auto", 3, 7, 8000)}
    assert "stack" in many
    assert "stack" not in few
    assert {c.method for c in candidates(method, "auto", 1, 7, 8000)} == {"mean"}
    assert candidates("stack", "isotonic", 3, 7, 10) == (Candidate("stack", "isotonic"),)
    assert candidates(method, "temperature", 3, 100, 20)


def test_the_selected_chain_is_never_worse_inside_than_the_simplest() -> None:
    for seed in range(4):
        fitted = fit_chain(made_rows(seed, groups=150, classes=3), ChainSpec("select"))
        losses = {j.candidate: j.loss for j in fitted.choice.judged}
        assert losses[fitted.choice.heaviest] <= losses[SIMPLE]
        assert [str(part.candidate) for part in fitted.chain.chains] == [fitted.choice.name]


def test_weights_of_candidates_are_half_equal_and_half_where_the_loss_is_least() -> None:
    """By hand: one candidate is better on every row, so the convex half goes to it alone."""
    made, labels = outputs(0.5, -0.5, noise=0.0)
    assert candidate_weights(made, labels) == pytest.approx([1 / 6, 1 / 6 + 1 / 2, 1 / 6])
    assert candidate_weights(made[:, :1], labels).tolist() == [1.0]


def test_the_convex_half_mixes_candidates_that_err_apart() -> None:
    """Two candidates, each right on its own half of the rows: half and half is the optimum."""
    sure, unsure = [0.9, 0.1], [0.2, 0.8]
    first = np.array([sure] * 50 + [unsure] * 50)
    made = np.stack([first, first[::-1]], axis=1)
    assert candidate_weights(made, np.zeros(100, np.int64)) == pytest.approx([0.5, 0.5])


def test_auto_is_the_weighted_mean_of_its_candidates() -> None:
    rows = made_rows(groups=200, classes=3)
    fitted = fit_chain(rows, ChainSpec())
    pairs = candidates("auto", "auto", 3, 3, len(rows))
    assert [j.candidate for j in fitted.choice.judged] == list(pairs)
    assert fitted.choice.weights.sum() == pytest.approx(1)
    assert fitted.choice.weights.min() >= 0.5 / len(pairs) - 1e-12
    each = fit_candidates(rows, pairs).apply(rows.members)
    by_hand = sum(w * each[:, q] for q, w in enumerate(fitted.choice.weights))
    assert fitted.apply(rows.members) == pytest.approx(by_hand)
    again = Combination.from_json(json.loads(json.dumps(fitted.chain.to_json())))
    assert again.apply(rows.members).tobytes() == fitted.apply(rows.members).tobytes()


def test_a_chain_written_before_there_were_combinations_is_read() -> None:
    rows = made_rows(groups=80, classes=3)
    part = fit_chain(rows, ChainSpec("weights", "bias")).chain.chains[0]
    old = part.to_json() | {"prior_shift": None}
    read = Combination.from_json(json.loads(json.dumps(old)))
    assert np.array_equal(read.apply(rows.members), part.apply(rows.members))


def test_prevalence_moves_the_probabilities_to_the_target() -> None:
    rows = made_rows(groups=400, classes=3)
    plain = fit_chain(rows, ChainSpec("mean", "bias"))
    moved = fit_chain(rows, ChainSpec("mean", "bias", prevalence=(0.1, 0.1, 0.8)))
    before, after = plain.apply(rows.members).mean(axis=0), moved.apply(rows.members).mean(axis=0)
    assert before == pytest.approx(np.bincount(rows.labels) / len(rows), abs=0.02)
    assert after[2] > before[2] + 0.2


def test_decision_for_balanced_accuracy_helps_rare_classes() -> None:
    rows = made_rows(groups=600, classes=4)
    p = fit_bias(rows.members[1], rows.labels, rows.fold).apply(rows.members[1])
    plain, fitted = (fit_decision(p, rows.labels, o) for o in ("log_loss", "balanced_accuracy"))
    assert plain.decide(p).tolist() == p.argmax(axis=1).tolist()

    def recall(decision: Decision) -> float:
        right = decision.decide(p) == rows.labels
        return float(np.mean([right[rows.labels == c].mean() for c in range(4)]))

    assert recall(fitted) > recall(plain)
    again = Decision.from_json(fitted.to_json())
    assert again.weights.tolist() == fitted.weights.tolist()


def test_diversity_by_hand() -> None:
    labels = np.zeros(4, dtype=np.int64)
    right, wrong = [0.9, 0.1], [0.1, 0.9]
    members = np.array([[right, right, wrong, wrong], [right, wrong, right, wrong], [right] * 4])
    found = diversity(Rows(members, labels, labels, labels))
    assert found.error_correlation[0, 1] == pytest.approx(0)
    assert found.error_correlation[0, 0] == pytest.approx(1)
    assert np.isnan(found.error_correlation[0, 2])
    assert found.double_fault[0, 1] == 0.25
    assert found.double_fault[0, 0] == 0.5


def test_weights_of_members_sum_to_one_or_are_none() -> None:
    rows = made_rows(groups=100)
    for method in ("mean", "weights", "log-weights", "greedy", "class-weights", "calibrated-mean"):
        shares = member_weights(fit_chain(rows, ChainSpec(method, "none")).chain, 3)
        assert sum(w for w in shares if w is not None) == pytest.approx(1)
    for method in ("stack", "auto"):
        shares = member_weights(fit_chain(rows, ChainSpec(method)).chain, 3)
        assert sum(w for w in shares if w is not None) == pytest.approx(1)


def test_member_weights_of_a_combination_by_hand() -> None:
    """Half of the mean (1/2, 1/2) and half of the second member alone: 1/4 and 3/4."""
    parts = tuple(
        Chain(SIMPLE, LinearPool(np.array(weights)), Identity())
        for weights in ([0.5, 0.5], [0.0, 1.0])
    )
    found = member_weights(Combination(parts, np.array([0.5, 0.5])), 2)
    assert found == pytest.approx((0.25, 0.75))


def test_reliability_bins_make_the_ece() -> None:
    rows = made_rows(groups=300)
    bins = reliability(rows.members[0], rows.labels)
    n = sum(b.n for b in bins)
    ece = sum(b.n * abs(b.accuracy - b.confidence) for b in bins) / n
    assert n == len(rows)
    assert ece == pytest.approx(point_scores(rows.labels, rows.members[0])["ece"])
