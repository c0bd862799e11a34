"""Studies written by earlier versions: old names, and what absent settings meant then."""

from collections.abc import Mapping
from typing import Any

RENAMED = {"predict_views": "test_views"}
"""Old names of training settings, which are still read."""

BEFORE: Mapping[str, Mapping[str, Any]] = {
    "training": {"head": "sgd", "logit_adjustment": 0.0, "warmup": 0.0, "fine_tuned_share": 1.0}
}
"""What was done where a run's study, written with every setting of its time, lacks these."""


def with_new_names(pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Settings under their present names; an old name beside its new one stays, to be refused."""
    present = {old: new for old, new in RENAMED.items() if new not in pairs}
    return {present.get(name, name): value for name, value in pairs.items()}


def as_done_then(values: Mapping[str, Any]) -> dict[str, Any]:
    """A run's own study with the settings that did not exist yet, as they were in effect."""
    return {
        section: {**BEFORE.get(section, {}), **pairs} if isinstance(pairs, Mapping) else pairs
        for section, pairs in values.items()
    }
