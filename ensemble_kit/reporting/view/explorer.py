"""The operating-point explorer: how many images score in each bin, and marked points."""

from ensemble_kit.reporting.view.base import Number, Value


class MarkedPoint(Value):
    """One threshold with intervals; the image is called positive when its score ≥ threshold.

    ``odds_positive``, ``odds_negative``: intervals of the likelihood ratios LR+ and LR−, from
    which PPV and NPV at any prevalence follow (both are monotone in them); None: unbounded.
    ``spread``: variance of sensitivity, of specificity, and their covariance over replicates.
    """

    name: str
    rule: str
    threshold: float
    sensitivity: Number
    specificity: Number
    odds_positive: tuple[float | None, float | None]
    odds_negative: tuple[float | None, float | None]
    spread: tuple[float, float, float]


class Target(Value):
    """What is called positive. Counts of images whose score lies in bin i of the grid:
    ``thresholds[i] ≤ score < thresholds[i + 1]`` (the last bin is open)."""

    name: str
    kind: str
    positive: tuple[int, ...]
    negative: tuple[int, ...]
    points: tuple[MarkedPoint, ...] = ()


class Explorer(Value):
    thresholds: tuple[float, ...]
    targets: tuple[Target, ...]
