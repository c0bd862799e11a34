"""The paired rule: by hand, its error when nothing is to be found, its power when there is."""

import sys

import numpy as np
import pytest
from scipy import stats

from ensemble_kit.tuning.losses import FoldLoss
from ensemble_kit.tuning.pruning import ERROR, Rival, figure_error, judge, make_rival, spend


def folds_of(values, spread=1.0, groups=50, seed=0):
    rng = np.random.default_rng(seed)
    parts = []
    for value in values:
        influence = rng.normal(0, spread / groups, groups)
        parts.append(FoldLoss(value, influence - influence.mean(), groups))
    return parts


def test_levels_are_spent_in_proportion_to_what_a_stop_saves():
    assert spend(0.1, 5) == pytest.approx([0.04, 0.03, 0.02, 0.01])
    assert spend(0.05, 2) == pytest.approx([0.05])


def test_without_spread_between_folds_it_is_a_paired_t_test_over_groups():
    rng = np.random.default_rng(1)
    first, second = rng.gamma(1, 1, 80), rng.gamma(1, 1, 80)
    known = [FoldLoss(x.mean(), (x - x.mean()) / 80, 80) for x in (first, second)]
    found = judge(known[:1], Rival((known[1], known[1]), 1.0, 0.0, 4.0))
    expected = stats.ttest_rel(first, second, alternative="greater")
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.excess == pytest.approx(first.mean() - second.mean())
    assert found.level == pytest.approx(ERROR)


def test_a_trial_like_the_best_or_better_is_never_stopped():
    best = folds_of([1.0] * 5)
    rival = make_rival(best, [])
    for k in range(1, 5):
        assert not judge(best[:k], rival).prune
        assert not judge(folds_of([0.2] * k), rival).prune
    assert judge(best, rival).level == 0, "after the last fold there is nothing to save"


def test_a_hopeless_trial_is_stopped_after_one_fold():
    verdict = judge(folds_of([3.0], seed=9), make_rival(folds_of([1.0] * 5), []))
    assert verdict.prune
    assert verdict.folds == 1


def test_restless_training_asks_for_more_evidence():
    best, rng = folds_of([1.0] * 5), np.random.default_rng(4)
    calm = [folds_of(1.05 + rng.normal(0, 0.001, 5), seed=s) for s in range(1, 6)]
    restless = [folds_of(1.05 + rng.normal(0, 0.5, 5), seed=s) for s in range(1, 6)]
    poor = folds_of([1.9], seed=9)
    steady, shaken = make_rival(best, calm), make_rival(best, restless)
    assert shaken.spread > 5 * steady.spread
    assert judge(poor, steady).prune
    assert judge(poor, shaken).chance > 5 * judge(poor, steady).chance
    assert not judge(poor, shaken, min_gain=-1.0).prune


def test_the_level_shrinks_with_the_trials_that_could_be_the_best():
    best = folds_of([1.0] * 5)
    equals = [folds_of([1.0] * 5, seed=s) for s in range(1, 5)]
    losers = [folds_of([9.0] * 5, seed=s) for s in range(1, 5)]
    assert make_rival(best, equals).compared == pytest.approx(5.0)
    assert make_rival(best, losers).compared == pytest.approx(1.0, abs=1e-3)


@pytest.mark.slow
def test_the_best_trial_is_rarely_stopped_and_much_is_saved(project):
    """The simulation of docs/tuning.md in small; the uncorrected test must be seen to fail it."""
    sys.path.insert(0, str(project / "benchmarks"))
    try:
        import pruning
    finally:
        sys.path.remove(str(project / "benchmarks"))
    scenes = {scene.name: scene for scene in pruning.SCENES}
    for name in ("1,000 groups, restless", "7,470 groups, restless"):
        found = pruning.simulate(scenes[name], {"ours": pruning.paired}, 40)["ours"]
        assert found.wrong <= 4
        assert found.saved >= 0.4
        assert found.of_stopping <= 0.1
    naive = pruning.simulate(scenes["1,000 groups, restless"], {"naive": pruning.naive}, 40)
    assert naive["naive"].wrong > 2


def test_the_chance_of_a_gain_is_that_of_students_t_by_hand():
    """Two folds, no spread between them: a paired comparison of all groups."""
    rng = np.random.default_rng(2)
    first, second = rng.gamma(1, 1, 80), rng.gamma(1, 1, 80)
    known = [FoldLoss(x.mean(), (x - x.mean()) / 80, 80) for x in (first, second)]
    rival = Rival((known[1], known[1]), 1.0, 0.0, 4.0)
    found = judge(known[:1], rival, min_gain=0.5)
    error = stats.sem(first - second)
    gain = 0.5 * stats.sem(second) / np.sqrt(2)  # the rival's figure rests on two such folds
    assert figure_error(rival.losses) == pytest.approx(gain / 0.5)
    assert found.gain == pytest.approx(gain)
    expected = stats.t.cdf((-gain - (first - second).mean()) / error, 79)
    assert found.chance == pytest.approx(expected, rel=1e-6)


def test_a_trial_that_can_gain_nothing_that_matters_is_stopped_though_it_is_no_worse():
    """A near-copy of the best: no test calls it worse, and it has no chance of a large gain."""
    best = folds_of([1.0] * 5)
    copy = [FoldLoss(fold.value + 1e-4, fold.influence, fold.rows) for fold in best[:2]]
    rival = Rival(tuple(best), 1.0, 1e-3, 4.0)
    assert judge(copy, rival, min_gain=0.1).prune
    assert not judge(copy, rival, min_gain=-1.0).prune
    assert not judge([*copy, *best[2:]], rival, min_gain=0.1).prune, "nothing is left to save"
