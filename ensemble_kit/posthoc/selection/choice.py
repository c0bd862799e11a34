"""What candidates weigh in an ensemble: all of them (``auto``), or one that is chosen (``select``).

``auto`` takes the mean of all candidates, half of it with equal weights and half with the convex
weights that inner cross-fitted log loss asks for: a super learner (van der Laan, Polley and Hubbard
2007) shrunk to equal weights. ``select`` walks from the simplest candidate to the richest and
moves on only for a gain of more than one standard error.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ensemble_kit.core.errors import PredictionsError
from ensemble_kit.core.records import Bools, Floats, Ints
from ensemble_kit.posthoc.convex.mixture import mixture_weights
from ensemble_kit.posthoc.convex.simplex import true_class
from ensemble_kit.posthoc.selection.catalogue import Candidate

OBJECTIVES = ("log_loss", "balanced_accuracy", "roc_auc_ovr")
EQUAL_SHARE = 0.5
"""Part of the weight that all candidates share alike; the rest goes where log loss asks for it."""


@dataclass(frozen=True)
class Judged:
    """One candidate: its weight, its inner cross-fitted loss, how far it is behind the best.

    weight : its share of the ensemble, 0 to 1. loss : the objective's loss (log loss, or
    1 - score). behind, error : paired difference to the best and its standard error over groups.
    parameters : numbers fitted to labels.
    """

    candidate: Candidate
    weight: float
    loss: float
    behind: float
    error: float
    parameters: int


@dataclass(frozen=True)
class Choice:
    """The candidates with their weights, and a sentence that says why."""

    judged: tuple[Judged, ...]
    reason: str

    @property
    def weights(self) -> Floats:
        """(Q,) on the simplex, in the order of the candidates."""
        return np.array([j.weight for j in self.judged])

    @property
    def heaviest(self) -> Candidate:
        """The candidate of the largest weight (the first of several): the one that was chosen."""
        return self.judged[int(np.argmax(self.weights))].candidate

    @property
    def name(self) -> str:
        """The candidate, or how many there are."""
        used = int((self.weights > 0).sum())
        return str(self.heaviest) if used == 1 else f"mean of {used} candidates"

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "reason": self.reason,
            "judged": [asdict(j) | {"candidate": str(j.candidate)} for j in self.judged],
        }


@dataclass(frozen=True, eq=False)
class _Loss:
    """value and the (n,) influence of each row on it, which sums to 0."""

    value: float
    influence: Floats


def candidate_weights(outputs: Floats, labels: Ints, rows: Bools | None = None) -> Floats:
    """(Q,) weights of the candidates in ``auto``, on the simplex.

    outputs : (n, Q, C) probabilities that were made without the rows' own labels. rows : (n,) the
    rows to look at; default all. :data:`EQUAL_SHARE` of the weight is equal; the rest is the
    convex combination of least log loss on these rows.
    """
    likelihoods = outputs[np.arange(len(labels)), :, labels]
    if rows is not None:
        likelihoods = likelihoods[rows]
    n_candidates = likelihoods.shape[1]
    if n_candidates == 1:
        return np.ones(1)
    convex = mixture_weights(likelihoods)
    return np.asarray(EQUAL_SHARE / n_candidates + (1 - EQUAL_SHARE) * convex)


def combine(
    outputs: Floats,
    labels: Ints,
    groups: Ints,
    candidates: tuple[Candidate, ...],
    parameters: tuple[int, ...],
) -> Choice:
    """``auto``: every candidate with its weight of :func:`candidate_weights`.

    outputs : (n, Q, C) inner cross-fitted probabilities.
    """
    weights = candidate_weights(outputs, labels)
    contest = _Contest(outputs, labels, groups, candidates, parameters)
    judged = contest.judged("log_loss", weights)
    if len(candidates) == 1:
        return Choice(judged, f"{candidates[0]}: as asked")
    first = sorted(judged, key=lambda j: -j.weight)[:3]
    named = ", ".join(f"{j.candidate} {j.weight:.2f}" for j in first)
    more = f" and {len(judged) - len(first)} more" if len(judged) > len(first) else ""
    return Choice(
        judged,
        f"weighted mean of {len(judged)} calibrated candidates, {EQUAL_SHARE:.0%} of the weight "
        f"equal and the rest by inner cross-fitted log loss: {named}{more}",
    )


def choose(
    outputs: Floats,
    labels: Ints,
    groups: Ints,
    candidates: tuple[Candidate, ...],
    parameters: tuple[int, ...],
    objective: str = "log_loss",
) -> Choice:
    """``select``: a later candidate takes over only if it wins by more than one standard error.

    outputs : (n, Q, C) inner cross-fitted probabilities. Candidates are met in the order of their
    fitted numbers, then of the catalogue; each challenges the champion so far, and takes its place
    where the paired difference, over groups, exceeds its standard error. So the winner is never
    worse inside than the simplest, and within one standard error of the best or the best itself.
    With another objective than log loss, that objective picks the method and log loss the
    calibrator.
    """
    kept = list(range(len(candidates)))
    contest = _Contest(outputs, labels, groups, candidates, parameters)
    winner = contest.champion(kept, objective)
    if objective != "log_loss":
        method = candidates[winner].method
        winner = contest.champion([q for q in kept if candidates[q].method == method], "log_loss")
    judged = contest.judged(objective, np.eye(len(candidates))[winner])
    return Choice(judged, _reason(judged[winner], judged, objective))


@dataclass(frozen=True, eq=False)
class _Contest:
    outputs: Floats
    labels: Ints
    groups: Ints
    candidates: tuple[Candidate, ...]
    parameters: tuple[int, ...]

    def losses(self, objective: str) -> "list[_Loss]":
        return [
            _loss(self.outputs[:, q], self.labels, objective) for q in range(len(self.candidates))
        ]

    def error(self, first: "_Loss", second: "_Loss") -> float:
        """Standard error of a paired difference, over groups."""
        sums = np.bincount(self.groups, weights=first.influence - second.influence)
        return float(np.sqrt((sums**2).sum())) / len(self.labels)

    def champion(self, kept: list[int], objective: str) -> int:
        losses = self.losses(objective)
        order = sorted(kept, key=lambda q: (self.parameters[q], q))
        winner = order[0]
        for challenger in order[1:]:
            gain = losses[winner].value - losses[challenger].value
            if gain > self.error(losses[winner], losses[challenger]):
                winner = challenger
        return winner

    def judged(self, objective: str, weights: Floats) -> tuple[Judged, ...]:
        losses = self.losses(objective)
        best = min(losses, key=lambda loss: loss.value)
        return tuple(
            Judged(
                candidate,
                float(weight),
                loss.value,
                loss.value - best.value,
                self.error(loss, best),
                size,
            )
            for candidate, weight, loss, size in zip(
                self.candidates, weights, losses, self.parameters, strict=True
            )
        )


def _reason(winner: Judged, judged: tuple[Judged, ...], objective: str) -> str:
    if len(judged) == 1:
        return f"{winner.candidate}: as asked"
    best = min(judged, key=lambda j: j.loss)
    name = objective.replace("_", " ")
    numbers = f"{winner.parameters} fitted numbers"
    if best.candidate == winner.candidate:
        return f"{winner.candidate} ({numbers}) had the best inner cross-fitted {name}"
    if objective != "log_loss":
        return (
            f"{winner.candidate}: its method by inner cross-fitted {name}, calibrator by log loss"
        )
    return (
        f"{winner.candidate} ({numbers}) is simpler than {best.candidate} "
        f"({best.parameters}) and within one standard error of it in inner cross-fitted {name}"
    )


def _loss(probabilities: Floats, labels: Ints, objective: str) -> _Loss:
    n, n_classes = probabilities.shape
    if objective == "log_loss":
        rows = -np.log(np.maximum(true_class(probabilities, labels), 1e-15))
        return _Loss(float(rows.mean()), rows - rows.mean())
    counts = np.bincount(labels, minlength=n_classes).astype(np.float64)
    present = np.flatnonzero(counts)
    if objective == "balanced_accuracy":
        right = (probabilities / np.maximum(counts, 1)).argmax(axis=1) == labels
        hits = np.bincount(labels, weights=right, minlength=n_classes)
        recall = hits / np.maximum(counts, 1)
        influence = -(right - recall[labels]) * n / (len(present) * counts[labels])
        return _Loss(float(1 - recall[present].mean()), influence)
    if objective == "roc_auc_ovr":
        return _auc_loss(probabilities, labels, present)
    raise PredictionsError(
        f"{objective!r} is not an objective: choose from {', '.join(OBJECTIVES)}"
    )


def _auc_loss(probabilities: Floats, labels: Ints, present: Ints) -> _Loss:
    """Influence by placement values: DeLong, DeLong and Clarke-Pearson 1988."""
    n = len(labels)
    influence, areas = np.zeros(n), []
    usable = [c for c in present if (labels == c).sum() < n]
    for c in usable:
        scores, positive = probabilities[:, c], labels == c
        high, low = np.sort(scores[positive]), np.sort(scores[~positive])
        beaten = _share_below(low, scores[positive])
        beating = 1.0 - _share_below(high, scores[~positive])
        area = float(beaten.mean())
        areas.append(area)
        influence[positive] -= (beaten - area) * n / (len(high) * len(usable))
        influence[~positive] -= (beating - area) * n / (len(low) * len(usable))
    return _Loss(1.0 - float(np.mean(areas)) if areas else 0.0, influence)


def _share_below(ordered: Floats, values: Floats) -> Floats:
    left, right = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return np.asarray((left + right) / (2.0 * len(ordered)))
