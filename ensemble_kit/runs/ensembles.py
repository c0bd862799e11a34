"""What ``ensemble`` leaves: ``ensemble.json``, ``calibration.json``, ``conformal.json``, sets."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.names import parted_by
from ensemble_kit.core.records import Estimate
from ensemble_kit.runs.paths import CALIBRATION, CONFORMAL, ENSEMBLE, SETS
from ensemble_kit.runs.records import Part, Record

FittedStep = dict[str, Any]
"""A fitted step in its own plain form (kind and parameters); ``posthoc`` writes and reads it."""
Figures = dict[str, Estimate]
AGAIN = "give `ensemble` again"
SET_COLUMNS = ("image", "decision", "set")


class MemberRecord(Part):
    """One member. origin : its run folder or file. weight : None where the method has none for
    it. figures : metric -> estimate; minus_ensemble : paired. without : what leaving it out costs
    in log loss."""

    name: str
    origin: str
    weight: float | None
    figures: Figures
    minus_ensemble: Figures
    without: Estimate | None


class CandidateMethod(Part):
    """A method and a calibrator that were tried. weight : its share of the ensemble. loss : inner
    cross-fitted; behind, error : paired difference to the best and its standard error.
    parameters : numbers fitted."""

    candidate: str
    loss: float
    behind: float
    error: float
    parameters: int
    weight: float = 0.0


class BoardLine(Part):
    """Figures of the ensemble, of what it is compared with, and of each member."""

    name: str
    figures: Figures
    minus_ensemble: Figures


class OptimismLine(Part):
    """A figure judged on the rows it was fitted to, out of fold, and the difference."""

    metric: str
    in_sample: Estimate
    cross_fitted: Estimate
    difference: Estimate


Matrix = tuple[tuple[float | None, ...], ...]


class EnsembleRecord(Record):
    """The contents of ``ensemble.json``: what was chosen and why, members, optimism, the fit.

    weights_by_fold : fold -> candidate -> weight. applies_to : whose probabilities ``final`` takes.
    decided : figures of the class-weighted decision, cross-fitted; empty for the likeliest class.
    error_correlation, double_fault : (M, M) by member, None where not defined. decision, final,
    by_fold : fitted steps.
    """

    FILE: ClassVar[str] = ENSEMBLE
    REMEDY: ClassVar[str] = AGAIN

    format_version: int = 1
    method: str
    calibrator: str
    description: str
    objective: str
    class_names: tuple[str, ...]
    members: tuple[MemberRecord, ...]
    candidates: tuple[CandidateMethod, ...]
    chosen_by_fold: dict[str, str]
    board: tuple[BoardLine, ...]
    optimism: tuple[OptimismLine, ...]
    error_correlation: Matrix
    double_fault: Matrix
    decision: FittedStep
    decided: dict[str, Estimate] = Field(default_factory=dict)
    final: FittedStep
    by_fold: dict[str, FittedStep]
    weights_by_fold: dict[str, dict[str, float]] = Field(default_factory=dict)
    applies_to: str = ""


class ReliabilityBin(Part):
    """One bin of the top-1 confidence: bounds, images, mean confidence, share right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


class ReliabilityRecord(Part):
    """A reliability curve; ece : its expected calibration error."""

    ece: float
    bins: tuple[ReliabilityBin, ...]


class CalibrationRecord(Record):
    """The contents of ``calibration.json``; before : of the plain mean of the members."""

    FILE: ClassVar[str] = CALIBRATION
    REMEDY: ClassVar[str] = AGAIN

    format_version: int = 1
    method: str
    final: FittedStep
    prior_shift: FittedStep | None
    by_fold: dict[str, FittedStep]
    before: ReliabilityRecord
    after: ReliabilityRecord


class FewGroups(Part):
    """A class with too few groups for a threshold: it is in every set. n_groups : the fewest of
    the folds that made the sets."""

    class_name: str = Field(alias="class")
    n_groups: int
    groups_needed: int


class CoverageLine(Part):
    """Coverage and mean size of the sets. scope : "all", "class" or a metadata column. coverage :
    by image; by_group : of a random image of a random group."""

    scope: str
    name: str
    n_images: int
    coverage: Estimate
    size: Estimate
    by_group: Estimate | None = None


class FoldScoresPart(Part):
    """Calibration rows of one fold of cross-conformal sets. chain : the chain fitted without the
    fold, where one was fitted; labels, scores, votes : by row."""

    fold: int
    chain: FittedStep | None = None
    labels: tuple[int, ...]
    scores: tuple[float, ...]
    votes: tuple[float, ...]


class SetsFit(Part):
    """Fitted prediction sets; an infinite threshold is None. method : "threshold", with
    ``thresholds``, or "cross", with ``folds``, which stand once, for new images."""

    level: float
    score: str
    by_class: bool
    unit: str
    seed: int
    method: str = "threshold"
    thresholds: tuple[float | None, ...] = ()
    folds: tuple[FoldScoresPart, ...] = ()
    n_groups: tuple[int, ...]
    groups_needed: int


class ConformalRecord(Record):
    """The contents of ``conformal.json``. sizes : (size, images) of the sets that occur."""

    FILE: ClassVar[str] = CONFORMAL
    REMEDY: ClassVar[str] = AGAIN

    format_version: int = 1
    method: str
    level: float
    final: SetsFit
    by_fold: dict[str, SetsFit]
    without_guarantee: tuple[FewGroups, ...]
    promise: str = ""
    coverage: tuple[CoverageLine, ...]
    sizes: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class SetLine:
    """One image of ``sets.csv``. classes : its prediction set, the likeliest first."""

    image: str
    decision: str
    classes: tuple[str, ...]


def write_sets(folder: Path, class_names: Iterable[str], lines: Iterable[SetLine]) -> str:
    """Write ``sets.csv``: classes of a set separated by blanks (see ``parted_by``); its name."""
    between = parted_by(class_names)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(SET_COLUMNS)
    writer.writerows((line.image, line.decision, between.join(line.classes)) for line in lines)
    write_text(folder / SETS, text.getvalue())
    return SETS
