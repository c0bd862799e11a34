"""Prediction sets: fitted on calibrated probabilities, applied to new ones."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ensemble_kit.core.records import Bools, Floats, Ints
from ensemble_kit.posthoc.conformal.nonconformity import nonconformity
from ensemble_kit.posthoc.conformal.quantiles import group_quantile, groups_needed
from ensemble_kit.posthoc.conformal.spec import SetSpec


@dataclass(frozen=True, eq=False)
class PredictionSets:
    """Class c is in a row's set when its nonconformity is at most thresholds[c].

    thresholds : (C,), infinite where there are too few groups: the class is then in every set.
    n_groups : (C,) calibration groups behind each threshold. needed : how many it takes.
    """

    kind: ClassVar[str] = "prediction sets"
    spec: SetSpec
    thresholds: Floats
    n_groups: Ints

    @property
    def needed(self) -> int:
        return groups_needed(self.spec.level)

    @property
    def finite(self) -> Bools:
        """(C,) whether the class has a threshold; without one it is in every set."""
        return np.isfinite(self.thresholds)

    def sets(self, probabilities: Floats) -> Bools:
        """(n, C) membership; the likeliest class is always in, so no set is empty."""
        inside = nonconformity(probabilities, self.spec.score) <= self.thresholds
        inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
        return np.asarray(inside)

    def to_json(self) -> dict[str, Any]:
        """Plain values; an infinite threshold is null."""
        return {
            **self.spec.to_json(),
            "thresholds": [float(t) if np.isfinite(t) else None for t in self.thresholds],
            "n_groups": self.n_groups.tolist(),
            "groups_needed": self.needed,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "PredictionSets":
        thresholds = [np.inf if t is None else t for t in values["thresholds"]]
        return cls(
            SetSpec.from_json(values),
            np.array(thresholds, dtype=np.float64),
            np.array(values["n_groups"], np.int64),
        )


def fit_sets(probabilities: Floats, labels: Ints, groups: Ints, spec: SetSpec) -> PredictionSets:
    """Thresholds from rows whose probabilities were made without their labels.

    probabilities : (n, C) cross-fitted. The thresholds aim at an image of a group drawn like
    these, groups being exchangeable. They come from chains of several inner fits and are applied
    to a chain of all rows: cross-validation without the "+" of Barber, Candès, Ramdas and
    Tibshirani 2021, so coverage is approximate and has no finite-sample guarantee.
    """
    n_classes = probabilities.shape[1]
    own = nonconformity(probabilities, spec.score)[np.arange(len(labels)), labels]
    thresholds, n_groups = np.empty(n_classes), np.empty(n_classes, dtype=np.int64)
    whole = group_quantile(own, groups, spec.level, spec.unit, spec.seed)
    for c in range(n_classes):
        rows = labels == c if spec.by_class else np.ones(len(labels), dtype=bool)
        n_groups[c] = len(np.unique(groups[rows]))
        if spec.by_class:
            thresholds[c] = group_quantile(
                own[rows], groups[rows], spec.level, spec.unit, spec.seed
            )
        else:
            thresholds[c] = whole
    return PredictionSets(spec, thresholds, n_groups)
