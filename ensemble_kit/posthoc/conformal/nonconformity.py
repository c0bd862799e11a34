"""How badly a class fits a row: the scores that conformal quantiles are taken of."""

from typing import Literal

import numpy as np

from ensemble_kit.core.records import Floats

Score = Literal["lac", "aps", "raps"]
SCORES: tuple[Score, ...] = ("lac", "aps", "raps")
RAPS_PENALTY, RAPS_FREE = 0.01, 2


def nonconformity(probabilities: Floats, score: Score) -> Floats:
    """(n, C) the score each class would have, were it the true one; larger fits worse.

    lac : 1 - p_c (Sadinle, Lei and Wasserman 2019); the smallest sets on average.
    aps : mass of all classes at least as likely as c (Romano, Sesia and Candès 2020), without its
        randomisation: reproducible, and a little conservative.
    raps : aps + 0.01 · max(rank_c - 2, 0), which shortens long sets (Angelopoulos et al. 2021).
    """
    if score == "lac":
        return 1.0 - probabilities
    order = np.argsort(-probabilities, axis=1, kind="stable")
    mass = np.cumsum(np.take_along_axis(probabilities, order, axis=1), axis=1)
    if score == "raps":
        rank = np.arange(1, probabilities.shape[1] + 1)
        mass = mass + RAPS_PENALTY * np.maximum(rank - RAPS_FREE, 0)
    out = np.empty_like(mass)
    np.put_along_axis(out, order, mass, axis=1)
    return out
