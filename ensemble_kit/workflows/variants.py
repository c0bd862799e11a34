"""A study trained again from the same stores: on fractions of its groups, with leaking folds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble_kit.core.listening import Tell
from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.metrics.cases import Key
from ensemble_kit.metrics.comparison import paired_differences
from ensemble_kit.metrics.evaluation import evaluate
from ensemble_kit.models.draws import FoldSeed
from ensemble_kit.runs.folds import fold_predictions
from ensemble_kit.runs.paths import fold_folder, variant_folder
from ensemble_kit.runs.variants import Kind, VariantLine, VariantsRecord
from ensemble_kit.splits.fractions import by_image, with_fraction
from ensemble_kit.study import EvaluationSpec, StudySpec
from ensemble_kit.training.fold import read_done
from ensemble_kit.training.preparing import Prepared, fold_job
from ensemble_kit.training.workers import Workers

FIGURES: tuple[Key, ...] = (
    ("roc_auc_ovr", ""), ("balanced_accuracy", ""), ("accuracy", ""), ("log_loss", ""),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Variant:
    """Folds to train with: ``folds[k]`` is the draw of which fold k is held out."""

    kind: Kind
    share: float
    folds: tuple[Folds, ...]

    @property
    def name(self) -> str:
        return "by_image" if self.kind == "by image" else f"fraction_{self.share:g}"


def variants_of(
    table: ImageTable, folds: Folds, fractions: tuple[float, ...], leak_audit: bool, seed: int
) -> tuple[Variant, ...]:
    """What ``--fractions`` and ``--leak-audit`` ask for."""
    numbers = range(folds.n_folds)
    found = [
        Variant("fraction", share, tuple(with_fraction(table, folds, k, share, seed)
                                         for k in numbers))
        for share in fractions
    ]  # fmt: skip
    if leak_audit:
        found.append(Variant("by image", 1.0, (by_image(table, folds, seed),) * folds.n_folds))
    return tuple(found)


def train_variants(
    prepared: Prepared, spec: StudySpec, variants: tuple[Variant, ...], folder: Path,
    workers: Workers, tell: Tell,
) -> list[tuple[Variant, Predictions]]:  # fmt: skip
    """Train what is not trained yet, with the run's seeds; each variant's out-of-fold rows."""
    table = prepared.table
    futures = []
    for variant in variants:
        for k, folds in enumerate(variant.folds):
            place = fold_folder(variant_folder(folder, variant.name), 0, k)
            seed = FoldSeed(spec.split.seed, 0, k)
            job = fold_job(prepared, spec, folds, seed, place, workers, keep_model=False)
            if read_done(job.folder, job.digest) is None:
                futures.append(workers.train(job))
            else:
                tell("fold_kept", repeat=0, fold=k)
    workers.finish(futures)
    found = []
    for variant in variants:
        place = variant_folder(folder, variant.name)
        parts = [fold_predictions(fold_folder(place, 0, k)) for k in range(len(variant.folds))]
        ids = np.concatenate([part.image_ids for part in parts])
        rows = np.concatenate([part.probabilities for part in parts])
        whole = Predictions(ids, table.class_names, rows).in_order_of(table.image_ids)
        found.append((variant, whole))
    return found


def judge_variants(
    table: ImageTable, folds: Folds, own: Predictions,
    trained: list[tuple[Variant, Predictions]], spec: EvaluationSpec, seed: int,
) -> VariantsRecord:  # fmt: skip
    """Figures of the run and of each variant, and their differences in pairs of groups."""
    whole = Variant("fraction", 1.0, (folds,) * folds.n_folds)
    lines = []
    for variant, predictions in [*trained, (whole, own)]:
        alone = Folds(table.image_ids, table.groups, np.zeros(len(table), np.int64), 1)
        evaluation = evaluate(table, alone, predictions, spec, seed)
        differences = {}
        if predictions is not own:
            named = (("variant", predictions), ("run", own))
            differences = {
                d.metric: d.estimate for d in paired_differences(table, named, spec, seed, FIGURES)
            }
        groups, images = _sizes(table, variant)
        lines.append(
            VariantLine(
                kind=variant.kind,
                share=variant.share,
                n_groups=groups,
                n_images=images,
                figures={metric: evaluation.figure(metric, name) for metric, name in FIGURES},
                minus_run=differences,
            )
        )
    return VariantsRecord(lines=tuple(lines))


def _sizes(table: ImageTable, variant: Variant) -> tuple[float, float]:
    """Groups and images of a training part, mean over the folds."""
    groups, images = [], []
    for k, folds in enumerate(variant.folds):
        rows = ~folds.held_out(k) & (folds.fold >= 0)
        groups.append(len(np.unique(table.groups[rows])))
        images.append(int(rows.sum()))
    return float(np.mean(groups)), float(np.mean(images))
