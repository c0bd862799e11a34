"""Greedy selection with replacement from a library of models.

Caruana et al., "Ensemble selection from libraries of models", ICML 2004: start with the best few,
then add, round after round, the member that helps the average most; bagging over members keeps the
choice from fitting noise. The weight of a member is how often it was taken.
"""

from dataclasses import dataclass

import numpy as np

from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.posthoc.crossfit import Rows
from ensemble_kit.posthoc.ensembling.losses import SelectionLoss, selection_loss
from ensemble_kit.posthoc.ensembling.pools import LinearPool

TIE = 1e-12


@dataclass(frozen=True)
class GreedyOptions:
    """objective : log_loss, accuracy, balanced_accuracy or roc_auc_ovr. rounds : members added.

    sorted_start : best members that open the selection. bags : independent selections whose
    weights are averaged, each from ``bag_share`` of the members (all of them when bags is 1).
    """

    objective: str = "log_loss"
    rounds: int = 50
    sorted_start: int = 1
    bags: int = 1
    bag_share: float = 0.5
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Selection:
    """taken : members in the order of their taking, up to the best round. losses : after each."""

    taken: tuple[int, ...]
    losses: tuple[float, ...]


def fit_greedy(
    rows: Rows, options: GreedyOptions | None = None, objective: str = "log_loss"
) -> LinearPool:
    """Weights (M,) by greedy selection on these rows.

    Without options, 50 rounds from the best member for ``objective``; libraries of ten members
    and more are bagged (20 bags of half the members) with a sorted start of three.
    """
    m = len(rows.members)
    if options is None:
        few = GreedyOptions(objective)
        options = few if m < 10 else GreedyOptions(objective, sorted_start=3, bags=20)
    loss = selection_loss(options.objective, rows.members, rows.labels)
    counts = np.zeros(m)
    draw = np.random.default_rng(options.seed)
    for _ in range(options.bags):
        pool = np.arange(m)
        if options.bags > 1:
            size = max(int(np.ceil(m * options.bag_share)), 1)
            pool = np.sort(draw.choice(m, size=size, replace=False))
        taken = select(loss, options, pool).taken
        counts += np.bincount(taken, minlength=m) / len(taken)
    return LinearPool(counts / counts.sum(), n_parameters=max(m - 1, 1))


def select(loss: SelectionLoss, options: GreedyOptions, pool: Ints | None = None) -> Selection:
    """One selection from the members in ``pool``; ties go to the member listed first."""
    candidates = np.arange(loss.n_members) if pool is None else pool
    alone = loss.candidates(candidates)
    order = candidates[np.argsort(np.round(alone / TIE) * TIE, kind="stable")]
    taken: list[int] = []
    losses: list[float] = []
    state = loss
    for member in order[: max(min(options.sorted_start, options.rounds), 1)]:
        losses.append(float(state.candidates(np.array([member]))[0]))
        taken.append(int(member))
        state = state.with_member(int(member))
    start = len(taken)
    while len(taken) < options.rounds:
        scores = state.candidates(candidates)
        chosen = int(np.flatnonzero(scores <= scores.min() + TIE)[0])
        losses.append(float(scores[chosen]))
        taken.append(int(candidates[chosen]))
        state = state.with_member(taken[-1])
    history: Floats = np.array(losses[start - 1 :])
    best = start + int(np.flatnonzero(history <= history.min() + TIE)[0])
    return Selection(tuple(taken[:best]), tuple(losses[:best]))
