"""Second opinions on the pooled intervals: DeLong for AUC, Wilson for proportions."""

import numpy as np

from ensemble_kit.core.records import Bools, Estimate, Floats
from ensemble_kit.metrics.cases import Cases
from ensemble_kit.metrics.delong import delong_interval, wilson_interval


def checks(cases: Cases, level: float) -> dict[tuple[str, str], Estimate]:
    """By (metric, class): clustered DeLong for every ``roc_auc``; Wilson, which takes images for
    independent, for accuracy, recall and specificity."""
    found: dict[tuple[str, str], Estimate] = {}
    right = int((cases.predicted == cases.labels).sum())
    found["accuracy", ""] = wilson_interval(right, len(cases), level)
    for name, score, truth, called in _views(cases):
        if min(cases.groups_with[name]) >= 2:
            found["roc_auc", name] = delong_interval(score, truth, cases.groups, level)
        for metric, rows, wanted in (("recall", truth, called), ("specificity", ~truth, ~called)):
            if rows.any():
                hits = int((rows & wanted).sum())
                found[metric, name] = wilson_interval(hits, int(rows.sum()), level)
    return found


def _views(cases: Cases) -> list[tuple[str, Floats, Bools, Bools]]:
    """Name, (n,) score, truth and decision of every class and of the malignant view."""
    views = []
    for code, name in enumerate(cases.class_names):
        called = np.asarray(cases.predicted == code)
        views.append((name, cases.probabilities[:, code], cases.labels == code, called))
    if cases.has_malignant_view:
        score = cases.probabilities[:, cases.malignant].sum(axis=1)
        views.append((cases.view_name, score, cases.malignant[cases.labels], score >= 0.5))
    return views
