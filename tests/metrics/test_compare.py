import numpy as np
import pytest

from ensemble_kit.core.errors import PredictionsError
from ensemble_kit.core.records import Predictions
from ensemble_kit.metrics.comparison import (
    compare,
    paired_difference,
    paired_differences,
    paired_mean_difference,
)
from ensemble_kit.metrics.evaluation import evaluate
from ensemble_kit.metrics.losses import log_losses
from ensemble_kit.study import EvaluationSpec
from tests.metrics.examples import as_records, drawn_cases

SPEC = EvaluationSpec(replicates=400)


def blurred(predictions: Predictions, amount: float) -> Predictions:
    """Predictions mixed with other images': a little worse."""
    p = predictions.probabilities
    mixed = (1 - amount) * p + amount * np.roll(p, 7, axis=0)
    return Predictions(predictions.image_ids, predictions.class_names, mixed)


def test_a_difference_is_paired() -> None:
    table, _, predictions = as_records(drawn_cases(0, 200, 3))
    worse = blurred(predictions, 0.6)
    found = paired_difference(table, predictions, worse, "log_loss", spec=SPEC)
    e = found.estimate
    expected = log_losses(table.labels, predictions.probabilities).mean()
    expected -= log_losses(table.labels, worse.probabilities).mean()
    assert e.value == pytest.approx(expected)
    assert e.low is not None
    assert e.high is not None
    assert e.low < e.value < e.high < 0
    assert found.p_value == pytest.approx(2 / 401)
    # the unpaired interval of the better model alone is wider than that of the difference to a
    # nearly equal model
    near = paired_difference(table, predictions, blurred(predictions, 0.02), "accuracy", spec=SPEC)
    alone = evaluate(*as_records(drawn_cases(0, 200, 3)), SPEC).figure("accuracy")
    assert near.estimate.high - near.estimate.low < 0.4 * (alone.high - alone.low)  # type: ignore[operator]


def test_a_model_does_not_differ_from_itself() -> None:
    table, _, predictions = as_records(drawn_cases(0, 80, 3))
    for d in paired_differences(table, [("x", predictions), ("y", predictions)], SPEC):
        assert (d.estimate.value, d.estimate.low, d.estimate.high) == (0, None, None)
        assert "no group left out or resampled changes it" in d.estimate.note
        assert d.p_value == d.adjusted == 1


def test_swapping_turns_the_sign() -> None:
    table, _, predictions = as_records(drawn_cases(0, 80, 3))
    worse = blurred(predictions, 0.3)
    one = paired_difference(table, predictions, worse, "roc_auc_ovr", spec=SPEC)
    two = paired_difference(table, worse, predictions, "roc_auc_ovr", spec=SPEC)
    assert one.estimate.value == pytest.approx(-two.estimate.value)  # type: ignore[operator]
    assert one.estimate.low == pytest.approx(-two.estimate.high)  # type: ignore[operator]
    assert one.p_value == two.p_value


def test_mean_losses_have_the_same_interval_by_the_short_way() -> None:
    table, _, predictions = as_records(drawn_cases(0, 80, 3))
    worse = blurred(predictions, 0.3)
    long = paired_difference(table, predictions, worse, "log_loss", spec=SPEC, seed=5)
    losses = [log_losses(table.labels, x.probabilities) for x in (predictions, worse)]
    short = paired_mean_difference(*losses, table.group_codes, SPEC, seed=5)
    assert short.estimate.value == pytest.approx(long.estimate.value)
    assert short.estimate.low == pytest.approx(long.estimate.low)


def test_comparison_of_three() -> None:
    table, folds, predictions = as_records(drawn_cases(0, 120, 3))
    named = [(f"m{k}", blurred(predictions, 0.15 * k)) for k in range(3)]
    found = compare(table, folds, named, SPEC)
    assert len(found.tests) == 3
    assert len(found.differences) == found.family == 3 * (7 + 3)
    for d in found.differences:
        assert d.adjusted is not None
        assert d.p_value is not None
        assert d.adjusted >= d.p_value
    first = found.tests[0]
    right = [x.probabilities.argmax(axis=1) == table.labels for _, x in named]
    assert first.mcnemar.first_only == int((right[0] & ~right[1]).sum())
    gap = first.over_folds["accuracy"]
    per_fold = [
        (right[0][folds.held_out(k)].mean() - right[1][folds.held_out(k)].mean()) for k in range(3)
    ]
    assert gap.mean == pytest.approx(np.mean(per_fold))


def test_a_single_model_cannot_be_compared() -> None:
    table, _, predictions = as_records(drawn_cases(0, 60, 3))
    with pytest.raises(PredictionsError, match="name a second one"):
        paired_differences(table, [("x", predictions)], SPEC)


def test_an_absent_class_is_not_compared() -> None:
    cases = drawn_cases(0, 60, 3)
    table, _, predictions = as_records(cases.take(np.flatnonzero(cases.labels < 2)))
    found = paired_difference(
        table, predictions, blurred(predictions, 0.2), "roc_auc_ovr", spec=SPEC
    )
    assert found.estimate.value is None
    assert found.estimate.note.startswith("not estimable: 0 groups with c")
    assert found.p_value is None
