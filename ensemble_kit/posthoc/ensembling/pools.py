"""Pools: weighted averages of members, on probabilities or on their logarithms.

Every pool maps members (M, n, C) to probabilities (n, C) and knows its ``n_parameters``, the count
of numbers fitted to labels, by which ``auto`` calls one method simpler than another.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ensemble_kit.core.records import Floats
from ensemble_kit.posthoc.convex.simplex import normalised, softmax

Json = dict[str, Any]


@dataclass(frozen=True, eq=False)
class LinearPool:
    """p = Σ_m w_m p_m with weights (M,) on the simplex."""

    kind: ClassVar[str] = "linear pool"
    weights: Floats
    n_parameters: int = 0

    def apply(self, members: Floats) -> Floats:
        return normalised(np.tensordot(self.weights, members, axes=1))

    def to_json(self) -> Json:
        return {"weights": self.weights.tolist(), "n_parameters": self.n_parameters}

    @classmethod
    def from_json(cls, values: Json) -> "LinearPool":
        return cls(np.array(values["weights"], dtype=np.float64), int(values["n_parameters"]))


@dataclass(frozen=True, eq=False)
class LogPool:
    """p ∝ Π_m max(p_m, floor_m)^{w_m}; weights (M,) ≥ 0, floors (M,)."""

    kind: ClassVar[str] = "logarithmic pool"
    weights: Floats
    floors: Floats
    n_parameters: int = 0

    def apply(self, members: Floats) -> Floats:
        logs = np.log(np.maximum(members, self.floors[:, None, None]))
        return softmax(np.tensordot(self.weights, logs, axes=1))

    def to_json(self) -> Json:
        return {
            "weights": self.weights.tolist(),
            "floors": self.floors.tolist(),
            "n_parameters": self.n_parameters,
        }

    @classmethod
    def from_json(cls, values: Json) -> "LogPool":
        weights, floors = (np.array(values[k], dtype=np.float64) for k in ("weights", "floors"))
        return cls(weights, floors, int(values["n_parameters"]))


@dataclass(frozen=True, eq=False)
class ClassPool:
    """p_c ∝ Σ_m w_mc p_mc; weights (M, C), each column on the simplex."""

    kind: ClassVar[str] = "linear pool by class"
    weights: Floats

    @property
    def n_parameters(self) -> int:
        return int((self.weights.shape[0] - 1) * self.weights.shape[1])

    def apply(self, members: Floats) -> Floats:
        return normalised(np.einsum("mc,mnc->nc", self.weights, members))

    def to_json(self) -> Json:
        return {"weights": self.weights.tolist()}

    @classmethod
    def from_json(cls, values: Json) -> "ClassPool":
        return cls(np.array(values["weights"], dtype=np.float64))


@dataclass(frozen=True, eq=False)
class CalibratedPool:
    """p = mean over m of softmax(slope_m log max(p_m, floor_m) + bias_m).

    slopes (M,), biases (M, C), floors (M,): every member calibrated by itself, then averaged.
    """

    kind: ClassVar[str] = "mean of calibrated members"
    slopes: Floats
    biases: Floats
    floors: Floats

    @property
    def n_parameters(self) -> int:
        return self.biases.size

    def apply(self, members: Floats) -> Floats:
        logs = np.log(np.maximum(members, self.floors[:, None, None]))
        scores = self.slopes[:, None, None] * logs + self.biases[:, None, :]
        return normalised(softmax(scores).mean(axis=0))

    def to_json(self) -> Json:
        return {
            "slopes": self.slopes.tolist(),
            "biases": self.biases.tolist(),
            "floors": self.floors.tolist(),
        }

    @classmethod
    def from_json(cls, values: Json) -> "CalibratedPool":
        slopes, biases, floors = (
            np.array(values[k], dtype=np.float64) for k in ("slopes", "biases", "floors")
        )
        return cls(slopes, biases, floors)
