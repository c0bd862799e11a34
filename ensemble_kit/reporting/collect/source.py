"""What the report is built from: a run, its spec, its figures and its curves."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ensemble_kit.core.errors import RunError
from ensemble_kit.data.images import find_images
from ensemble_kit.metrics.bootstrap import GroupBootstrap
from ensemble_kit.metrics.cases import Cases, make_cases
from ensemble_kit.metrics.curves import Curve
from ensemble_kit.metrics.evaluation import POOLED, Evaluation, evaluate
from ensemble_kit.metrics.scorer import Scorer
from ensemble_kit.reporting.collect.numbers import MetricRows
from ensemble_kit.runs.evaluation import has_evaluation, read_evaluation
from ensemble_kit.runs.folder import Run, read_run_study
from ensemble_kit.runs.paths import CURVES, METRICS, OOF
from ensemble_kit.study import EvaluationSpec, StudySpec

CHECKED = ("roc_auc_ovr", "balanced_accuracy", "accuracy", "log_loss")
"""Figures of the whole that are computed again from the rows before a page shows them."""
CLOSE = 1e-6


@dataclass(frozen=True, eq=False)
class ReportedRun:
    """A run with everything the parts of the report share.

    images_dir : where the image files are, if not where the run found them.
    """

    run: Run
    images_dir: Path | None = None

    @cached_property
    def files(self) -> tuple[str, Mapping[str, str]]:
        """The folder of the images, and image -> path relative to it."""
        table = self.run.table
        if self.images_dir is not None:
            return str(self.images_dir), find_images(self.images_dir)
        known = {str(i): str(p) for i, p in zip(table.image_ids, table.paths, strict=True) if p}
        return table.root, known

    @cached_property
    def study(self) -> StudySpec:
        return read_run_study(self.run.folder)

    @property
    def spec(self) -> EvaluationSpec:
        return self.study.evaluation

    @cached_property
    def cases(self) -> Cases:
        return make_cases(self.run.table, self.run.predictions, self.spec.malignant)

    @property
    def draws(self) -> GroupBootstrap:
        return GroupBootstrap(self.cases.n_groups, self.spec.replicates, self.run.manifest.seed)

    @cached_property
    def evaluation(self) -> Evaluation:
        """The figures and curves recorded with the run; computed where there are none."""
        run = self.run
        if has_evaluation(run.folder) and not {METRICS, CURVES} & set(run.changed):
            recorded = read_evaluation(run.folder)
            self._compare(recorded)
            return recorded
        return evaluate(run.table, run.folds, run.predictions, self.spec, run.manifest.seed)

    def _compare(self, recorded: Evaluation) -> None:
        """RunError where a recorded headline figure is not what the recorded rows give."""
        computed = Scorer(self.cases).point().figures
        for metric in CHECKED:
            said = recorded.find(metric)
            if said is None or (metric, "") not in computed:
                continue
            found = float(computed[metric, ""][0])
            if math.isnan(found) or (said.value is None and said.note):
                continue
            if said.value is None or not abs(said.value - found) <= CLOSE * (1 + abs(found)):
                raise RunError(
                    f"{self.run.folder / METRICS} says {metric} {said.value}, but the rows of "
                    f"{OOF} give {found:.6g}; remove {METRICS} to have the figures computed anew"
                )

    @cached_property
    def rows(self) -> MetricRows:
        return MetricRows(self.evaluation.rows)

    def curve(self, kind: str, class_name: str, scope: str = POOLED) -> Curve | None:
        return self.evaluation.curve(kind, class_name, scope)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.run.table.class_names
