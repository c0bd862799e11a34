"""Where an interval ends, and when there is none: at the ends of what a figure can be, with too few
replicates for its level, and where nothing moves the figure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ensemble_kit as ek
from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.metrics.bootstrap import fewest_replicates, interval
from ensemble_kit.metrics.comparison import paired_difference
from ensemble_kit.metrics.inversion import NAME as INVERTED
from ensemble_kit.metrics.registry import METRICS, metric_of
from ensemble_kit.metrics.repeats import repeated_scores


def judged(hits: list[bool], per_group: int, sure: float, **options: object) -> ek.Evaluation:
    """Two classes in turn, each image called rightly or not with the same certainty."""
    labels = np.arange(len(hits)) % 2
    called = np.where(hits, labels, 1 - labels)
    scores = np.where(np.arange(2) == called[:, None], sure, 1 - sure)
    groups = [f"g{k // per_group}" for k in range(len(hits))]
    return ek.evaluate(
        scores, ["ab"[k] for k in labels], groups=groups, class_names=["a", "b"], **options
    )


@settings(max_examples=25, deadline=None)
@given(
    hits=st.lists(st.booleans(), min_size=12, max_size=60),
    per_group=st.sampled_from([1, 2]),
    sure=st.sampled_from([0.55, 0.8, 0.999]),
    method=st.sampled_from(["auto", "percentile", "bca"]),
)
def test_no_interval_leaves_what_its_figure_can_be(
    hits: list[bool], per_group: int, sure: float, method: str
) -> None:
    found = judged(hits, per_group, sure, replicates=60, interval=method, malignant=("a",))
    for row in found.rows:
        known, estimate = metric_of(row.metric), row.estimate
        assert known is not None
        if estimate.value is not None:
            assert known.least - 1e-9 <= estimate.value <= known.most + 1e-9, row
        if estimate.low is None or estimate.high is None or row.metric.endswith("_p"):
            continue
        assert known.least <= estimate.low <= estimate.high <= known.most, row
        if estimate.method == INVERTED and estimate.value is not None:
            told = "the value lies above its interval" in estimate.note
            assert told == (estimate.value > estimate.high), row


def test_perfect_agreement_has_no_spread_and_so_no_interval() -> None:
    found = judged([True] * 24, 1, 0.8)
    for metric in ("cohen_kappa", "matthews_corrcoef"):
        estimate = found.figure(metric)
        assert (estimate.value, estimate.low, estimate.high) == (1.0, None, None)
        assert "its spread is unknown" in estimate.note
    assert found.figure("accuracy").low == pytest.approx(0.025 ** (1 / 24))


def test_a_level_needs_its_replicates() -> None:
    assert fewest_replicates(0.95) == 39
    assert fewest_replicates(0.9) == 19
    assert fewest_replicates(0.99) == 199
    drawn = np.random.default_rng(0).normal(size=39)
    assert interval(0.0, drawn, 0.95).low is not None
    short = interval(0.0, drawn[:38], 0.95)
    assert (short.low, short.high) == (None, None)
    assert short.note == ("no interval: 38 replicates are too few for 95%, which takes 39 or more")
    found = judged([True, True, False] * 10, 1, 0.7, replicates=20)
    assert found.figure("ece").high is None
    assert "20 replicates are too few" in found.figure("ece").note
    assert found.find("ece_p") is None
    assert found.figure("accuracy").low is not None, "Student's t needs no replicates"


def test_every_figure_has_ends() -> None:
    for metric in METRICS:
        assert metric.least < metric.most


def test_differences_that_no_resample_moves_have_no_interval() -> None:
    """Neither those between equal predictions nor those between right and wrong ones."""
    labels = np.arange(48) % 3
    groups = np.array([f"g{k // 2}" for k in range(48)])
    none = np.full(48, "", dtype=np.str_)
    ids = np.array([f"i{k}" for k in range(48)])
    table = ImageTable(ids, groups, labels, ("a", "b", "c"), none, none, none)
    right = Predictions(ids, ("a", "b", "c"), np.eye(3)[labels])
    wrong = Predictions(ids, ("a", "b", "c"), np.eye(3)[(labels + 1) % 3])
    for second, value in ((right, 0.0), (wrong, 1.0)):
        found = paired_difference(table, right, second, "accuracy")
        assert found.estimate.value == value
        assert (found.estimate.low, found.estimate.high) == (None, None)
        assert "its spread is unknown" in found.estimate.note
        assert found.p_value == (1 if value == 0 else None)


def test_repeats_that_score_the_same_have_no_interval() -> None:
    ids = np.array([f"i{k}" for k in range(12)])
    labels = np.arange(12) % 2
    draws = [Folds(ids, ids, np.arange(12) // 2 % 3, 3)] * 2
    found = repeated_scores(labels, draws, [np.eye(2)[labels]] * 2)["accuracy"]
    assert (found.value, found.low, found.high) == (1.0, None, None)
    assert "all folds score the same" in found.note
