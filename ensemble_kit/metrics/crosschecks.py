"""A second opinion on the pooled AUC intervals: DeLong with clusters."""

from ensemble_kit.core.records import Bools, Estimate, Floats
from ensemble_kit.metrics.cases import Cases
from ensemble_kit.metrics.delong import delong_interval


def checks(cases: Cases, level: float) -> dict[tuple[str, str], Estimate]:
    """By (metric, class): clustered DeLong for every ``roc_auc``."""
    return {
        ("roc_auc", name): delong_interval(score, truth, cases.groups, level)
        for name, score, truth in _views(cases)
        if min(cases.groups_with[name]) >= 2
    }


def _views(cases: Cases) -> list[tuple[str, Floats, Bools]]:
    """Name, (n,) score and truth of every class and of the malignant view."""
    views = [
        (name, cases.probabilities[:, code], cases.labels == code)
        for code, name in enumerate(cases.class_names)
    ]
    if cases.has_malignant_view:
        score = cases.probabilities[:, cases.malignant].sum(axis=1)
        views.append((cases.view_name, score, cases.malignant[cases.labels]))
    return views
