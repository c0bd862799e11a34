"""What a person wants to know of an ensemble: who carries it, who is alike, what it would lose."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from ensemble_kit.core.records import Estimate, Floats, Ints
from ensemble_kit.metrics.compare import paired_mean_difference
from ensemble_kit.metrics.losses import equal_width_bins, log_losses
from ensemble_kit.posthoc.crossfit import Rows, crossfit_rows
from ensemble_kit.posthoc.ensembling.pools import CalibratedPool, ClassPool, LinearPool, LogPool
from ensemble_kit.posthoc.ensembling.ranks import RankPool
from ensemble_kit.posthoc.ensembling.stacking import Stack
from ensemble_kit.posthoc.selection.catalogue import Candidate
from ensemble_kit.posthoc.selection.fitted import Chain, Combination, fit_candidates, mixed_by
from ensemble_kit.study import EvaluationSpec


@dataclass(frozen=True, eq=False)
class Diversity:
    """error_correlation, double_fault : (M, M). The correlation of "is wrong" of two members (NaN
    where one is never or always wrong), and the share of rows both get wrong."""

    error_correlation: Floats
    double_fault: Floats


@dataclass(frozen=True)
class Bin:
    """One bin of a reliability curve of the top-1 confidence."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def diversity(rows: Rows) -> Diversity:
    """How differently members err: Kuncheva and Whitaker 2003."""
    wrong = (rows.members.argmax(axis=2) != rows.labels).astype(np.float64)
    centred = wrong - wrong.mean(axis=1, keepdims=True)
    scale = np.sqrt((centred**2).sum(axis=1))
    product = np.outer(scale, scale)
    nan = np.full_like(product, np.nan)
    correlation = np.divide(centred @ centred.T, product, out=nan, where=product > 0)
    return Diversity(correlation, wrong @ wrong.T / len(rows))


def leave_one_out(
    rows: Rows,
    candidates: Sequence[Candidate],
    weights: Floats,
    spec: EvaluationSpec,
    seed: int = 0,
) -> tuple[Estimate | None, ...]:
    """Log loss without each member minus with all, cross-fitted, groups resampled in pairs.

    Positive: the ensemble gets worse without it. Both sides are the same candidates under the same
    weights (Q,), each candidate refitted without the member on the other folds; the weights are
    those of the ensemble of all rows, so a member's worth to the choice of weights is left out.
    None for a single member.
    """
    members = rows.members
    if len(members) == 1:
        return (None,)

    def losses(of: Rows) -> Floats:
        fit = partial(fit_candidates, candidates=tuple(candidates))
        return log_losses(of.labels, mixed_by(weights, crossfit_rows(fit, of).output))

    with threadpool_limits(limits=1):
        whole = losses(rows)
        found = []
        for m in range(len(members)):
            without = losses(replace(rows, members=np.delete(members, m, axis=0)))
            gap = paired_mean_difference(without, whole, rows.groups, spec, seed)
            found.append(gap.estimate)
    return tuple(found)


def member_weights(chain: Combination, n_members: int) -> tuple[float | None, ...]:
    """(M,) share of each member, summing to 1: of each candidate, weighted by the candidates.

    None where a candidate has no such thing (ranks and the like of a method that is unknown).
    """
    shares = [_member_shares(part, n_members) for part in chain.chains]
    if any(share is None for share in shares):
        return (None,) * n_members
    mixed = chain.weights @ np.stack([share for share in shares if share is not None])
    return tuple(float(w) for w in mixed / mixed.sum())


def _member_shares(chain: Chain, n_members: int) -> Floats | None:
    """(M,) of one candidate. For stack: what each member's own-class coefficients, none counted
    below 0, have of their sum."""
    step = chain.ensembler
    if isinstance(step, Stack):
        own = np.diagonal(step.weights.reshape(len(step.biases), n_members, -1), axis1=0, axis2=2)
        share = np.maximum(own.mean(axis=1), 0.0)
    elif isinstance(step, CalibratedPool | RankPool):
        share = np.ones(n_members)
    elif isinstance(step, LinearPool | LogPool):
        share = step.weights
    elif isinstance(step, ClassPool):
        share = step.weights.mean(axis=1)
    else:
        return None
    return np.asarray(share / share.sum()) if share.sum() > 0 else np.full(n_members, 1 / n_members)


def reliability(probabilities: Floats, labels: Ints, n_bins: int = 15) -> tuple[Bin, ...]:
    """Top-1 confidence against accuracy in bins of equal width; empty bins are left out."""
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities[np.arange(len(labels)), predicted]
    place = equal_width_bins(confidence, n_bins)
    edges = np.linspace(0, 1, n_bins + 1)
    right = predicted == labels
    return tuple(
        Bin(
            float(edges[k]),
            float(edges[k + 1]),
            int((place == k).sum()),
            float(confidence[place == k].mean()),
            float(right[place == k].mean()),
        )
        for k in np.unique(place)
    )
