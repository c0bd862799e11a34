"""Every figure once: its name, label, direction, digits, support, bias, and where it is shown.

A new figure is one entry in ``entries.py`` beside the function that computes it; tables of the
terminal and the page, comparisons and support rules read it here.
"""

from ensemble_kit.metrics.entries import ENTRIES
from ensemble_kit.metrics.metric import Metric, Place

METRICS: tuple[Metric, ...] = ENTRIES
OLD_NAMES = {"macro_auc": "roc_auc_ovr", "sensitivity": "recall"}
"""Names that older runs and studies hold, and what they are called now."""

NO_DIFFERENCE = "differences of calibration errors have no interval that covers: see log loss"

_BY_NAME = {metric.name: metric for metric in METRICS}


def metric_of(name: str) -> Metric | None:
    """The entry of a figure by its name, or by the name it once had; None if there is none."""
    return _BY_NAME.get(OLD_NAMES.get(name, name))


def shown_in(place: Place) -> tuple[str, ...]:
    """Names of the figures shown in a place, in the registry's order."""
    return tuple(metric.name for metric in METRICS if place in metric.shown)


def label_of(name: str) -> str:
    """The words for a figure; its name where it is unknown."""
    known = metric_of(name)
    return known.label if known else name


def bias_of(name: str) -> str:
    """ "folded", "squared" or "" (see :class:`Metric`)."""
    known = metric_of(name)
    return known.bias if known else ""
