"""Honesty: no output of a fold depends on that fold's labels, for every method and calibrator."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest

from ensemble_kit.core.errors import PredictionsError, SplitError
from ensemble_kit.core.records import Folds
from ensemble_kit.posthoc.conformal.spec import SetSpec
from ensemble_kit.posthoc.crossfit import Rows, crossfit, crossfit_rows, rows_of
from ensemble_kit.posthoc.ensembling.weighting import fit_mean, fit_weights
from ensemble_kit.posthoc.selection.catalogue import CALIBRATORS, METHODS, Candidate
from ensemble_kit.posthoc.selection.fitted import fit_candidates
from ensemble_kit.posthoc.selection.fitting import ChainSpec, FittedChain, crossfit_chain, fit_chain
from tests.posthoc.posthoc_cases import as_table, made_rows

PAIRS = [Candidate(m, "temperature") for m in METHODS] + [Candidate("mean", c) for c in CALIBRATORS]
PAIRS += [Candidate("stack", "isotonic"), Candidate("log-weights", "dirichlet")]


def corrupted(rows: Rows, k: int, seed: int = 1) -> Rows:
    """The same rows with the labels of fold k permuted and shifted."""
    labels = rows.labels.copy()
    held = np.flatnonzero(rows.fold == k)
    labels[held] = (np.random.default_rng(seed).permutation(labels[held]) + 1) % rows.n_classes
    return replace(rows, labels=labels)


def is_honest(fit, rows: Rows, k: int) -> bool:
    """Whether fold k's output is bit-identical under corrupted labels of fold k."""
    before = crossfit_rows(fit, rows).output[rows.fold == k]
    after = crossfit_rows(fit, corrupted(rows, k)).output[rows.fold == k]
    return before.tobytes() == after.tobytes()


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_labels_of_a_fold_cannot_change_its_output(pair: Candidate) -> None:
    rows = made_rows(groups=90, classes=3)
    for k in (0, 3):
        assert is_honest(partial(fit_candidates, candidates=(pair,)), rows, k)


@pytest.mark.parametrize("pair", PAIRS[:4], ids=str)
def test_labels_of_other_folds_do_change_it_where_something_is_fitted(pair: Candidate) -> None:
    rows = made_rows(groups=90, classes=3)
    fit = partial(fit_candidates, candidates=(pair,))
    before = crossfit_rows(fit, rows).output[rows.fold == 0]
    after = crossfit_rows(fit, corrupted(rows, 1)).output[rows.fold == 0]
    assert (before != after).any()


@pytest.mark.parametrize("objective", ["log_loss", "balanced_accuracy", "roc_auc_ovr"])
def test_the_whole_auto_chain_is_honest(objective: str) -> None:
    """Choice, weights, calibrator, prior, decision and sets, all at once."""
    rows = made_rows(groups=80, classes=3, folds=3)
    spec = ChainSpec(objective=objective, prevalence=(0.2, 0.3, 0.5), sets=SetSpec(score="aps"))
    for k in (0, 2):
        held = rows.fold == k
        one, two = (crossfit_chain(r, spec) for r in (rows, corrupted(rows, k)))
        for field in ("probabilities", "sets", "decisions"):
            assert getattr(one, field)[held].tobytes() == getattr(two, field)[held].tobytes()
        assert one.by_fold[k].choice == two.by_fold[k].choice
        assert one.by_fold[k].chain.to_json() == two.by_fold[k].chain.to_json()


@dataclass(frozen=True)
class Peek:
    """A cheat: remembers the labels of all rows, found by their probabilities."""

    known: Rows

    def apply(self, members: np.ndarray) -> np.ndarray:
        table = {p.tobytes(): y for p, y in zip(self.known.members[0], self.known.labels)}  # noqa: B905
        out = np.full(members.shape[1:], 0.1)
        for i, p in enumerate(members[0]):
            out[i, table.get(p.tobytes(), 0)] += 1.0
        return out


def test_a_planted_cheat_is_caught() -> None:
    """The test above fails for a method that peeks at labels it should not have seen."""
    rows = made_rows(groups=40, classes=3)
    current = [rows]

    def cheat(_: Rows) -> Peek:
        return Peek(current[0])

    before = crossfit_rows(cheat, rows).output[rows.fold == 0]
    current[0] = corrupted(rows, 0)
    after = crossfit_rows(cheat, current[0]).output[rows.fold == 0]
    assert before.tobytes() != after.tobytes()
    assert is_honest(lambda seen: Peek(seen), rows, 0)  # what it may see does not help it


def test_a_fit_gets_copies_without_the_held_out_rows() -> None:
    rows = made_rows(groups=40)
    seen: list[Rows] = []
    crossfit_rows(lambda r: seen.append(r) or fit_mean(r), rows)  # type: ignore[func-returns-value]
    for k, given in enumerate(seen):
        assert set(given.fold) == set(range(4)) - {k}
        assert not np.shares_memory(given.labels, rows.labels)
        assert not np.shares_memory(given.members, rows.members)


def test_each_row_comes_from_the_step_that_did_not_see_it() -> None:
    rows = made_rows(groups=60)
    fitted = crossfit_rows(fit_weights, rows)
    for k, step in fitted.steps.items():
        held = rows.fold == k
        assert step.to_json() == fit_weights(rows.take(~held)).to_json()
        assert np.array_equal(fitted.output[held], step.apply(rows.members[:, held]))


def test_threads_do_not_change_a_bit() -> None:
    rows = made_rows(groups=60, classes=3)
    one, two = (crossfit_chain(rows, ChainSpec(), jobs=jobs) for jobs in (1, 3))
    assert one.probabilities.tobytes() == two.probabilities.tobytes()
    assert one.final.chain.to_json() == two.final.chain.to_json()


def test_public_crossfit_returns_predictions_in_order() -> None:
    rows = made_rows(groups=50)
    members, table, folds = as_table(rows)
    found = crossfit(fit_weights, members, table.labels, folds)
    assert np.array_equal(found.image_ids, table.image_ids)
    assert np.array_equal(found.probabilities, crossfit_rows(fit_weights, rows).output)


def test_one_fold_only_is_refused() -> None:
    rows = made_rows(groups=20)
    with pytest.raises(SplitError, match="at least two folds"):
        crossfit_rows(fit_mean, replace(rows, fold=np.zeros(len(rows), dtype=np.int64)))


def test_a_group_across_folds_is_refused() -> None:
    members, table, folds = as_table(made_rows(groups=40))
    fold = folds.fold.copy()
    rows_of_group = np.flatnonzero(np.bincount(table.group_codes)[table.group_codes] > 1)
    fold[rows_of_group[0]] = (fold[rows_of_group[0]] + 1) % 4
    with pytest.raises(SplitError, match="1 group in more than one fold"):
        rows_of(members, table.labels, Folds(table.image_ids, table.groups, fold, 4))


def test_other_images_are_refused() -> None:
    members, table, folds = as_table(made_rows(groups=40))
    other = Folds(table.image_ids[::-1], table.groups[::-1], folds.fold[::-1], 4)
    with pytest.raises(PredictionsError, match="another order"):
        rows_of(members, table.labels, other)
    with pytest.raises(PredictionsError, match="every image needs one of each"):
        rows_of(members, table.labels[:-1], folds)


def test_two_folds_leave_one_to_fit_on_and_inner_folds_are_dealt_by_group() -> None:
    rows = made_rows(groups=80, classes=3, folds=2)
    inner = rows.take(rows.fold == 0).with_inner_folds()
    per_group = [len(set(inner.fold[inner.groups == g])) for g in np.unique(inner.groups)]
    assert set(per_group) == {1}
    assert len(np.unique(inner.fold)) == 4
    pair = Candidate("stack", "dirichlet")
    out = crossfit_rows(partial(fit_candidates, candidates=(pair,)), rows).output
    assert np.isfinite(out).all()
    fitted: FittedChain = fit_chain(rows.take(rows.fold == 0), ChainSpec())
    assert fitted.choice.judged
