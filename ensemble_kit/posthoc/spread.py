"""How much the fold models disagree about an image."""

import numpy as np

from ensemble_kit.core.records import Floats


def mutual_information(probabilities: Floats) -> Floats:
    """(n,) entropy of the mean minus mean entropy of K models' probabilities (K, n, C), in nats.

    What an image's label would tell about the models: 0 where they agree (Houlsby et al. 2011;
    Lakshminarayanan et al. 2017).
    """
    mean = probabilities.mean(axis=0)
    return np.asarray(np.maximum(_entropy(mean) - _entropy(probabilities).mean(axis=0), 0.0))


def _entropy(p: Floats) -> Floats:
    return np.asarray(-(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1))
