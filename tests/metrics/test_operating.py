import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_kit.core.errors import PredictionsError
from ensemble_kit.metrics.operating import Rule, Threshold, both_errors, fit_threshold

SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
TRUTH = np.array([True, True, False, True, False, False, True, False])


def test_rules_by_hand() -> None:
    youden = fit_threshold(SCORES, TRUTH, Rule("youden"))
    assert (youden.value, youden.sensitivity, youden.specificity) == (0.8, 0.5, 1.0)
    sensitive = fit_threshold(SCORES, TRUTH, Rule("sensitivity", 0.75))
    assert (sensitive.value, sensitive.specificity) == (0.6, 0.75)
    specific = fit_threshold(SCORES, TRUTH, Rule("specificity", 0.75))
    assert (specific.value, specific.sensitivity) == (0.6, 0.75)
    assert fit_threshold(SCORES, TRUTH, Rule("cost", false_negative_cost=10)).value == 0.3
    never = fit_threshold(SCORES, TRUTH, Rule("cost", false_positive_cost=1, false_negative_cost=0))
    assert never.value == np.inf
    assert not never.apply(SCORES).any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.sampled_from(["youden", "cost", "sensitivity", "specificity"]))
def test_no_other_threshold_is_better(seed: int, kind: str) -> None:
    random = np.random.default_rng(seed)
    truth = np.arange(30) % 3 == 0
    scores = np.round(random.normal(size=30) + truth, 1)
    rule = Rule(kind, 0.8, 3.0, 1.0)  # type: ignore[arg-type]

    def merit(value: float) -> float:
        e = both_errors(scores >= value, truth)
        assert e.sensitivity is not None
        assert e.specificity is not None
        if kind == "cost":
            return -(3 * e.fn + e.fp)
        if kind == "youden":
            return e.sensitivity + e.specificity
        met = e.sensitivity if kind == "sensitivity" else e.specificity
        other = e.specificity if kind == "sensitivity" else e.sensitivity
        return other if met >= 0.8 else -1

    fitted = fit_threshold(scores, truth, rule)
    best = max(merit(value) for value in [*scores, np.inf])
    assert merit(fitted.value) == pytest.approx(best)
    assert Threshold.from_json(fitted.to_json()) == fitted


def test_one_side_only_is_refused() -> None:
    with pytest.raises(PredictionsError, match="both sides"):
        fit_threshold(SCORES, np.ones(8, bool), Rule())
    with pytest.raises(PredictionsError, match="required rate"):
        Rule("sensitivity", 1.5)
