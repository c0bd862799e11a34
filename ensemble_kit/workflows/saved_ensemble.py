"""A saved ensemble, read back for use on new images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ensemble_kit.core.errors import PredictionsError, RunError, some
from ensemble_kit.core.records import Floats, Predictions
from ensemble_kit.posthoc.conformal.cross import CrossSets
from ensemble_kit.posthoc.conformal.sets import PredictionSets
from ensemble_kit.posthoc.crossfit import Members
from ensemble_kit.posthoc.selection.decision import Decision
from ensemble_kit.posthoc.selection.fitted import Combination
from ensemble_kit.runs.ensembles import (
    ConformalRecord,
    EnsembleRecord,
)
from ensemble_kit.runs.paths import ENSEMBLE

MOST_MATCHES = 60
"""Most matchings of fold models of members that have different numbers of them."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """An ensemble for new images: the chain, decision and sets fitted on all rows.

    The chain was fitted on probabilities of single fold models (each row's by the model that had
    not seen it), so it is meant for the probabilities of single fold models. For new images, which
    every fold model may judge, :meth:`apply_folds` applies it to each fold model and averages
    after; applied to the mean of the fold models it is under-confident (docs/ensembles.md).

    members : names, in the order in which their probabilities go in. inner : of cross-conformal
    sets, the chain fitted without each fold, for that fold's models of all members.
    """

    members: tuple[str, ...]
    class_names: tuple[str, ...]
    chain: Combination
    decision: Decision
    sets: PredictionSets | CrossSets
    inner: tuple[Combination, ...] = ()

    def apply(self, members: Members) -> Predictions:
        """Probabilities of new images from those of one model a member."""
        if members.class_names != self.class_names or members.names != self.members:
            raise PredictionsError(
                f"the ensemble was fitted for members {some(self.members)} and classes "
                f"{some(self.class_names)}, in this order; given were members "
                f"{some(members.names)} and classes {some(members.class_names)}"
            )
        p = self.chain.apply(members.probabilities)
        return Predictions(members.image_ids, self.class_names, p / p.sum(axis=1, keepdims=True))

    def apply_folds(self, by_member: Mapping[str, Floats]) -> Floats:
        """(n, C) probabilities of new images from those of every fold model.

        by_member : name of each member -> (K, n, C), its K fold models' probabilities; (n, C) is
        taken for one model. The chain is applied to the k-th fold models of all members together,
        for every k, and its probabilities are averaged. Where members have different numbers of
        fold models, those of each are gone through in turn until all have been used equally often
        (or :data:`MOST_MATCHES` times). Raises PredictionsError naming what does not fit.
        """
        if set(by_member) != set(self.members):
            raise PredictionsError(
                f"the ensemble was made from members {some(self.members)}; given were "
                f"{some(by_member)}: give each of them once"
            )
        stacks = [_fold_models(name, by_member[name]) for name in self.members]
        n_images = {stack.shape[1] for stack in stacks}
        n_classes = {stack.shape[2] for stack in stacks}
        if len(n_images) > 1 or n_classes != {len(self.class_names)}:
            shapes = [f"{n}: {s.shape}" for n, s in zip(self.members, stacks, strict=True)]
            raise PredictionsError(
                f"members differ in images or classes ({some(shapes)}): give (K, n, "
                f"{len(self.class_names)}) of the same images each"
            )
        counts = [len(stack) for stack in stacks]
        rounds = max(min(math.lcm(*counts), MOST_MATCHES), *counts)
        total = np.zeros(stacks[0].shape[1:])
        for k in range(rounds):
            total += self.chain.apply(np.stack([stack[k % len(stack)] for stack in stacks]))
        return np.asarray(total / total.sum(axis=1, keepdims=True))


def _fold_models(name: str, given: Floats) -> Floats:
    stack = np.asarray(given, dtype=np.float64)
    stack = stack[None] if stack.ndim == 2 else stack
    if stack.ndim != 3 or len(stack) == 0:
        raise PredictionsError(
            f"member {name!r}: probabilities of shape {np.shape(given)}; give (K, n, C), one table "
            "for each of its K fold models"
        )
    if not np.isfinite(stack).all() or (stack < 0).any():
        raise PredictionsError(f"member {name!r}: probabilities must be finite and not negative")
    return stack


def load_ensemble(folder: Path) -> Bundle:
    """Read ``ensemble.json`` and ``conformal.json`` of a run folder; RunError if they are not."""
    record, sets = EnsembleRecord.read(folder), ConformalRecord.read(folder)
    try:
        return Bundle(
            tuple(member.name for member in record.members),
            record.class_names,
            Combination.from_json(record.final),
            Decision.from_json(record.decision),
            _sets_of(sets.final.plain()),
            tuple(Combination.from_json(f.chain) for f in sets.final.folds if f.chain is not None),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{folder / ENSEMBLE}: damaged ({error!r}); make the run again") from None


def _sets_of(values: dict[str, Any]) -> PredictionSets | CrossSets:
    return (CrossSets if values["method"] == "cross" else PredictionSets).from_json(values)
