import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from ensemble_kit.metrics.bootstrap import GroupBootstrap, GroupJackknife, interval
from ensemble_kit.metrics.cases import Cases
from ensemble_kit.metrics.scorer import Scorer, replicate
from tests.metrics.examples import drawn_cases


def test_every_replicate_draws_as_many_groups_as_there_are() -> None:
    weights = np.concatenate(list(GroupBootstrap(37, 120, 3).blocks()), axis=1)
    assert weights.shape == (37, 120)
    assert (weights.sum(axis=0) == 37).all()
    assert weights.std() == pytest.approx(1, abs=0.05)


def test_draws_depend_on_seed_and_place_alone() -> None:
    few = np.concatenate(list(GroupBootstrap(37, 60, 3).blocks()), axis=1)
    many = np.concatenate(list(GroupBootstrap(37, 200, 3).blocks()), axis=1)
    assert (few == many[:, :60]).all()
    assert (few != np.concatenate(list(GroupBootstrap(37, 60, 4).blocks()), axis=1)).any()


def test_weights_equal_copying_the_rows_of_the_groups_drawn() -> None:
    cases = drawn_cases(1)
    draws = GroupBootstrap(cases.n_groups, 30, 0)
    figures = replicate([Scorer(cases)], draws)[0].figures
    weights = next(iter(draws.blocks()))
    for column in range(30):
        rows = np.repeat(np.arange(len(cases)), weights[cases.groups, column].astype(int))
        labels, p = cases.labels[rows], cases.probabilities[rows]
        found = figures["roc_auc_ovr", ""][column]
        assert found == pytest.approx(roc_auc_score(labels, p, multi_class="ovr"), abs=1e-6)
        found = figures["balanced_accuracy", ""][column]
        assert found == pytest.approx(balanced_accuracy_score(labels, p.argmax(1)), abs=1e-12)


def test_one_image_a_group_is_the_ordinary_bootstrap() -> None:
    cases = drawn_cases(2)
    single = Cases(
        cases.labels, cases.probabilities, np.arange(len(cases)), len(cases),
        cases.class_names, cases.malignant,
    )  # fmt: skip
    drawn = replicate([Scorer(single)], GroupBootstrap(len(cases), 4000, 1))[0]
    right = cases.predicted == cases.labels
    random = np.random.default_rng(9)
    ordinary = right[random.integers(len(right), size=(4000, len(right)))].mean(axis=1)
    found = np.quantile(drawn.figures["accuracy", ""], [0.025, 0.5, 0.975])
    assert found == pytest.approx(np.quantile(ordinary, [0.025, 0.5, 0.975]), abs=0.006)
    clustered = replicate([Scorer(cases)], GroupBootstrap(cases.n_groups, 2000, 1))[0]
    assert clustered.figures["accuracy", ""].std() > 1.1 * ordinary.std()


def test_width_of_blocks_changes_nothing() -> None:
    cases = drawn_cases(3)
    draws = GroupBootstrap(cases.n_groups, 70, 0)
    wide, narrow = (replicate([Scorer(cases, curves=True)], draws, width)[0] for width in (50, 7))
    for key, values in wide.figures.items():
        np.testing.assert_allclose(values, narrow.figures[key], atol=2e-6, err_msg=str(key))


def test_percentile_and_basic_by_hand() -> None:
    replicates = np.arange(101) / 100
    found = interval(0.3, replicates, 0.9)
    assert (found.low, found.high) == pytest.approx((0.05, 0.95))
    found = interval(0.3, replicates, 0.9, "basic")
    assert (found.low, found.high) == pytest.approx((-0.35, 0.55))


def test_bca_without_bias_and_skew_is_the_percentile_interval() -> None:
    replicates = np.linspace(-1, 1, 2001)
    jackknife = np.array([-1.0, 0.0, 1.0])
    plain = interval(0.0, replicates)
    bca = interval(0.0, replicates, method="bca", jackknife=jackknife)
    assert (bca.low, bca.high) == pytest.approx((plain.low, plain.high), abs=2e-3)


def test_bca_agrees_with_scipy_on_a_skewed_mean() -> None:
    from scipy.stats import bootstrap

    sample = np.random.default_rng(0).exponential(size=60)
    weights = np.concatenate(list(GroupBootstrap(60, 20_000, 0).blocks()), axis=1)
    knife = np.concatenate(
        [GroupJackknife(60).chunk(k) for k in range(GroupJackknife(60).n_chunks)], axis=1
    )
    ours = interval(
        sample.mean(), sample @ weights / 60, method="bca", jackknife=sample @ knife / 59
    )
    theirs = bootstrap((sample,), np.mean, n_resamples=20_000, rng=1).confidence_interval
    plain = interval(sample.mean(), sample @ weights / 60)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.012)
    assert abs(plain.high - theirs.high) > 0.02


def test_jackknife_leaves_each_group_out_once() -> None:
    knife = GroupJackknife(7)
    weights = np.concatenate([knife.chunk(k) for k in range(knife.n_chunks)], axis=1)
    assert weights.shape == (7, 7)
    assert ((weights == 0).sum(axis=0) == 1).all()
    assert ((weights == 0).sum(axis=1) == 1).all()


def test_undefined_replicates_cost_the_interval_and_say_so() -> None:
    replicates = np.where(np.arange(100) < 10, np.nan, 0.5)
    found = interval(0.5, replicates)
    assert (found.value, found.low, found.high) == (0.5, None, None)
    assert "undefined in 10% of the resamples" in found.note
    assert interval(np.nan, replicates).value is None
