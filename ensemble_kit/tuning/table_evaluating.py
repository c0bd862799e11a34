"""A study of features judged on fixed folds: fitted in this process, nothing kept on disk."""

from collections.abc import Iterator

import numpy as np

from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.models.draws import FoldSeed
from ensemble_kit.study import StudySpec
from ensemble_kit.study.space import Metric
from ensemble_kit.training.table_member import TableInputs, fit_table_model
from ensemble_kit.tuning.evaluating import FoldResult, Heard, judged


class TableEvaluator:
    """As ``Evaluator``, for rows of features; a fold of a study is fitted once.

    inputs : of all rows of the table. Rows of fold -1 are in no fold and never seen.
    """

    def __init__(self, table: ImageTable, inputs: TableInputs, metric: Metric) -> None:
        self.table, self._inputs, self._metric = table, inputs, metric
        self._known: dict[tuple[str, str, int], Predictions] = {}

    def after_each_fold(
        self, spec: StudySpec, folds: Folds, heard: Heard | None = None
    ) -> Iterator[FoldResult]:
        """The study after one fold, after two, and so on. heard : there are no epochs to hear."""
        parts = (self.predict_fold(spec, folds, fold) for fold in range(folds.n_folds))
        return judged(self.table, folds, self._metric, parts)

    def predict_fold(self, spec: StudySpec, folds: Folds, fold: int) -> Predictions:
        """What a model fitted outside one fold says of that fold."""
        key = spec.digest, folds.digest, fold
        if key not in self._known:
            train = np.flatnonzero((folds.fold != fold) & (folds.fold >= 0))
            held = np.flatnonzero(folds.held_out(fold))
            seed = FoldSeed(spec.split.seed, 0, fold)
            model = fit_table_model(self._inputs, self.table, train, spec, seed)
            p = model.probabilities(self._inputs, held)
            names = self.table.class_names
            self._known[key] = Predictions(self.table.image_ids[held], names, p)
        return self._known[key]
