"""The whole chain as one fit, and its cross-fitting over the outer folds."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from ensemble_kit.core.records import Bools, Floats, Ints
from ensemble_kit.posthoc.calibration.prior import fit_prior_shift
from ensemble_kit.posthoc.conformal.sets import PredictionSets, SetSpec, fit_sets
from ensemble_kit.posthoc.crossfit import CrossFitted, Rows, crossfit_rows
from ensemble_kit.posthoc.selection.catalogue import AUTO, candidates
from ensemble_kit.posthoc.selection.choice import Choice, choose
from ensemble_kit.posthoc.selection.decision import Decision, fit_decision
from ensemble_kit.posthoc.selection.fitted import Bank, Chain, fit_bank


@dataclass(frozen=True)
class ChainSpec:
    """What to fit: names of the catalogue or "auto"; objective log_loss, balanced_accuracy or
    macro_auc; prevalence: the class frequencies to correct to (C,), or none."""

    method: str = AUTO
    calibrator: str = AUTO
    objective: str = "log_loss"
    prevalence: tuple[float, ...] | None = None
    sets: SetSpec = field(default_factory=SetSpec)


@dataclass(frozen=True, eq=False)
class FittedChain:
    """All that was fitted on some rows; ``apply`` gives the chain's probabilities (n, C)."""

    chain: Chain
    choice: Choice
    bank: Bank
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


def fit_chain(rows: Rows, spec: ChainSpec) -> FittedChain:
    """Choose by inner cross-fitting, then fit the choice on all the rows given.

    The decision and the prediction sets are fitted on the inner cross-fitted probabilities of the
    choice, which no chain fitted to a row's own fold has made.
    """
    inner = rows.with_inner_folds()
    m, n, c = inner.members.shape
    pairs = candidates(spec.method, spec.calibrator, m, c, n)
    fit = partial(fit_bank, candidates=pairs, objective=spec.objective)
    outputs = crossfit_rows(fit, inner).output
    bank = fit(inner)
    sizes = tuple(chain.n_parameters for chain in bank.chains)
    choice = choose(outputs, inner.labels, inner.groups, pairs, sizes, spec.objective)
    chosen, honest = bank.chains[choice.index], outputs[:, choice.index]
    if spec.prevalence is not None:
        shift = fit_prior_shift(inner.labels, np.array(spec.prevalence))
        chosen = Chain(chosen.candidate, chosen.ensembler, chosen.calibrator, shift)
        honest = shift.apply(honest)
    return FittedChain(
        chosen,
        choice,
        bank,
        fit_decision(honest, inner.labels, spec.objective),
        fit_sets(honest, inner.labels, inner.groups, spec.sets),
    )


def crossfit_chain(rows: Rows, spec: ChainSpec, jobs: int = 2) -> Outcome:
    """Cross-fit the chain over the folds of ``rows`` and refit it on all of them.

    ``jobs`` threads work on folds side by side; the result does not depend on them.
    """
    with threadpool_limits(limits=1), ThreadPoolExecutor(max(jobs, 1)) as pool:
        final = pool.submit(fit_chain, rows, spec)
        fitted: CrossFitted[FittedChain] = crossfit_rows(
            partial(fit_chain, spec=spec), rows, run=pool.map
        )
        last = final.result()
    sets = np.zeros(fitted.output.shape, dtype=bool)
    decisions = np.zeros(len(rows), dtype=np.int64)
    for k, step in fitted.steps.items():
        held = rows.fold == k
        sets[held] = step.sets.sets(fitted.output[held])
        decisions[held] = step.decision.decide(fitted.output[held])
    return Outcome(fitted.output, sets, decisions, fitted.steps, last)
