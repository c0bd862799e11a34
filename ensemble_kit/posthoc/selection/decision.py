"""From probabilities to one class: the likeliest, or weighted for rare classes."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ensemble_kit.core.records import Floats, Ints

POWERS = np.linspace(0.0, 1.25, 26)


@dataclass(frozen=True, eq=False)
class Decision:
    """argmax of p_c · weights_c; weights (C,) = frequency^-power, power 0 being plain argmax."""

    kind: ClassVar[str] = "class-weighted argmax"
    weights: Floats
    power: float

    def decide(self, probabilities: Floats) -> Ints:
        """(n,) class index of each row."""
        return np.asarray((probabilities * self.weights).argmax(axis=1), dtype=np.int64)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "weights": self.weights.tolist(), "power": self.power}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Decision":
        return cls(np.array(values["weights"], dtype=np.float64), float(values["power"]))


def fit_decision(probabilities: Floats, labels: Ints, objective: str) -> Decision:
    """For balanced accuracy the power that scores best on these (cross-fitted) rows; else argmax.

    With true probabilities, power 1 is Bayes-optimal for balanced accuracy; the grid allows for
    others.
    """
    n_classes = probabilities.shape[1]
    if objective != "balanced_accuracy":
        return Decision(np.ones(n_classes), 0.0)
    counts = np.bincount(labels, minlength=n_classes)
    frequency = (counts + 0.5) / (counts.sum() + 0.5 * n_classes)
    best, best_score = Decision(np.ones(n_classes), 0.0), -1.0
    for power in POWERS:
        decision = Decision(frequency**-power, float(power))
        right = np.bincount(labels, decision.decide(probabilities) == labels, n_classes)
        score = float((right[counts > 0] / counts[counts > 0]).mean())
        if score > best_score + 1e-12:
            best, best_score = decision, score
    return best
