"""Linear probes fitted once more, to other rows: cheap, where their features are stored."""

from collections.abc import Callable

import numpy as np

from ensemble_kit.core.records import Floats, ImageTable, Ints
from ensemble_kit.models.draws import PROBE, FoldSeed
from ensemble_kit.study import StudySpec
from ensemble_kit.training.fold import class_weights
from ensemble_kit.training.head import score_shift
from ensemble_kit.training.probe import ReadFeatures, fit_probe, shifted

Predict = Callable[[Ints], Floats]
"""Rows (m,) of the table -> (m, C) probabilities."""


def refit_probe(
    read: ReadFeatures, views: int, table: ImageTable, train: Ints, spec: StudySpec, seed: FoldSeed
) -> Predict:
    """The probe that ``cv`` would keep for a fold with the training rows ``train`` (m,).

    views : of each image that are stored; those that predictions average follow from ``spec``.
    """
    labels, n_classes = table.labels.astype(np.int64), table.n_classes
    weights = class_weights(labels, train, n_classes, spec.training)[labels].astype(np.float32)
    probe = fit_probe(
        read, train, views, labels, table.group_codes, weights, n_classes, seed.generator(PROBE)
    )
    shift = score_shift(labels, train, n_classes, spec.training)
    averaged = range(spec.training.averaged_views(views))

    def predict(rows: Ints) -> Floats:
        p = np.mean([probe.probabilities(read(rows, view)) for view in averaged], axis=0)
        return shifted(np.asarray(p), shift)

    return predict
