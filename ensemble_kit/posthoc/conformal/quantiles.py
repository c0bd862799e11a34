"""Conformal quantiles when rows come in groups.

Photos of one lesion are not exchangeable with photos of another; lesions are. So the unit of the
guarantee is the group: a quantile counts groups, never rows.
"""

from typing import Literal

import numpy as np

from ensemble_kit.core.records import Floats, Ints

Unit = Literal["weighted", "drawn"]
UNITS: tuple[Unit, ...] = ("weighted", "drawn")
ROUNDING = 1e-9


def groups_needed(level: float) -> int:
    """The fewest groups whose finite quantile covers ``level``: G ≥ level / (1 - level)."""
    return int(np.ceil(level / (1.0 - level) - ROUNDING))


def group_quantile(
    scores: Floats, groups: Ints, level: float, unit: Unit = "weighted", seed: int = 0
) -> float:
    """The conformal threshold: a row of a new group scores at most this with chance ≥ ``level``.

    scores : (n,) nonconformity of the true class. groups : (n,) codes. Infinite where there are
    too few groups. unit "weighted": every group has weight 1/(G+1) shared by its rows, the rest
    at infinity (hierarchical conformal prediction: Lee, Barber and Willett 2023, eq. 8); "drawn":
    one row of each group, drawn with ``seed``, then the ordinary quantile (Dunn, Wasserman and
    Ramdas 2023).
    """
    if len(scores) == 0:
        return float(np.inf)
    weights = votes(groups, unit, seed) / (len(np.unique(groups)) + 1)
    kept = weights > 0
    scores, weights = scores[kept], weights[kept]
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order]) >= level - ROUNDING
    return float(scores[order][np.argmax(reached)]) if reached.any() else float(np.inf)


def votes(groups: Ints, unit: Unit, seed: int = 0) -> Floats:
    """(n,) each row's share of its group's vote of 1: equal, or all of it for the row drawn."""
    codes, counts = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    if unit == "weighted":
        return np.asarray(1.0 / counts[codes])
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    shares = np.zeros(len(groups))
    shares[shuffled[np.unique(codes[shuffled], return_index=True)[1]]] = 1.0
    return shares
