"""Figures of the decisions: the confusion matrix and what is read from it, and row-mean losses.

The decision is the most probable class; in the malignant view, a summed probability of 0.5 or
more. Names are scikit-learn's. MCC: Gorodkin 2004; kappa: Cohen 1960 and 1968 (quadratic).
"""

import numpy as np

from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.metrics.cases import Cases, Figures, cell_sums
from ensemble_kit.metrics.losses import brier_losses, log_losses

TOP = (2, 3)


class DecisionFigures:
    """Decision figures and mean losses of some cases under any weights of groups.

    Called with (n_groups, B) weights it gives (B,) values by (metric, class).
    """

    def __init__(self, cases: Cases) -> None:
        self.names = cases.class_names
        self.n_classes = cases.n_classes
        self.counts = cases.sums(confusion_cells(cases), self.n_classes**2)
        self.malignant = None
        self.view_name = cases.view_name
        if cases.has_malignant_view:
            truth = cases.malignant[cases.labels].astype(np.int64)
            score = cases.probabilities[:, cases.malignant].sum(axis=1)
            self.malignant = cases.sums(2 * truth + (score >= 0.5), 4)
        self.losses = _mean_columns(cases)
        rows = np.stack([column for _, column in self.losses])
        cells = np.repeat(np.arange(len(rows)), len(cases))
        groups = np.tile(cases.groups, len(rows))
        self.sums = cell_sums(cells, len(rows), groups, cases.n_groups, rows.ravel())

    def __call__(self, weights: Floats) -> Figures:
        confusion = (self.counts @ weights).reshape(self.n_classes, self.n_classes, -1)
        with np.errstate(invalid="ignore", divide="ignore"):
            figures = confusion_figures(confusion, self.names)
            if self.malignant is not None:
                binary = (self.malignant @ weights).reshape(2, 2, -1)
                figures |= _one_class(binary, 1, self.view_name)
                figures["accuracy", self.view_name] = (binary[0, 0] + binary[1, 1]) / binary.sum(
                    (0, 1)
                )
            means = (self.sums @ weights) / confusion.sum(axis=(0, 1))
        return figures | {key: row for (key, _), row in zip(self.losses, means, strict=True)}


def confusion_cells(cases: Cases) -> Ints:
    """(n,) cell label·C + prediction of each row."""
    return cases.labels * cases.n_classes + cases.predicted


def confusion_figures(confusion: Floats, names: tuple[str, ...]) -> Figures:
    """Every figure of (C, C, B) confusion matrices (truth down, decision across)."""
    hits = np.einsum("iib->ib", confusion)
    truth, chosen = confusion.sum(axis=1), confusion.sum(axis=0)
    total = truth.sum(axis=0)
    figures: Figures = {}
    for code, name in enumerate(names):
        figures |= _one_class(confusion, code, name)
    recall = np.stack([figures["recall", name] for name in names])
    f1 = np.stack([figures["f1", name] for name in names])
    precision = np.stack([figures["precision", name] for name in names])
    figures["accuracy", ""] = hits.sum(axis=0) / total
    figures["balanced_accuracy", ""] = recall.mean(axis=0)
    with np.errstate(divide="ignore"):
        figures["g_mean", ""] = np.exp(np.log(recall).mean(axis=0))
    figures["precision_macro", ""] = precision.mean(axis=0)
    figures["f1_macro", ""] = f1.mean(axis=0)
    weighted = np.where(truth > 0, truth * f1, 0.0).sum(axis=0)
    figures["f1_weighted", ""] = weighted / total
    figures["cohen_kappa", ""] = _kappa(confusion, truth, chosen, total, power=0)
    figures["cohen_kappa_quadratic", ""] = _kappa(confusion, truth, chosen, total, power=2)
    agreement = hits.sum(axis=0) * total - (truth * chosen).sum(axis=0)
    spread = (total**2 - (truth**2).sum(axis=0)) * (total**2 - (chosen**2).sum(axis=0))
    figures["matthews_corrcoef", ""] = agreement / np.sqrt(spread)
    return figures


def _one_class(confusion: Floats, code: int, name: str) -> Figures:
    """One class against the rest."""
    tp = confusion[code, code]
    fn = confusion[code].sum(axis=0) - tp
    fp = confusion[:, code].sum(axis=0) - tp
    tn = confusion.sum(axis=(0, 1)) - tp - fn - fp
    figures = {
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "npv": tn / (tn + fn),
        "f1": np.where(tp + fn > 0, 2 * tp / (2 * tp + fn + fp), np.nan),
    }
    return {(metric, name): values for metric, values in figures.items()}


def _kappa(confusion: Floats, truth: Floats, chosen: Floats, total: Floats, power: int) -> Floats:
    codes = np.arange(len(truth))
    distance = np.abs(codes[:, None] - codes[None, :])
    cost = (distance > 0).astype(np.float64) if power == 0 else distance.astype(np.float64) ** power
    seen = np.einsum("ij,ijb->b", cost, confusion)
    expected = np.einsum("ij,ib,jb->b", cost, truth, chosen, optimize=True) / total
    return np.asarray(1 - seen / expected)


def _mean_columns(cases: Cases) -> list[tuple[tuple[str, str], Floats]]:
    """The figures that are means over rows: their keys and (n,) columns."""
    p, labels = cases.probabilities, cases.labels
    columns = [
        (("log_loss", ""), log_losses(labels, p)),
        (("brier_score", ""), brier_losses(labels, p)),
    ]
    for code, name in enumerate(cases.class_names):
        columns.append((("brier_score", name), (p[:, code] - (labels == code)) ** 2))
    if cases.has_malignant_view:
        score = p[:, cases.malignant].sum(axis=1)
        error = (score - cases.malignant[labels]) ** 2
        columns.append((("brier_score", cases.view_name), error))
    place = own_place(labels, p)
    for k in TOP:
        if k < cases.n_classes:
            columns.append(((f"top_{k}_accuracy", ""), (place < k).astype(np.float64)))
    return columns


def own_place(labels: Ints, probabilities: Floats) -> Ints:
    """(n,) how many classes are preferred to the true one; the first of several that tie wins."""
    own = probabilities[np.arange(len(labels)), labels][:, None]
    codes = np.arange(probabilities.shape[1])[None, :]
    ahead = (probabilities > own) | ((probabilities == own) & (codes < labels[:, None]))
    return np.asarray(ahead.sum(axis=1), dtype=np.int64)
