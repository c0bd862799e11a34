"""Choosing among candidates from cross-fitted probabilities: one standard error, simpler first."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ensemble_kit.core.errors import PredictionsError
from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.posthoc.convex.simplex import true_class
from ensemble_kit.posthoc.selection.catalogue import Candidate

OBJECTIVES = ("log_loss", "balanced_accuracy", "macro_auc")


@dataclass(frozen=True)
class Judged:
    """One candidate: its inner cross-fitted loss, and how far it is behind the best.

    loss : the objective's loss (log loss, or 1 - score). behind, error : paired difference to the
    best and its standard error over groups. parameters : numbers fitted to labels.
    """

    candidate: Candidate
    loss: float
    behind: float
    error: float
    parameters: int


@dataclass(frozen=True)
class Choice:
    """The winner, all that were judged, and a sentence that says why."""

    winner: Candidate
    judged: tuple[Judged, ...]
    reason: str

    @property
    def index(self) -> int:
        return [j.candidate for j in self.judged].index(self.winner)

    def to_json(self) -> dict[str, Any]:
        return {
            "winner": str(self.winner),
            "reason": self.reason,
            "judged": [asdict(j) | {"candidate": str(j.candidate)} for j in self.judged],
        }


@dataclass(frozen=True, eq=False)
class _Loss:
    """value and the (n,) influence of each row on it, which sums to 0."""

    value: float
    influence: Floats


def choose(
    outputs: Floats,
    labels: Ints,
    groups: Ints,
    candidates: tuple[Candidate, ...],
    parameters: tuple[int, ...],
    objective: str = "log_loss",
) -> Choice:
    """Walk from the simplest candidate up; a later one must win by more than one standard error.

    outputs : (n, Q, C) inner cross-fitted probabilities. Candidates are met in the order of their
    fitted numbers, then of the catalogue; each challenges the champion so far, and takes its place
    where the paired difference, over groups, exceeds its standard error. So the winner is never
    worse inside than the simplest, and within one standard error of the best or the best itself.
    With another objective than log loss, that objective picks the method and log loss the
    calibrator.
    """
    kept = list(range(len(candidates)))
    contest = _Contest(outputs, labels, groups, candidates, parameters)
    judged = contest.judged(kept, objective)
    winner = contest.champion(kept, objective)
    if objective != "log_loss":
        method = candidates[winner].method
        winner = contest.champion([q for q in kept if candidates[q].method == method], "log_loss")
    return Choice(candidates[winner], judged, _reason(judged[winner], judged, objective))


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

    def judged(self, kept: list[int], objective: str) -> tuple[Judged, ...]:
        losses = self.losses(objective)
        best = min((losses[q] for q in kept), key=lambda loss: loss.value)
        return tuple(
            Judged(
                self.candidates[q],
                losses[q].value,
                losses[q].value - best.value,
                self.error(losses[q], best),
                self.parameters[q],
            )
            for q in kept
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
    if objective == "macro_auc":
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
