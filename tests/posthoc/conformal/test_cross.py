"""Cross-conformal sets: p-values by a loop, the guarantee by simulation, the chain behind them."""

import json

import numpy as np
import pytest

from ensemble_kit.posthoc.conformal.cross import CrossSets, fit_cross
from ensemble_kit.posthoc.conformal.nonconformity import nonconformity
from ensemble_kit.posthoc.conformal.sets import fit_sets
from ensemble_kit.posthoc.conformal.spec import SetSpec
from ensemble_kit.posthoc.convex.simplex import softmax
from ensemble_kit.posthoc.crossfit import Rows
from ensemble_kit.posthoc.selection.fitting import ChainSpec, crossfit_chain

RANDOM = np.random.default_rng(3)
N, C, K = 120, 3, 4
GROUPS = RANDOM.integers(0, 50, N)
FOLD = GROUPS % K
LABELS = RANDOM.integers(0, C, N)
OWN = softmax(RANDOM.normal(0, 1, (N, C)) + 2 * np.eye(C)[LABELS])
NEW = softmax(RANDOM.normal(0, 1, (K, 30, C)))


@pytest.mark.parametrize("by_class", [True, False])
@pytest.mark.parametrize("score", ["lac", "aps"])
def test_p_values_by_a_loop(by_class: bool, score: str) -> None:
    """(1 + the groups' shares of rows that fit worse, fold by fold) / (groups + 1)."""
    spec = SetSpec(score=score, by_class=by_class)  # type: ignore[arg-type]
    found = fit_cross(OWN, LABELS, GROUPS, FOLD, spec).p_values(NEW)
    own = nonconformity(OWN, spec.score)[np.arange(N), LABELS]
    for row in range(4):
        for c in range(C):
            rows = [i for i in range(N) if LABELS[i] == c or not by_class]
            above = 1.0
            for i in rows:
                given = nonconformity(NEW[FOLD[i]][row : row + 1], spec.score)[0, c]
                mates = sum(GROUPS[j] == GROUPS[i] for j in rows)
                above += (own[i] >= given) / mates
            groups = len({int(GROUPS[i]) for i in rows})
            assert found[row, c] == pytest.approx(above / (groups + 1))


@pytest.mark.parametrize("unit", ["weighted", "drawn"])
def test_one_fold_is_the_threshold(unit: str) -> None:
    spec = SetSpec(level=0.8, unit=unit)  # type: ignore[arg-type]
    one = fit_cross(OWN, LABELS, GROUPS, np.zeros(N, np.int64), spec)
    threshold = fit_sets(OWN, LABELS, GROUPS, spec)
    assert np.array_equal(one.sets(NEW[:1], NEW[0]), threshold.sets(NEW[0]))
    assert np.array_equal(one.finite, threshold.finite)


def test_few_groups_leave_the_class_in_every_set_and_json_keeps_all() -> None:
    labels = np.where(GROUPS < 3, 2, LABELS % 2)
    sets = fit_cross(OWN, labels, GROUPS, FOLD, SetSpec())
    assert sets.n_groups[2] < sets.needed
    assert not sets.finite[2]
    inside = sets.sets(NEW, NEW.mean(axis=0))
    assert inside[:, 2].all()
    assert not sets.at_level(0.6).sets(NEW, NEW.mean(axis=0))[:, 0].all()
    again = CrossSets.from_json(json.loads(json.dumps(sets.to_json())))
    assert np.array_equal(again.p_values(NEW), sets.p_values(NEW))
    assert again.spec == sets.spec
    assert (sets.at_level(0.6).sets(NEW, NEW.mean(axis=0)) <= inside).all()
    with pytest.raises(ValueError, match="3 models for 4 folds"):
        sets.p_values(NEW[:3])


def test_coverage_stays_above_the_guarantee_where_a_group_is_the_unit() -> None:
    """Nearest class means in 12 columns, 40 groups of 1-6 rows: near the 0.8 asked for."""
    hits = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        size = random.integers(1, 7, 80)
        groups = np.repeat(np.arange(80), size)
        y = random.integers(0, 2, 80)[groups]
        x = random.normal(0, 1, (80, 12))[groups] + random.normal(0, 0.5, (len(groups), 12))
        x[:, 0] += 2 * y
        old, fold = groups < 40, groups % K
        own, new = np.zeros((len(y), 2)), []
        for k in range(K):
            train = old & (fold != k)
            means = np.stack([x[train & (y == c)].mean(axis=0) for c in (0, 1)])
            p = softmax(-((x[:, None] - means) ** 2).sum(axis=2))
            own[fold == k] = p[fold == k]
            new.append(p[~old])
        sets = fit_cross(own[old], y[old], groups[old], fold[old], SetSpec(level=0.8))
        covered = sets.p_values(np.stack(new))[np.arange(len(y[~old])), y[~old]] > 0.2
        hits.append(np.mean([covered[groups[~old] == g].mean() for g in range(40, 80)]))
    assert 0.76 < np.mean(hits) < 0.95


def test_the_chain_judges_rows_by_chains_without_each_inner_fold() -> None:
    members = np.stack([OWN, softmax(np.log(OWN) + RANDOM.normal(0, 0.5, OWN.shape))])
    rows = Rows(members, LABELS, GROUPS, FOLD)
    spec = ChainSpec("mean", "temperature", sets=SetSpec(level=0.8, method="cross"))
    done = crossfit_chain(rows, spec, jobs=1)
    assert isinstance(done.final.sets, CrossSets)
    assert [part.fold for part in done.final.sets.folds] == list(range(K))
    assert len(done.final.inner) == K
    assert len(done.by_fold[0].inner) == K - 1
    for k, chain in enumerate(done.final.inner):
        assert np.allclose(chain.apply(members), done.by_fold[k].apply(members)), (
            "the chain without fold k is the chain that judged fold k"
        )
    other = LABELS.copy()
    other[FOLD == 1] = RANDOM.permutation(other[FOLD == 1])
    again = crossfit_chain(Rows(members, other, GROUPS, FOLD), spec, jobs=1)
    assert np.array_equal(again.sets[FOLD == 1], done.sets[FOLD == 1])
