"""Calibration measures from bins, and reliability curves.

Expected calibration error: Naeini 2015, Guo 2017 (top-1), Nixon 2019 and Kull 2019 (class-wise);
its plug-in estimate is biased upwards (Bröcker 2012; Kumar 2019). Brier parts: Murphy 1973, with
the within-bin remainder (Stephenson 2008) so that the parts add up.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.metrics.cases import Cases, Figures, cell_sums

N_BINS = 15
TOP = "top-1"


@dataclass(frozen=True, eq=False)
class Binning:
    """One set of scores in bins: name, (K+1,) edges (bin k holds (edge k, edge k+1], the first
    also its lower edge), (n,) scores, outcomes 0/1 and bins."""

    name: str
    kind: str
    edges: Floats
    scores: Floats
    outcomes: Floats
    bins: Ints


def make_binning(name: str, kind: str, scores: Floats, outcomes: Floats) -> Binning:
    """Bins of equal width ("width") or of equal mass ("mass", edges at quantiles of the scores)."""
    if kind == "width":
        edges = np.linspace(0.0, 1.0, N_BINS + 1)
    else:
        known = scores if len(scores) else np.array([0.0, 1.0])
        edges = np.quantile(known, np.linspace(0.0, 1.0, N_BINS + 1))
    bins = np.clip(np.searchsorted(edges, scores, side="left") - 1, 0, N_BINS - 1)
    return Binning(name, kind, edges, scores, np.asarray(outcomes, dtype=np.float64), bins)


class ReliabilityFigures:
    """Binned calibration measures of some cases under any weights of groups.

    Called with (n_groups, B) weights it gives (B,) values by (metric, class); ``curves`` gives
    (15, B) mean scores ("predicted", class), shares ("observed", class) for the equal-width bins
    of the top-1 confidence ("top-1") and of each class. :meth:`gaps` gives the signed gaps of the
    bins that the errors are made of.
    """

    def __init__(self, cases: Cases) -> None:
        p, labels = cases.probabilities, cases.labels
        top = p.max(axis=1, initial=0.0)
        right = (cases.predicted == labels).astype(np.float64)
        self.binnings = [make_binning(TOP, kind, top, right) for kind in ("width", "mass")]
        for code, name in enumerate(cases.class_names):
            own = (labels == code).astype(np.float64)
            self.binnings += [
                make_binning(name, kind, p[:, code], own) for kind in ("width", "mass")
            ]
        if cases.has_malignant_view:
            score = np.minimum(p[:, cases.malignant].sum(axis=1), 1.0)
            truth = cases.malignant[labels].astype(np.float64)
            self.binnings += [
                make_binning(cases.view_name, kind, score, truth) for kind in ("width", "mass")
            ]
        self.names = cases.class_names
        self.sums = _stacked_sums(self.binnings, cases)
        self.squares = _squared_errors(self.binnings, cases)

    def __call__(self, weights: Floats, curves: bool = False) -> tuple[Figures, Figures]:
        shape = (len(self.binnings), 3, N_BINS, weights.shape[1])
        count, score, outcome = np.moveaxis((self.sums @ weights).reshape(shape), 1, 0)
        errors = self.squares @ weights
        with np.errstate(invalid="ignore", divide="ignore"):
            figures = self._figures(count, score, outcome, errors)
            return figures, self._curves(count, score, outcome) if curves else {}

    def gaps(self, weights: Floats) -> Figures:
        """(15, B) signed gaps by (metric, class), whose absolute sum (mce: largest) is the error;
        (15·C, B) for the class-wise errors."""
        shape = (len(self.binnings), 3, N_BINS, weights.shape[1])
        count, score, outcome = np.moveaxis((self.sums @ weights).reshape(shape), 1, 0)
        gaps = score - outcome
        total = count.sum(axis=1, keepdims=True)
        found: Figures = {}
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = gaps / total
            means = np.where(count > 0, gaps / count, np.nan)
        for place, binning in enumerate(self.binnings):
            label = "" if binning.name == TOP else binning.name
            metric = "ece" if binning.kind == "width" else "ece_equal_mass"
            found[metric, label] = shares[place]
            if binning.kind == "width":
                found["mce", label] = means[place]
        for metric in ("ece", "ece_equal_mass"):
            parts = [found[metric, name] for name in self.names]
            found[metric.replace("ece", "ece_classwise"), ""] = np.concatenate(parts) / len(parts)
        return found

    def _figures(self, count: Floats, score: Floats, outcome: Floats, errors: Floats) -> Figures:
        figures: Figures = {}
        gaps = np.abs(score - outcome)
        total = count.sum(axis=1)
        errors_by_bins = gaps.sum(axis=1) / total
        for place, binning in enumerate(self.binnings):
            label = "" if binning.name == TOP else binning.name
            metric = "ece" if binning.kind == "width" else "ece_equal_mass"
            figures[metric, label] = errors_by_bins[place]
            if binning.kind == "mass":
                continue
            largest = np.where(count[place] > 0, gaps[place] / count[place], 0.0).max(axis=0)
            figures["mce", label] = np.where(total[place] > 0, largest, np.nan)
            if label:
                parts = _brier_parts(count[place], score[place], outcome[place])
                parts["brier_within_bin"] = errors[place] / total[place] - (
                    parts["brier_reliability"]
                    - parts["brier_resolution"]
                    + parts["brier_uncertainty"]
                )
                figures |= {(name, label): values for name, values in parts.items()}
        for metric in ("ece", "ece_equal_mass"):
            over = np.stack([figures[metric, name] for name in self.names])
            figures[metric.replace("ece", "ece_classwise"), ""] = over.mean(axis=0)
        for metric in ("reliability", "resolution", "uncertainty", "within_bin"):
            over = np.stack([figures[f"brier_{metric}", name] for name in self.names])
            figures[f"brier_{metric}", ""] = over.sum(axis=0)
        return figures

    def _curves(self, count: Floats, score: Floats, outcome: Floats) -> Figures:
        curves: Figures = {}
        for place, binning in enumerate(self.binnings):
            if binning.kind == "width":
                curves["predicted", binning.name] = score[place] / count[place]
                curves["observed", binning.name] = outcome[place] / count[place]
        return curves


def _brier_parts(count: Floats, score: Floats, outcome: Floats) -> dict[str, Floats]:
    """Reliability, resolution, uncertainty of (K, B) bins; Murphy 1973."""
    total = count.sum(axis=0)
    base = outcome.sum(axis=0) / total
    filled = np.where(count > 0, count, 1.0)
    return {
        "brier_reliability": ((score - outcome) ** 2 / filled).sum(axis=0) / total,
        "brier_resolution": ((outcome - count * base) ** 2 / filled).sum(axis=0) / total,
        "brier_uncertainty": base * (1 - base),
    }


def _stacked_sums(binnings: list[Binning], cases: Cases) -> sparse.csr_array:
    """(binnings · 3 · K, G): count, sum of scores and of outcomes of every bin."""
    cells, values = [], []
    for place, binning in enumerate(binnings):
        for column, value in enumerate((np.ones(len(cases)), binning.scores, binning.outcomes)):
            cells.append((3 * place + column) * N_BINS + binning.bins)
            values.append(value)
    groups = np.tile(cases.groups, len(cells))
    n_cells = len(binnings) * 3 * N_BINS
    return cell_sums(np.concatenate(cells), n_cells, groups, cases.n_groups, np.concatenate(values))


def _squared_errors(binnings: list[Binning], cases: Cases) -> sparse.csr_array:
    """(binnings, G) sums of squared errors of the scores."""
    values = np.concatenate([(b.scores - b.outcomes) ** 2 for b in binnings])
    cells = np.repeat(np.arange(len(binnings)), len(cases))
    groups = np.tile(cases.groups, len(binnings))
    return cell_sums(cells, len(binnings), groups, cases.n_groups, values)
