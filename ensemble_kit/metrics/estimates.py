"""The one interval of a figure: what terminal, page, ``metrics.csv`` and ensemble board show."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ensemble_kit.core.records import Estimate, Floats
from ensemble_kit.metrics.bootstrap import (
    GroupBootstrap,
    GroupJackknife,
    Method,
    fewest_replicates,
    interval,
    too_few_replicates,
)
from ensemble_kit.metrics.cases import Cases, Figures, Key
from ensemble_kit.metrics.inversion import NAME as INVERTED
from ensemble_kit.metrics.inversion import FoldedInterval, Part, folded_interval, largest_is_still
from ensemble_kit.metrics.jackknife import (
    BLOCKS,
    UNMOVED,
    no_width_no_interval,
    rare_first,
    t_interval,
)
from ensemble_kit.metrics.registry import metric_of
from ensemble_kit.metrics.scorer import Scorer, Scores, replicate
from ensemble_kit.metrics.support import Support, support_of

SHOWN_BESIDE = ("ece", "ece_classwise", "smooth_ece")
"""Errors with rows of their own for what a calibrated model would show, and p."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """A scope's scores: of the rows as they are, of the resamples, and without each group."""

    point: Scores
    drawn: Scores
    left_out: Figures = field(default_factory=dict)

    def part(self, key: Key) -> Part:
        return self.point.gaps[key][:, 0], self.drawn.gaps[key]


def resample(
    scorers: Sequence[Scorer], cases: Cases, draws: GroupBootstrap, method: Method, width: int
) -> list[Resampled]:
    """Every scorer under the same draws of the groups of ``cases``."""
    drawn = replicate(scorers, draws, width)
    knife = GroupJackknife(cases.n_groups)
    if method == "auto":
        knife = GroupJackknife(cases.n_groups, BLOCKS, rare_first(cases))
    left: list[Figures] = [{} for _ in scorers]
    if method in ("auto", "bca") and draws.n_replicates:
        left = [scores.figures for scores in replicate(scorers, knife, width)]
    return [
        Resampled(scorer.point(), some, without)
        for scorer, some, without in zip(scorers, drawn, left, strict=True)
    ]


def estimates_of(
    cases: Cases, found: Resampled, level: float, method: Method
) -> dict[Key, Estimate]:
    """Every figure of a scope; calibration errors are followed by what stands beside them."""
    estimates: dict[Key, Estimate] = {}
    for key, value in found.point.figures.items():
        support = support_of(key, cases)
        drawn, left = found.drawn.figures.get(key), found.left_out.get(key)
        if not _is_folded(key):
            estimates[key] = estimate(key, float(value[0]), drawn, left, support, level, method)
            continue
        parts = [found.part(key)] if found.drawn.gaps else []
        estimates |= folded_estimates(key, float(value[0]), parts, support, level)
    return estimates


def estimate(
    key: Key, value: float, drawn: Floats | None, left_out: Floats | None, support: Support,
    level: float, method: Method, *, gap: bool = False,
) -> Estimate:  # fmt: skip
    """A figure that is no calibration error, from its (R,) resamples and (J,) values without
    groups (None: there are none). ``gap``: it is a difference of two such figures.

    The interval is cut at the ends of what the figure can be. One without any width has no
    interval: where no group left out changes a figure its spread is unknown, not nothing.
    """
    found = _estimate(key, value, drawn, left_out, support, level, method, gap=gap)
    if found.low is None or found.high is None:
        return found
    known = metric_of(key[0])
    found = no_width_no_interval(found)
    if known is None or gap or found.low is None or found.high is None:
        return found
    return replace(found, low=max(found.low, known.least), high=min(found.high, known.most))


def _estimate(
    key: Key, value: float, drawn: Floats | None, left_out: Floats | None, support: Support,
    level: float, method: Method, *, gap: bool,
) -> Estimate:  # fmt: skip
    known = metric_of(key[0])
    squared = known is not None and known.bias == "squared"
    kind: Method = "basic" if squared else method
    if kind == "auto":
        kind = "percentile"
    if left_out is None and kind == "bca":
        kind = "percentile"
    withheld = _withheld(value, support, level, f"group bootstrap, {kind}")
    if withheld is not None:
        return withheld
    scale = known.scale if known and not (gap and known.scale != "none") else "plain"
    if method == "auto" and not squared and scale != "none" and left_out is not None:
        return t_interval(value, left_out, support.n_groups, level, scale)
    drawn = np.empty(0) if drawn is None else drawn
    found = interval(value, drawn, level, kind, n_groups=support.n_groups, jackknife=left_out)
    return _bias_noted(found, drawn) if squared else found


STILL_WIDTH = 1e-6
"""Steps of the inverted test are no finer than this."""
STILL = (
    "no interval: the bin with the largest gap has one group, or so few that no resample moves it"
)


ABOVE = "; the value lies above its interval, since chance alone adds to it"


def folded_estimates(
    key: Key, value: float, parts: Sequence[Part], support: Support, level: float
) -> dict[Key, Estimate]:
    """A calibration error with its interval, then what a calibrated model would show, and p."""
    withheld = _withheld(value, support, level, INVERTED)
    if withheld is None and not parts:
        withheld = interval(value, np.empty(0), level, n_groups=support.n_groups)
    if withheld is not None:
        return {key: withheld}
    n = support.n_groups
    if key[0] == "mce" and any(largest_is_still(part) for part in parts):
        return {key: Estimate(value, None, None, level, INVERTED, "group", n, STILL)}
    n_drawn = min(part[1].shape[1] for part in parts)
    if n_drawn < (fewest := fewest_replicates(level)):
        why = too_few_replicates(n_drawn, level, fewest)
        return {key: Estimate(value, None, None, level, INVERTED, "group", n, why)}
    found = folded_interval(parts, level, "max" if key[0] == "mce" else "sum")
    low, high = found.low, min(found.high, 1.0)
    if high - low < STILL_WIDTH:
        return {key: Estimate(value, None, None, level, INVERTED, "group", n, UNMOVED)}
    note = found.note + (ABOVE if value > high else "")
    whole = Estimate(value, low, high, level, INVERTED, "group", n, note)
    return {key: whole} | _beside(key, found, level, n)


def _beside(key: Key, found: FoldedInterval, level: float, n: int) -> dict[Key, Estimate]:
    if key[0] not in SHOWN_BESIDE or key[1]:
        return {}
    low, high = found.calibrated_low, found.calibrated_high
    name = "group bootstrap, centred"
    return {
        (f"{key[0]}_if_calibrated", ""): Estimate(
            found.calibrated, low, high, level, name, "group", n,
            "the middle of what perfectly calibrated models would show",
        ),
        (f"{key[0]}_p", ""): Estimate(found.p_value, None, None, level, name, "group", n),
    }  # fmt: skip


def _is_folded(key: Key) -> bool:
    known = metric_of(key[0])
    return known is not None and known.bias == "folded"


def _withheld(value: float, support: Support, level: float, name: str) -> Estimate | None:
    """What stands where groups are too few for a value or an interval; None where they are not."""
    if not support.estimable:
        n, why = support.n_groups, support.reason
        return Estimate(None, None, None, level, name, "group", n, why)
    if support.has_interval:
        return None
    found = interval(value, np.empty(0), level, n_groups=support.n_groups)
    note = support.reason if found.estimable else found.note
    return replace(found, method=name, note=note)


def _bias_noted(found: Estimate, drawn: Floats) -> Estimate:
    """A sum of squares: say the bootstrap's estimate of its bias; it is never below 0, and the
    interval is widened to hold the value that it stands beside."""
    if found.value is None or found.low is None or found.high is None:
        return found
    bias = float(np.nanmean(drawn)) - found.value
    note = f"bias of this estimator, by the bootstrap: {bias:+.4f} (the interval allows for it)"
    low = max(0.0, min(found.low, found.value))
    return replace(found, low=low, high=max(found.high, found.value), note=note)
