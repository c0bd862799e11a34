"""What the program knows of a figure: the type of an entry of the registry."""

from dataclasses import dataclass
from typing import Literal

Place = Literal[
    "headline", "evaluate", "evaluate by class", "cv by class", "page", "page by class",
    "malignant", "calibration", "calibration by class", "members", "slices", "compared",
    "compared by class", "fold tests", "external", "external by class",
]  # fmt: skip
Rests = Literal[
    "all", "every class", "both sides", "positives", "negatives", "called", "not called", "count"
]


@dataclass(frozen=True)
class Metric:
    """One figure of ``metrics.csv``.

    name : in ``metrics.csv``. label : in tables. meaning, formula, source : on the page (source: a
        reference). better : "higher", "lower" or "" (neither). digits : decimals shown.
    least, most : ends of what the figure can be; intervals are cut there.
    rests_on : the side whose groups limit it (support.py). bias : "folded" for an absolute value
        that noise moves up (interval by inversion), "squared" for a sum of squares (reflected
        interval), else "". scale : on which its interval is symmetric, for values in (0, 1) the
        log-odds; "none": it jumps as groups are left out (a quantile), so it is resampled instead.
        shown : where.
    """

    name: str
    label: str
    meaning: str
    formula: str = ""
    source: str = ""
    better: str = "higher"
    digits: int = 3
    rests_on: Rests = "all"
    bias: Literal["", "folded", "squared"] = ""
    scale: Literal["logit", "log", "plain", "none"] = "logit"
    least: float = 0.0
    most: float = 1.0
    shown: tuple[Place, ...] = ()
