"""Inverted intervals of calibration errors, and jackknife-t intervals of few groups."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm as normal
from scipy.stats import t as student

from ensemble_kit.core.records import Predictions
from ensemble_kit.metrics.bootstrap import GroupJackknife
from ensemble_kit.metrics.estimates import folded_estimates
from ensemble_kit.metrics.evaluation import FOLD_MEAN, evaluate
from ensemble_kit.metrics.inversion import folded_interval
from ensemble_kit.metrics.jackknife import rare_first, t_interval
from ensemble_kit.metrics.registry import METRICS, metric_of, shown_in
from ensemble_kit.metrics.scorer import Scorer
from ensemble_kit.metrics.support import Support
from ensemble_kit.posthoc.selection.scoreboard import scoreboard
from ensemble_kit.study import EvaluationSpec
from tests.metrics.examples import as_records, drawn_cases


def test_one_gap_by_hand() -> None:
    """One bin: |λg + z|, z normal; the bounds solve a folded-normal equation."""
    z = normal.ppf((np.arange(40_000) + 0.5) / 40_000) * 0.1
    gap = np.array([0.3])
    found = folded_interval([(gap, gap[:, None] + z[None, :])])
    # at gaps this far from 0 the folding is nothing: the usual interval
    assert (found.low, found.high) == pytest.approx((0.3 - 0.196, 0.3 + 0.196), abs=2e-3)
    assert found.calibrated == pytest.approx(0.1 * np.sqrt(2 / np.pi), abs=1e-4)
    assert found.p_value == pytest.approx(2 * normal.sf(3), abs=2e-4)


def test_noise_alone_holds_zero() -> None:
    random = np.random.default_rng(0)
    gaps = random.normal(size=15) * 0.01
    found = folded_interval([(gaps, gaps[:, None] + random.normal(size=(15, 4000)) * 0.01)])
    assert found.low == 0
    assert found.p_value > 0.05
    assert found.high > 0
    assert found.calibrated == pytest.approx(15 * 0.01 * np.sqrt(2 / np.pi), rel=0.03)


def test_an_error_below_all_noise_gets_the_noise_as_its_upper_end() -> None:
    noise = np.random.default_rng(0).normal(size=(15, 1000))
    found = folded_interval([(np.zeros(15), noise)])
    assert (found.low, found.p_value) == (0.0, 1.0)
    assert found.high == pytest.approx(found.calibrated)


def test_coverage_where_the_basic_interval_fails() -> None:
    """Fifteen true gaps of 0 and of moderate size; 400 sets, normal noise."""
    random = np.random.default_rng(1)
    for truth in (np.zeros(15), np.linspace(-0.02, 0.02, 15)):
        held = 0
        for _ in range(400):
            seen = truth + random.normal(size=15) * 0.01
            drawn = seen[:, None] + random.normal(size=(15, 300)) * 0.01
            found = folded_interval([(seen, drawn)])
            held += found.low <= np.abs(truth).sum() <= found.high
        assert 0.90 <= held / 400 <= 0.995


def test_jackknife_of_a_mean_is_students_interval() -> None:
    x = np.random.default_rng(0).normal(size=20)
    left = (x.sum() - x) / 19
    found = t_interval(float(x.mean()), left, 20, scale="plain")
    half = student.ppf(0.975, 19) * x.std(ddof=1) / 20**0.5
    assert found.low == pytest.approx(x.mean() - half)
    assert found.high == pytest.approx(x.mean() + half)


def test_logit_interval_stays_inside_and_ends_are_exact() -> None:
    right = np.array([1.0] * 18 + [0.0] * 2)
    found = t_interval(0.9, (18 - right) / 19, 20)
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < 0.9 < found.high < 1
    assert 0.9 - found.low > found.high - 0.9
    whole = t_interval(1.0, np.ones(12), 12)
    assert (whole.low, whole.high) == (pytest.approx(0.025 ** (1 / 12)), 1.0)


def test_rare_groups_are_left_out_apart() -> None:
    cases = drawn_cases(0, 200, 4)
    knife = GroupJackknife(cases.n_groups, 60, rare_first(cases))
    weights = np.concatenate([knife.chunk(k) for k in range(knife.n_chunks)], axis=1)
    assert weights.shape == (cases.n_groups, 60)
    assert ((weights == 0).sum(axis=1) == 1).all()
    sizes = [len(np.unique(cases.groups[cases.labels == c])) for c in range(cases.n_classes)]
    rarest = np.unique(cases.groups[cases.labels == int(np.argmin(sizes))])
    assert ((weights[rarest] == 0).sum(axis=0) <= -(-len(rarest) // 60)).all()


def test_gaps_sum_to_their_errors() -> None:
    cases = drawn_cases(3, 90, 3)
    point = Scorer(cases).point()
    for key, gaps in point.gaps.items():
        sizes = np.abs(gaps[:, 0])
        value = np.nanmax(sizes) if key[0] == "mce" else sizes.sum()
        assert value == pytest.approx(point.figures[key][0], rel=1e-5), key


def test_board_and_evaluation_show_one_interval() -> None:
    table, folds, predictions = as_records(drawn_cases(0, 90, 3))
    spec = EvaluationSpec(replicates=200)
    found = evaluate(table, folds, predictions, spec, seed=4)
    line, other = scoreboard(
        table, [("one", predictions), ("two", _blunted(predictions))], spec, seed=4
    )
    for metric in shown_in("headline"):
        assert line.figures[metric] == found.figure(metric), metric
    gap = other.minus_first["ece"]
    assert gap.value is not None
    assert (gap.low, gap.high) == (None, None)
    assert found.figure("ece", scope=FOLD_MEAN).low is not None


def test_every_figure_has_an_entry() -> None:
    found = evaluate(*as_records(drawn_cases(0, 60, 4)), EvaluationSpec(replicates=0))
    assert {row.metric for row in found.rows} <= {metric.name for metric in METRICS}
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    old = metric_of("macro_auc")
    assert old is not None
    assert old.name == "roc_auc_ovr"
    assert "ece" not in shown_in("compared")


def _blunted(predictions: Predictions) -> Predictions:
    p = predictions.probabilities * 0.7 + 0.1
    return replace(predictions, probabilities=p / p.sum(axis=1, keepdims=True))


def test_a_largest_gap_that_no_resample_moves_has_no_interval() -> None:
    """A bin of one group is there as it is or not at all: its gap has no noise to invert."""
    random = np.random.default_rng(0)
    gaps = np.array([0.1, -0.8])
    drawn = np.stack([0.1 + random.normal(0, 0.02, 200), np.full(200, -0.8)])
    drawn[1, ::3] = np.nan
    support = Support(40, "in all")
    (found,) = folded_estimates(("mce", ""), 0.8, [(gaps, drawn)], support, 0.95).values()
    assert (found.value, found.low, found.high) == (0.8, None, None)
    assert "one group" in found.note
    drawn[1] = -0.8 + random.normal(0, 0.1, 200)
    (found,) = folded_estimates(("mce", ""), 0.8, [(gaps, drawn)], support, 0.95).values()
    assert found.low < 0.8 < found.high
