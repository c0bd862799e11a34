"""The whole chain as one fit, and its cross-fitting over the outer folds."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from ensemble_kit.core.records import Bools, Floats, Ints
from ensemble_kit.posthoc.calibration.prior import PriorShift, fit_prior_shift
from ensemble_kit.posthoc.conformal.cross import CrossSets, fit_cross
from ensemble_kit.posthoc.conformal.sets import PredictionSets, fit_sets
from ensemble_kit.posthoc.conformal.spec import SetSpec
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
    """All that was fitted on some rows; ``apply`` gives the chain's probabilities (n, C).

    inner : with cross-conformal sets the chain fitted without each inner fold, in the order of
    ``sets.folds``; else empty.
    """

    chain: Combination
    choice: Choice
    decision: Decision
    sets: PredictionSets | CrossSets
    inner: tuple[Combination, ...] = ()

    def apply(self, members: Floats) -> Floats:
        return self.chain.apply(members)

    def inside(self, members: Floats, probabilities: Floats) -> Bools:
        """(n, C) prediction sets of rows; probabilities : what :meth:`apply` gives for them."""
        if isinstance(self.sets, PredictionSets):
            return self.sets.sets(probabilities)
        by_fold = np.stack([chain.apply(members) for chain in self.inner])
        return self.sets.sets(by_fold, probabilities)


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
    crossed = crossfit_rows(fit, inner)
    outputs = crossed.output
    fitted = fit(inner)
    sizes = tuple(chain.n_parameters for chain in fitted.chains)
    known = (outputs, inner.labels, inner.groups, pairs, sizes)
    select = spec.method == SELECT
    choice = choose(*known, spec.objective) if select else combine(*known)
    fixed = select or len(pairs) == 1
    weights = {
        k: choice.weights if fixed else candidate_weights(outputs, inner.labels, inner.fold != k)
        for k in crossed.steps
    }
    honest = outputs[:, 0] if len(pairs) == 1 else _mixed(outputs, inner, weights)
    shift = None
    if spec.prevalence is not None:
        shift = fit_prior_shift(inner.labels, np.array(spec.prevalence))
        honest = shift.apply(honest)
    known_sets = (honest, inner.labels, inner.groups)
    sets: PredictionSets | CrossSets = fit_sets(*known_sets, spec.sets)
    steps: tuple[Combination, ...] = ()
    if spec.sets.method == "cross":
        sets = fit_cross(*known_sets, inner.fold, spec.sets)
        steps = tuple(_used(step.chains, weights[k], shift) for k, step in crossed.steps.items())
    return FittedChain(
        _used(fitted.chains, choice.weights, shift),
        choice,
        fit_decision(honest, inner.labels, spec.objective),
        sets,
        steps,
    )


def _mixed(outputs: Floats, inner: Rows, weights: dict[int, Floats]) -> Floats:
    """(n, C) the inner outputs combined, each fold by its weights."""
    mixed = np.empty((outputs.shape[0], outputs.shape[2]))
    for k, of_fold in weights.items():
        held = inner.fold == k
        mixed[held] = mixed_by(of_fold, outputs[held])
    return mixed


def _used(chains: tuple[Chain, ...], weights: Floats, shift: PriorShift | None) -> Combination:
    """The candidates that have a weight."""
    kept = np.flatnonzero(weights > 0)
    return Combination(tuple(chains[q] for q in kept), weights[kept], shift)


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
        sets[held] = step.inside(rows.take(held).members, fitted.output[held])
        decisions[held] = step.decision.decide(fitted.output[held])
    return Outcome(fitted.output, sets, decisions, fitted.steps, last)
