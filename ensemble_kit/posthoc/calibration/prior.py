"""Nothing at all, and the correction to another class frequency."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.posthoc.convex.simplex import normalised


@dataclass(frozen=True)
class Identity:
    """Probabilities as they come."""

    kind: ClassVar[str] = "identity"
    n_parameters: int = 0

    def apply(self, probabilities: Floats) -> Floats:
        return probabilities

    def to_json(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Identity":
        return cls()


@dataclass(frozen=True, eq=False)
class PriorShift:
    """p'_c ∝ p_c · target_c / source_c: Saerens, Latinne and Decaestecker 2002, eq. 2.4.

    Turns probabilities that are right where classes have the frequencies ``source`` (C,) into ones
    that are right where they have the frequencies ``target`` (C,).
    """

    kind: ClassVar[str] = "prior shift"
    source: Floats
    target: Floats
    n_parameters: int = 0

    def apply(self, probabilities: Floats) -> Floats:
        return normalised(probabilities * (self.target / self.source))

    def to_json(self) -> dict[str, Any]:
        return {"source": self.source.tolist(), "target": self.target.tolist()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "PriorShift":
        source, target = (np.array(values[k], dtype=np.float64) for k in ("source", "target"))
        return cls(source, target)


def fit_identity(probabilities: Floats, labels: Ints, fold: Ints) -> Identity:
    return Identity()


def fit_prior_shift(labels: Ints, target: Floats) -> PriorShift:
    """From the class frequencies of ``labels`` (half a pseudo-observation each) to ``target``."""
    counts = np.bincount(labels, minlength=len(target)) + 0.5
    return PriorShift(counts / counts.sum(), target)


def estimate_prevalence(
    probabilities: Floats, source: Floats, rounds: int = 1000, tolerance: float = 1e-9
) -> Floats:
    """Class frequencies (C,) of unlabelled rows by expectation–maximisation (Saerens 2002, §2.3).

    probabilities : (n, C) of the new rows, calibrated for the frequencies ``source`` (C,).
    """
    prior = source.copy()
    for _ in range(rounds):
        updated = normalised(probabilities * (prior / source)).mean(axis=0)
        moved = float(np.abs(updated - prior).max())
        prior = updated
        if moved < tolerance:
            break
    return prior
