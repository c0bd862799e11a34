"""What a person wants to know of an ensemble: who carries it, who is alike, what it would lose."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from ensemble_kit.core.records import Estimate, Floats, Ints
from ensemble_kit.metrics.compare import paired_mean_difference
from ensemble_kit.metrics.losses import equal_width_bins, log_losses
from ensemble_kit.posthoc.crossfit import Rows, crossfit_rows
from ensemble_kit.posthoc.selection.catalogue import Candidate
from ensemble_kit.posthoc.selection.fitted import Chain, fit_bank
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
    rows: Rows, winner: Candidate, spec: EvaluationSpec, seed: int = 0
) -> tuple[Estimate | None, ...]:
    """Log loss without each member minus with all, cross-fitted, groups resampled in pairs.

    Positive: the ensemble gets worse without it. The method and calibrator stay the winner's. None
    for a single member.
    """
    members = rows.members
    if len(members) == 1:
        return (None,)
    fit = partial(fit_bank, candidates=(winner,))
    with threadpool_limits(limits=1):
        whole = log_losses(rows.labels, crossfit_rows(fit, rows).output[:, 0])
        found = []
        for m in range(len(members)):
            rest = replace(rows, members=np.delete(members, m, axis=0))
            without = log_losses(rows.labels, crossfit_rows(fit, rest).output[:, 0])
            gap = paired_mean_difference(without, whole, rows.groups, spec, seed)
            found.append(gap.estimate)
    return tuple(found)


def member_weights(chain: Chain, n_members: int) -> tuple[float | None, ...]:
    """(M,) share of each member, summing to 1; None where a method has none (stack)."""
    weights = getattr(chain.ensembler, "weights", None)
    if chain.ensembler.to_json().keys() & {"slopes", "knots"}:
        weights = np.full(n_members, 1.0 / n_members)
    elif weights is None or len(weights) != n_members or chain.candidate.method == "stack":
        return (None,) * n_members
    share = weights.mean(axis=1) if weights.ndim == 2 else weights
    return tuple(float(w) for w in share / share.sum())


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
