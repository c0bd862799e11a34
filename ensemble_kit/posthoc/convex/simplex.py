"""Probabilities to logarithms and back, with zeros that do no harm."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.records import Floats

SMALLEST, LARGEST_FLOOR = 1e-12, 1e-5


def log_floor(probabilities: Floats) -> float:
    """What a probability of zero is taken for in a logarithm.

    Half the smallest positive probability seen, within [1e-12, 1e-5]: a zero in a table rounded
    to seven digits means "below 5e-8", not "impossible", and must not outvote every other member.
    """
    positive = probabilities[probabilities > 0]
    least = float(positive.min(initial=1.0)) / 2
    return min(max(least, SMALLEST), LARGEST_FLOOR)


def safe_log(probabilities: Floats, floor: float = SMALLEST) -> Floats:
    """Natural logarithm of probabilities, none taken smaller than ``floor``; same shape."""
    return np.asarray(np.log(np.maximum(probabilities, floor)))


def softmax(scores: Floats) -> Floats:
    """exp(scores) normalised over the last axis; shape (…, C)."""
    z: Floats = scores - scores.max(axis=-1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=-1, keepdims=True)
    return z


def normalised(weights: Floats) -> Floats:
    """Rows over the last axis scaled to sum to 1; a row of zeros becomes uniform."""
    total = weights.sum(axis=-1, keepdims=True)
    uniform = np.full_like(weights, 1.0 / weights.shape[-1])
    return np.asarray(np.where(total > 0, weights / np.where(total > 0, total, 1.0), uniform))


def true_class(probabilities: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """(…, n) probability each row gives its label; ``probabilities`` is (…, n, C)."""
    return probabilities[..., np.arange(len(labels)), labels]


def mean_log_loss(probabilities: Floats, labels: NDArray[Any]) -> float:
    """Mean negative logarithm of the true class's probability, in nats (floored at 1e-15)."""
    return float(-np.log(np.maximum(true_class(probabilities, labels), 1e-15)).mean())
