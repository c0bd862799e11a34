"""Precision planning: how many groups an interval of a wanted width would need."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ensemble_kit.core.records import Estimate
from ensemble_kit.metrics.evaluation import Evaluation
from ensemble_kit.metrics.support import MIN_GROUPS_INTERVAL

PLANNED = ("recall", "roc_auc")


@dataclass(frozen=True)
class PlanLine:
    """A figure of a class. n_groups : that it rests on now. needed : groups for each width, None
    where it has no interval to plan by."""

    class_name: str
    metric: str
    n_groups: int
    now: Estimate
    needed: tuple[int | None, ...]


def groups_needed(found: Estimate, width: float) -> int | None:
    """Groups of the limiting side for an interval of this width, were the figure to stay.

    Widths fall as one over the root of the groups; from an interval of ``n_groups`` groups the
    number is n·(its width / wanted)², rounded up. It is at least the number of groups with which
    a figure of 1, all groups right, gets an interval of this width (exact binomial bound), since
    no figure is known better. None where the figure has no interval. Raises ValueError for a width
    that is not above 0.
    """
    if width <= 0:
        raise ValueError(f"a width of {width} is none: give one above 0, 0.1 say")
    if found.low is None or found.high is None or found.n_groups < 1:
        return None
    least = math.log((1 - found.level) / 2) / math.log1p(-width) if width < 1 else 1.0
    root = found.n_groups * ((found.high - found.low) / width) ** 2
    return math.ceil(max(MIN_GROUPS_INTERVAL, least, root) - 1e-9)


def plan_by_class(evaluation: Evaluation, widths: Sequence[float]) -> tuple[PlanLine, ...]:
    """Recall and AUC of each class, and the groups that intervals of these widths would need."""
    lines = []
    for name in evaluation.class_names:
        for metric in PLANNED:
            try:
                now = evaluation.figure(metric, name)
            except KeyError:
                continue
            needed = tuple(groups_needed(now, width) for width in widths)
            lines.append(PlanLine(name, metric, now.n_groups, now, needed))
    return tuple(lines)
