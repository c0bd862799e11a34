"""Intervals of calibration errors by inverting a test, and what a calibrated model would show.

A calibration error is an absolute value: noise moves it up, and near 0 it has no derivative, so
neither the percentile nor the basic bootstrap covers (Bröcker 2012; Kumar, Liang & Ma 2019). Here
the signed gaps g and their resamples g_b are kept. Were the true gaps λ·g, a sample would show
E_b(λ) = ‖λ·g + (g_b − g)‖. The interval holds λ·E for every λ ≥ 0 under which the error seen, E,
is not in a tail of E_b(λ): a test inverted along the line through the gaps seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.records import Floats

Norm = Literal["sum", "max"]
Part = tuple[Floats, Floats]
NAME = "group bootstrap, inverted test"
STEPS, WIDEST = 14, 1e4
STILL = 1e-6


@dataclass(frozen=True)
class FoldedInterval:
    """low, high : of the error. calibrated : the error that a perfectly calibrated model would
    show on these rows, in the mean, and its quantiles. p_value : share of such models that show at
    least the error seen."""

    low: float
    high: float
    calibrated: float
    calibrated_low: float
    calibrated_high: float
    p_value: float

    @property
    def note(self) -> str:
        """The sentence that stands beside the error."""
        return (
            f"a perfectly calibrated model would show {self.calibrated:.4f} on these rows; "
            f"p = {self.p_value:.3f}"
        )


def error_of(gaps: NDArray[Any], norm: Norm) -> Floats:
    """The error (B,) of signed gaps (K, B): their absolute sum, or the largest."""
    sizes = np.abs(gaps)
    return np.asarray(sizes.sum(axis=0) if norm == "sum" else sizes.max(axis=0, initial=0.0))


def largest_is_still(part: Part) -> bool:
    """Whether no resample moves the largest gap: its bin then says nothing of its own noise."""
    gaps, drawn = part
    sizes = np.abs(np.nan_to_num(gaps))
    place = int(sizes.argmax())
    moved = np.abs(drawn[place] - gaps[place])
    return bool(sizes[place] > 0 and not (np.nan_to_num(moved) > STILL).any())


def folded_interval(
    parts: Sequence[Part], level: float = 0.95, norm: Norm = "sum"
) -> FoldedInterval:
    """From the signed gaps (K,) of the rows and (K, R) of their resamples of groups.

    With several ``parts`` (the folds) the error is the mean over them. Gaps that are NaN (an empty
    bin) count as no change.
    """
    centres = [np.nan_to_num(gaps)[:, None].astype(np.float32) for gaps, _ in parts]
    noises = [np.nan_to_num((drawn - gaps[:, None]).astype(np.float32)) for gaps, drawn in parts]

    def shown(factor: float) -> Floats:
        errors = [
            error_of(np.float32(factor) * centre + noise, norm)
            for centre, noise in zip(centres, noises, strict=True)
        ]
        return np.asarray(np.mean(errors, axis=0), dtype=np.float64)

    value = float(np.mean([error_of(centre, norm)[0] for centre in centres]))
    tail = (1 - level) / 2
    calibrated = shown(0.0)
    limits = np.quantile(calibrated, [tail, 1 - tail])
    p = float((1 + (calibrated >= value).sum()) / (1 + len(calibrated)))

    def below(factor: float) -> float:
        return float((shown(factor) <= value).mean())

    mean = float(calibrated.mean())
    start = below(0.0)
    low = _crossing(below, 1 - tail) * value if start >= 1 - tail else 0.0
    high = _crossing(below, tail) * value if start > tail else mean
    return FoldedInterval(low, max(high, low), mean, float(limits[0]), float(limits[1]), p)


def _crossing(below: Callable[[float], float], share: float) -> float:
    """The factor beyond which samples show at most the error seen less often than ``share``."""
    low, high = 0.0, 1.0
    while below(high) > share and high < WIDEST:
        low, high = high, 2 * high
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) > share else (low, middle)
    return (low + high) / 2
