"""The rows that prediction sets are compared on."""

import numpy as np


def rows(n: int, seed: int):
    """(n, 4) probabilities and (n,) labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, 4)) + np.array([1.5, 0.5, 0, -0.5])
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (p.cumsum(axis=1) < rng.uniform(size=(n, 1))).sum(axis=1)
    return p, labels
