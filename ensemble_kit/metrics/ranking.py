"""Figures that depend on the order of scores: AUC, average precision, operating ends of the ROC.

Fawcett 2006 (ROC, ties as diagonals); Hand & Till 2001 (one-vs-one); Davis & Goadrich 2006 (no
linear interpolation of precision). Average precision is scikit-learn's step sum.
"""

from itertools import combinations

import numpy as np

from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.metrics.cases import Cases, Figures
from ensemble_kit.metrics.staircase import (
    SLACK,
    Problem,
    Singles,
    Stairs,
    Walk,
    build_stairs,
    first_above,
    segment_dots,
    walk,
)

GRID = np.linspace(0.0, 1.0, 101)
MICRO, MACRO = "micro", "macro"
REQUIRED = (0.90, 0.95)
PARTIAL_FROM = 0.80


class RankingFigures:
    """Ranking figures of some cases under any weights of groups.

    Called with (n_groups, B) weights it gives (B,) values by (metric, class); ``curves`` gives
    (101, B) ROC and precision–recall values on ``GRID``. ``pairs``: with the one-vs-one AUC;
    ``micro``: with the figures of all classes' probabilities pooled.
    """

    def __init__(self, cases: Cases, *, pairs: bool = True, micro: bool = True) -> None:
        self.names = list(cases.class_names)
        self.n_classes = cases.n_classes
        p, labels, groups = cases.probabilities, cases.labels, cases.groups
        problems = [Problem(p[:, c], labels == c, groups) for c in range(self.n_classes)]
        if cases.has_malignant_view:
            self.names.append(cases.view_name)
            malignant_score = p[:, cases.malignant].sum(axis=1)
            problems.append(Problem(malignant_score, cases.malignant[labels], groups))
        if micro:
            self.names.append(MICRO)
            one_hot = labels[:, None] == np.arange(self.n_classes)
            problems.append(Problem(p.ravel(), one_hot.ravel(), np.repeat(groups, self.n_classes)))
        self.stairs = build_stairs(problems, cases.n_groups, merge_positives=False)
        self.pairs = _pair_stairs(cases) if pairs and self.n_classes > 2 else None

    @property
    def n_cells(self) -> int:
        """Rows of the largest array a replicate needs."""
        return int(self.stairs.stop[-1])

    def __call__(self, weights: Floats | Singles, curves: bool = False) -> tuple[Figures, Figures]:
        """The figures, and the curves ((101, B) by ("roc" | "pr", class); none unless asked)."""
        walked = walk(self.stairs, weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            figures = self._figures(walked)
            if self.pairs is not None:
                figures["roc_auc_ovo", ""] = _pair_auc(walk(self.pairs, weights))
            return figures, self._curves(walked) if curves else {}

    def _figures(self, walked: Walk) -> Figures:
        pairs = walked.n_up * walked.n_right
        middle = walked.high - walked.up / 2
        auc = segment_dots(walked.right, middle, walked) / pairs
        weight = walked.high + walked.far
        np.maximum(weight, SLACK, out=weight)
        np.divide(walked.high, weight, out=weight)
        precision = segment_dots(walked.up, weight, walked) / walked.n_up
        by_metric = {"roc_auc": auc, "average_precision": precision}
        by_metric["roc_auc_tpr80"] = _area_above(walked, middle, PARTIAL_FROM) / pairs
        for share in REQUIRED:
            percent = round(100 * share)
            by_metric[f"sensitivity_at_specificity_{percent}"] = _sensitivity_at(walked, 1 - share)
            by_metric[f"specificity_at_sensitivity_{percent}"] = _specificity_at(walked, share)
        figures: Figures = {}
        for metric, values in by_metric.items():
            for name, row in zip(self.names, values, strict=True):
                if name != MICRO:
                    figures[metric, name] = row
        figures["roc_auc_ovr", ""] = auc[: self.n_classes].mean(axis=0)
        figures["average_precision_macro", ""] = precision[: self.n_classes].mean(axis=0)
        if self.names[-1] == MICRO:
            figures["roc_auc_micro", ""] = auc[-1]
            figures["average_precision_micro", ""] = precision[-1]
        return figures

    def _curves(self, walked: Walk) -> Figures:
        roc, pr = _roc_on_grid(walked), _precision_on_grid(walked)
        curves: Figures = {}
        for kind, values in (("roc", roc), ("pr", pr)):
            for place, name in enumerate(self.names):
                curves[kind, name] = values[:, place]
            curves[kind, MACRO] = values[:, : self.n_classes].mean(axis=1)
        return curves


def _pair_stairs(cases: Cases) -> Stairs:
    """For each i < j the problems A(i|j) and A(j|i) of Hand & Till 2001, eq. 7."""
    p, labels = cases.probabilities, cases.labels
    problems = []
    for first, second in combinations(range(cases.n_classes), 2):
        rows = np.flatnonzero((labels == first) | (labels == second))
        for own in (first, second):
            problems.append(Problem(p[rows, own], labels[rows] == own, cases.groups[rows]))
    return build_stairs(problems, cases.n_groups, merge_positives=True)


def _pair_auc(walked: Walk) -> Floats:
    area = segment_dots(walked.right, walked.high - walked.up / 2, walked)
    return np.asarray((area / (walked.n_up * walked.n_right)).mean(axis=0))


def _at(values: Floats, cells: Ints) -> Floats:
    """(q, S, B) values (K, B) at the cells (q, S, B)."""
    columns = np.arange(values.shape[1])[None, None, :]
    return np.asarray(values[np.clip(cells, 0, len(values) - 1), columns])


def _before(walked: Walk, values: Floats, cells: Ints) -> Floats:
    """Cumulated values just before the cells; 0 at the start of a problem."""
    first = cells == walked.start[None, :, None]
    return np.where(first, 0.0, _at(values, cells - 1))


def _sensitivity_at(walked: Walk, false_rate: float) -> Floats:
    """(S, B) greatest sensitivity of a threshold whose false positive rate is at most this."""
    targets = (false_rate * walked.n_right + SLACK)[None]
    cells = first_above(walked, walked.far, targets)
    return np.asarray((_before(walked, walked.high, cells) / walked.n_up)[0])


def _specificity_at(walked: Walk, sensitivity: float) -> Floats:
    """(S, B) greatest specificity of a threshold with at least this sensitivity."""
    targets = (sensitivity * walked.n_up - SLACK)[None]
    cells = first_above(walked, walked.high, targets)
    return np.asarray((1 - _at(walked.far, cells) / walked.n_right)[0])


def _area_above(walked: Walk, middle: Floats, sensitivity: float) -> Floats:
    """(S, B) area between the ROC curve and the line TPR = ``sensitivity``, in pairs (ISIC 2024
    score: it lies in [0, 1 - sensitivity] once divided by the number of pairs). Spends ``middle``.
    """
    line = sensitivity * walked.n_up
    cells = first_above(walked, walked.high, (line - SLACK)[None])
    for place, (a, b) in enumerate(zip(walked.start, walked.stop, strict=True)):
        middle[a:b] -= line[place].astype(middle.dtype)
    np.maximum(middle, 0, out=middle)
    up, right, high, counted = (
        _at(values, cells)[0] for values in (walked.up, walked.right, walked.high, middle)
    )
    triangle = right * (high - line) ** 2 / (2 * up) - right * counted
    return np.asarray(segment_dots(walked.right, middle, walked) + triangle)


def _roc_on_grid(walked: Walk) -> Floats:
    """(101, S, B) sensitivity at the false positive rates of the grid, ties as diagonals."""
    targets = GRID[:, None, None] * walked.n_right
    cells = first_above(walked, walked.far, targets + SLACK)
    beyond = cells == walked.stop[None, :, None]
    far, high = _before(walked, walked.far, cells), _before(walked, walked.high, cells)
    width = np.where(beyond, 1.0, _at(walked.right, cells))
    rise = np.where(beyond, 0.0, _at(walked.up, cells))
    return np.asarray((high + np.maximum(targets - far, 0) / width * rise) / walked.n_up)


def _precision_on_grid(walked: Walk) -> Floats:
    """(101, S, B) precision of the strictest threshold that reaches each recall of the grid."""
    targets = np.maximum(GRID[:, None, None] * walked.n_up - SLACK, 0.0)
    cells = first_above(walked, walked.high, targets)
    high, far = _at(walked.high, cells), _at(walked.far, cells)
    return np.asarray(high / (high + far))
