"""Ensemble temperature scaling: tempered, raw and uniform probabilities in one mixture."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.posthoc.calibration.scaling import Scaling, fit_temperature
from ensemble_kit.posthoc.convex.mixture import mixture_weights
from ensemble_kit.posthoc.convex.simplex import true_class


@dataclass(frozen=True, eq=False)
class TemperedMixture:
    """w_0 softmax(t log p) + w_1 p + w_2 / C: Zhang, Kailkhura and Han 2020, "Mix-n-Match".

    tempered : the fitted temperature. weights : (3,) on the simplex. The order of the classes of
    an image is kept, so decisions for the most probable class stay.
    """

    kind: ClassVar[str] = "tempered mixture"
    tempered: Scaling
    weights: Floats
    n_parameters: int = 3

    def apply(self, probabilities: Floats) -> Floats:
        """(n, C) probabilities -> (n, C)."""
        return np.asarray(np.tensordot(self.weights, _parts(self.tempered, probabilities), axes=1))

    def to_json(self) -> dict[str, Any]:
        return {"tempered": self.tempered.to_json(), "weights": self.weights.tolist()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "TemperedMixture":
        return cls(Scaling.from_json(values["tempered"]), np.array(values["weights"]))


def fit_tempered_mixture(probabilities: Floats, labels: Ints, fold: Ints) -> TemperedMixture:
    """The temperature by log loss, then the three weights by log loss, a convex problem each."""
    tempered = fit_temperature(probabilities, labels, fold)
    parts = _parts(tempered, probabilities)
    return TemperedMixture(tempered, mixture_weights(true_class(parts, labels).T))


def _parts(tempered: Scaling, probabilities: Floats) -> Floats:
    uniform = np.full_like(probabilities, 1.0 / probabilities.shape[1])
    return np.stack([tempered.apply(probabilities), probabilities, uniform])
