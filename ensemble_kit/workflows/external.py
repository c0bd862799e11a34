"""What a validation abroad finds beyond the figures: numbers only, and ``external.json``."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.records import Bools, Estimate, Floats, ImageTable, Ints, Predictions
from ensemble_kit.metrics.bootstrap import GroupBootstrap
from ensemble_kit.posthoc.calibration.prior import estimate_prevalence
from ensemble_kit.posthoc.conformal.coverage import Coverage, coverage_table
from ensemble_kit.posthoc.convex.simplex import normalised
from ensemble_kit.posthoc.crossfit import Rows, crossfit_rows
from ensemble_kit.posthoc.drift import MetadataDrift, TwoSample
from ensemble_kit.posthoc.selection.catalogue import Candidate
from ensemble_kit.posthoc.selection.fitted import fit_candidates
from ensemble_kit.posthoc.selection.scoreboard import Line, scoreboard
from ensemble_kit.runs.external import ExternalRecord
from ensemble_kit.study import EvaluationSpec
from ensemble_kit.workflows.overlap import Overlap

PARTS = 5
RECALIBRATORS = ("temperature", "bias")


@dataclass(frozen=True)
class Prevalence:
    """One class. Shares of images: of the run, abroad as estimated without labels (EM), abroad by
    the labels. ppv, npv: expected abroad from the run's sensitivity and specificity at the
    estimated share, and as found there."""

    name: str
    internal: float
    estimated: float
    external: float
    ppv_expected: float | None
    ppv_found: float | None
    npv_expected: float | None
    npv_found: float | None


@dataclass(frozen=True, eq=False)
class External:
    """All that ``external.json`` holds."""

    internal: str
    recalibration: tuple[Line, ...]
    prevalence: tuple[Prevalence, ...]
    coverage_level: float
    coverage: tuple[Coverage, ...]
    drift: TwoSample | None
    metadata: tuple[MetadataDrift, ...]
    overlap: Overlap
    notes: tuple[str, ...] = ()

    def record(self) -> ExternalRecord:
        """As ``external.json`` holds it."""
        return ExternalRecord(
            internal=self.internal,
            recalibration=tuple(
                {
                    "name": line.name,
                    "figures": _figures(line.figures),
                    "minus_shipped": _figures(line.minus_first),
                }
                for line in self.recalibration
            ),
            prevalence=tuple(asdict(row) for row in self.prevalence),
            coverage_level=self.coverage_level,
            coverage=tuple(asdict(row) for row in self.coverage),
            drift=None if self.drift is None else asdict(self.drift),
            metadata=tuple(asdict(row) for row in self.metadata),
            overlap=self.overlap.plain(),
            notes=self.notes,
        )


def recalibrated(table: ImageTable, p: Floats, calibrator: str) -> Floats:
    """(n, C) probabilities recalibrated abroad: each row by a calibrator fitted on the groups of
    the other four parts."""
    return np.asarray(
        crossfit_rows(partial(fit_candidates, candidates=(Candidate("mean", calibrator),)),
                      rows_abroad(table, p)).output[:, 0]
    )  # fmt: skip


def rows_abroad(table: ImageTable, p: Floats) -> Rows:
    """The rows with folds of their own: groups dealt into parts by class."""
    blank = np.zeros(len(table), dtype=np.int64)
    rows = Rows(p[None], np.asarray(table.labels, np.int64), table.group_codes, blank)
    return rows.with_inner_folds(PARTS)


def recalibration(
    table: ImageTable, p: Floats, spec: EvaluationSpec, seed: int
) -> tuple[Line, ...]:
    """Figures as shipped and after each recalibration abroad, and paired differences."""
    named = [("as shipped", p)]
    named += [(f"{name}, refitted abroad", recalibrated(table, p, name)) for name in RECALIBRATORS]
    tables = [
        (name, Predictions(table.image_ids, table.class_names, normalised(q))) for name, q in named
    ]
    return scoreboard(table, tables, spec, seed)


def prevalence_shift(
    names: tuple[str, ...],
    internal: tuple[Ints, Floats],
    external: tuple[Ints, Floats],
) -> tuple[Prevalence, ...]:
    """internal, external : labels (n,) and probabilities (n, C) of each side."""
    c = len(names)
    counts = np.bincount(internal[0], minlength=c)
    source = (counts + 0.5) / (counts + 0.5).sum()
    own = counts / max(counts.sum(), 1)
    estimated = estimate_prevalence(external[1], source)
    share = np.bincount(external[0], minlength=c) / max(len(external[0]), 1)
    found = []
    for k, name in enumerate(names):
        sensitivity, specificity = _rates(internal, k)
        ppv, npv = _predictive(sensitivity, specificity, float(estimated[k]))
        said = external[1].argmax(axis=1) == k
        true = external[0] == k
        found.append(
            Prevalence(
                name, float(own[k]), float(estimated[k]), float(share[k]), ppv,
                _share(true[said]), npv, _share(~true[~said]),
            )
        )  # fmt: skip
    return tuple(found)


def coverage_abroad(
    table: ImageTable, inside: Bools, spec: EvaluationSpec, seed: int
) -> tuple[Coverage, ...]:
    """How often the shipped sets, (n, C) membership, hold the truth abroad."""
    draws = GroupBootstrap(table.n_groups, spec.replicates, seed)
    labels = np.asarray(table.labels, np.int64)
    return coverage_table(
        inside, labels, table.group_codes, table.class_names, draws, {}, spec.level
    )


def _rates(side: tuple[Ints, Floats], k: int) -> tuple[float | None, float | None]:
    said, true = side[1].argmax(axis=1) == k, side[0] == k
    return _share(said[true]), _share(~said[~true])


def _predictive(
    sensitivity: float | None, specificity: float | None, share: float
) -> tuple[float | None, float | None]:
    """PPV and NPV by Bayes' rule at a share of the class."""
    if sensitivity is None or specificity is None:
        return None, None
    tp, fp = sensitivity * share, (1 - specificity) * (1 - share)
    fn, tn = (1 - sensitivity) * share, specificity * (1 - share)
    ppv = tp / (tp + fp) if tp + fp > 0 else None
    npv = tn / (tn + fn) if tn + fn > 0 else None
    return ppv, npv


def _share(values: NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None


def _figures(figures: dict[str, Estimate]) -> dict[str, Any]:
    return {metric: asdict(estimate) for metric, estimate in figures.items()}
