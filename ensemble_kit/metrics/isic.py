"""Task 3 figures by the conventions of the official ISIC scorer (isic-challenge-scoring 5).

They differ from ours in three ways: a class is called at a probability above 0.5, a tie for the
most probable class is "undecided" and counts as wrong, and a figure without a denominator is 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ensemble_kit.core.records import Bools, Estimate, Floats, ImageTable, Ints, Predictions
from ensemble_kit.metrics.cases import Cases, make_cases
from ensemble_kit.metrics.evaluation import POOLED, Evaluation, Row
from ensemble_kit.metrics.ranking import RankingFigures

FIGURES = (
    "accuracy", "sensitivity", "specificity", "dice", "ppv", "npv", "auc", "auc_sens_80", "ap",
)  # fmt: skip


@dataclass(frozen=True)
class IsicScores:
    """per_category : class -> figure -> value (NaN where the scorer gives NaN). macro_average :
    figure -> mean over the classes that have it. balanced_accuracy : the challenge's score."""

    per_category: Mapping[str, Mapping[str, float]]
    macro_average: Mapping[str, float]
    balanced_accuracy: float


def isic_scores(cases: Cases) -> IsicScores:
    """The official scorer's Task 3 figures."""
    ranking = _ranking(cases)
    per_category = {}
    for code, name in enumerate(cases.class_names):
        truth = np.asarray(cases.labels == code)
        figures = _called(truth, np.asarray(cases.probabilities[:, code] > 0.5))
        per_category[name] = figures | {key: ranking[key, name] for key in FIGURES[6:]}
    macro = {}
    for figure in FIGURES:
        values = np.array([scores[figure] for scores in per_category.values()])
        values = values[np.isfinite(values)]
        macro[figure] = float(values.mean()) if len(values) else float("nan")
    return IsicScores(per_category, macro, _balanced_accuracy(cases.labels, cases.probabilities))


def with_isic_rows(
    evaluation: Evaluation, table: ImageTable, predictions: Predictions, raw: Floats | None = None
) -> Evaluation:
    """The evaluation with further pooled rows ``isic_…`` (values alone, without intervals).

    raw : (n, C) scores that need not sum to 1, as the scorer would be given them; default: the
    probabilities.
    """
    cases = make_cases(table, predictions)
    scores = isic_scores(cases if raw is None else replace(cases, probabilities=raw))
    named = [("", "isic_balanced_accuracy", scores.balanced_accuracy)]
    named += [("", f"isic_macro_{key}", value) for key, value in scores.macro_average.items()]
    for name, figures in scores.per_category.items():
        named += [(name, f"isic_{key}", value) for key, value in figures.items()]
    rows = [
        Row(POOLED, "", class_name, metric, _plain(value, table.n_groups))
        for class_name, metric, value in named
    ]
    return replace(evaluation, rows=(*evaluation.rows, *rows))


def _plain(value: float, n_groups: int) -> Estimate:
    finite = bool(np.isfinite(value))
    note = "" if finite else "not estimable: the class or its opposite is absent"
    return Estimate(
        value if finite else None, method="ISIC scorer's conventions", unit="image",
        n_groups=n_groups, note=note,
    )  # fmt: skip


def _called(truth: Bools, called: Bools) -> dict[str, float]:
    tp, fp = int((truth & called).sum()), int((~truth & called).sum())
    fn, tn = int((truth & ~called).sum()), int((~truth & ~called).sum())
    return {
        "accuracy": (tp + tn) / len(truth),
        "sensitivity": _or_one(tp, tp + fn),
        "specificity": _or_one(tn, tn + fp),
        "dice": _or_one(2 * tp, 2 * tp + fp + fn),
        "ppv": _or_one(tp, tp + fp),
        "npv": _or_one(tn, tn + fn),
    }


def _or_one(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _ranking(cases: Cases) -> dict[tuple[str, str], float]:
    """AUC, area under the curve where sensitivity is at least 0.8, and AP of each class."""
    figures, _ = RankingFigures(cases, pairs=False, micro=False)(np.ones((cases.n_groups, 1)))
    found = {}
    for code, name in enumerate(cases.class_names):
        found["auc", name] = float(figures["roc_auc", name][0])
        both = 0 < int((cases.labels == code).sum()) < len(cases)
        found["ap", name] = float(figures["average_precision", name][0])
        above = float(figures["roc_auc_tpr80", name][0])
        reached = _false_rate_at(cases.probabilities[:, code], cases.labels == code, 0.8)
        found["auc_sens_80", name] = above + 0.8 * (1 - reached) if both else float("nan")
    return found


def _false_rate_at(scores: Floats, positive: Bools, sensitivity: float) -> float:
    """False positive rate where the ROC curve, joined by lines, first reaches a sensitivity."""
    if positive.all() or not positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    up = np.append(0, np.cumsum(positive[order])[last]) / positive.sum()
    right = np.append(0, np.cumsum(~positive[order])[last]) / (~positive).sum()
    k = int(np.searchsorted(up, sensitivity, side="left"))
    share = (sensitivity - up[k - 1]) / (up[k] - up[k - 1])
    return float(right[k - 1] + share * (right[k] - right[k - 1]))


def _balanced_accuracy(labels: Ints, probabilities: Floats) -> float:
    top = probabilities.max(axis=1, keepdims=True)
    decided = (probabilities == top).sum(axis=1) == 1
    right = decided & (probabilities.argmax(axis=1) == labels)
    n_classes = probabilities.shape[1]
    truth = np.bincount(labels, minlength=n_classes)
    hits = np.bincount(labels[right], minlength=n_classes)
    present = truth > 0
    return float((hits[present] / truth[present]).mean())
