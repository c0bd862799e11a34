"""The whole chain as one fit, and its cross-fitting over the outer folds."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from ensemble_kit.core.records import Bools, Floats, Ints
from ensemble_kit.posthoc.calibration.prior import PriorShift, fit_prior_shift
from ensemble_kit.posthoc.conformal.sets import PredictionSets, SetSpec, fit_sets
from ensemble_kit.posthoc.crossfit import CrossFitted, Rows, crossfit_rows
from ensemble_kit.posthoc.selection.catalogue import AUTO, SELECT, candidates
from ensemble_kit.posthoc.selection.choice import Choice, candidate_weights, choose, combine
from ensemble_kit.posthoc.selection.decision import Decision, fit_decision
from ensemble_kit.posthoc.selection.fitted import Chain, Combination, fit_candidates, mixed_by


@dataclass(frozen=True)
class ChainSpec:
    """What to fit: names of the catalogue, "auto" (all candidates, weighted) or, as a method,
    "select" (one of them); objective log_loss, balanced_accuracy or roc_auc_ovr; prevalence: the
    class frequencies to correct to (C,), or none."""

    method: str = AUTO
    calibrator: str = AUTO
    objective: str = "log_loss"
    prevalence: tuple[float, ...] | None = None
    sets: SetSpec = field(default_factory=SetSpec)


@dataclass(frozen=True, eq=False)
class FittedChain:
    """All that was fitted on some rows; ``apply`` gives the chain's probabilities (n, C)."""

    chain: Combination
    choice: Choice
    decision: Decision
    sets: PredictionSets

    def apply(self, members: Floats) -> Floats:
        return self.chain.apply(members)


@dataclass(frozen=True, eq=False)
class Outcome:
    """A chain judged honestly and refitted on all rows.

    probabilities (n, C), sets (n, C), decisions (n,): each row by the chain that did not see its
    fold. by_fold: these chains. final: the chain of all rows, for new images.
    """

    probabilities: Floats
    sets: Bools
    decisions: Ints
    by_fold: dict[int, FittedChain]
    final: FittedChain

    def fewest_groups(self) -> Ints:
        """(C,) groups behind the thresholds that made the sets: the fewest of any fold."""
        return np.asarray(np.min([s.sets.n_groups for s in self.by_fold.values()], axis=0))

    def has_thresholds(self) -> Bools:
        """(C,) whether every fold's sets had a threshold for the class."""
        return np.asarray(np.all([s.sets.finite for s in self.by_fold.values()], axis=0))


def fit_chain(rows: Rows, spec: ChainSpec) -> FittedChain:
    """Fit all candidates and their weights (or the choice of one) on the rows given.

    The decision and the prediction sets are fitted on inner cross-fitted probabilities: each
    inner fold's from candidates and weights that its labels had no part in, but for the weights'
    view of the other folds.
    """
    inner = rows.with_inner_folds()
    m, n, c = inner.members.shape
    pairs = candidates(spec.method, spec.calibrator, m, c, n)
    fit = partial(fit_candidates, candidates=pairs, objective=spec.objective)
    outputs = crossfit_rows(fit, inner).output
    fitted = fit(inner)
    sizes = tuple(chain.n_parameters for chain in fitted.chains)
    known = (outputs, inner.labels, inner.groups, pairs, sizes)
    select = spec.method == SELECT
    choice = choose(*known, spec.objective) if select else combine(*known)
    honest = outputs[:, 0] if len(pairs) == 1 else _mixed(outputs, inner, choice, select)
    shift = None
    if spec.prevalence is not None:
        shift = fit_prior_shift(inner.labels, np.array(spec.prevalence))
        honest = shift.apply(honest)
    return FittedChain(
        _used(fitted.chains, choice, shift),
        choice,
        fit_decision(honest, inner.labels, spec.objective),
        fit_sets(honest, inner.labels, inner.groups, spec.sets),
    )


def _mixed(outputs: Floats, inner: Rows, choice: Choice, select: bool) -> Floats:
    """(n, C) the inner outputs combined, each fold by weights fitted on the other folds."""
    mixed = np.empty((outputs.shape[0], outputs.shape[2]))
    for k in np.unique(inner.fold):
        held = inner.fold == k
        weights = choice.weights if select else candidate_weights(outputs, inner.labels, ~held)
        mixed[held] = mixed_by(weights, outputs[held])
    return mixed


def _used(chains: tuple[Chain, ...], choice: Choice, shift: PriorShift | None) -> Combination:
    """The candidates that have a weight."""
    kept = np.flatnonzero(choice.weights > 0)
    return Combination(tuple(chains[q] for q in kept), choice.weights[kept], shift)


def crossfit_chain(rows: Rows, spec: ChainSpec, jobs: int = 2) -> Outcome:
    """Cross-fit the chain over the folds of ``rows`` and refit it on all of them.

    A ``prevalence`` shifts the chain for new images alone: the rows judged here have the class
    frequencies that they have, and shifted probabilities would be wrong for them.

    ``jobs`` threads work on folds side by side; the result does not depend on them.
    """
    with threadpool_limits(limits=1), ThreadPoolExecutor(max(jobs, 1)) as pool:
        final = pool.submit(fit_chain, rows, spec)
        judged = replace(spec, prevalence=None)
        fitted: CrossFitted[FittedChain] = crossfit_rows(
            partial(fit_chain, spec=judged), rows, run=pool.map
        )
        last = final.result()
    sets = np.zeros(fitted.output.shape, dtype=bool)
    decisions = np.zeros(len(rows), dtype=np.int64)
    for k, step in fitted.steps.items():
        held = rows.fold == k
        sets[held] = step.sets.sets(fitted.output[held])
        decisions[held] = step.decision.decide(fitted.output[held])
    return Outcome(fitted.output, sets, decisions, fitted.steps, last)
