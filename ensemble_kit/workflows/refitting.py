"""Members of an ensemble that can be fitted once more without training a network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.errors import RunError, StudyError, count, some
from ensemble_kit.core.records import Folds, ImageTable, Ints, Predictions
from ensemble_kit.data.encoding import metadata_columns
from ensemble_kit.data.features import features_of, read_features, without_constant
from ensemble_kit.models.draws import FoldSeed
from ensemble_kit.runs.folder import Run, read_probe, read_run, read_run_study
from ensemble_kit.runs.tables import read_folds
from ensemble_kit.stores.activations import ActivationStore, key_in, stores_in
from ensemble_kit.study import StudySpec
from ensemble_kit.training.refits import Predict, refit_probe
from ensemble_kit.training.sources import StoredSource
from ensemble_kit.training.table_member import TableInputs, fit_table_model, join_inputs

ALIKE = 0.005
"""Most by which a probability of the first fold, fitted once more, may differ from the run's."""
WAY_OUT = (
    "nested members are fitted anew without every two folds, which is done for runs of "
    "`cv --features` or `--metadata-only` and for RUN:probe; leave the others out, or judge the "
    "ensemble on groups held out before `cv` (`validate`)"
)
Fit = Callable[[Ints, FoldSeed], Predict]
"""(training rows, seed) -> probabilities of rows."""


@dataclass(frozen=True, eq=False)
class Refit:
    """A member, its run's images and folds, and how a model of it is fitted to some rows."""

    name: str
    table: ImageTable
    folds: Folds
    predictions: Predictions
    seed: int
    fit: Fit


def prepare_refits(
    runs: Sequence[Path], probes: Sequence[Path], files: Sequence[Path], store_dir: Path
) -> tuple[Refit, ...]:
    """The members in the order of ``gather``; StudyError names those that cannot be fitted anew.

    Each first fold is fitted once more and compared with the run's own probabilities: a store,
    table or version that gives others is a RunError.
    """
    opened = [read_run(folder) for folder in runs]
    refused = [f"{run.name} ({why})" for run in opened if (why := _why_not(run))]
    refused += [f"{path.name} (a file of predictions)" for path in files]
    if refused:
        raise StudyError(f"--nested-members: {some(refused)} cannot be fitted anew; {WAY_OUT}")
    found = [_of_table(run) for run in opened]
    found += [_of_probe(read_run(folder), store_dir) for folder in probes]
    for refit in found:
        if refit.folds.n_folds < 3:
            raise StudyError(
                f"--nested-members: {refit.name} has {count(refit.folds.n_folds, 'fold')}, and "
                "without two of them nothing is left to fit to; make runs of three folds or more"
            )
        _check_first_fold(refit)
    return tuple(found)


def _why_not(run: Run) -> str:
    if run.manifest.kind != "cv":
        return f"a run of `{run.manifest.kind}`"
    if read_run_study(run.folder).model.inputs not in ("features", "metadata"):
        return "a network, whose folds would be trained K·(K − 1)/2 times more"
    draws = read_folds(run.folder, run.table.class_names, run.table.root)[1]
    return "folds drawn several times" if len(draws) > 1 else ""


def _of_table(run: Run) -> Refit:
    spec = read_run_study(run.folder)
    inputs = _inputs(run, spec)

    def fit(train: Ints, seed: FoldSeed) -> Predict:
        model = fit_table_model(inputs, run.table, train, spec, seed)
        return lambda rows: model.probabilities(inputs, rows)

    return Refit(run.name, run.table, run.folds, run.predictions, spec.split.seed, fit)


def _inputs(run: Run, spec: StudySpec) -> TableInputs:
    """Features and metadata of a run, as it read them."""
    columns = metadata_columns(run.table, spec.model.metadata)
    found = None
    if spec.model.inputs == "features":
        if not spec.data.features:
            raise StudyError(
                f"--nested-members: the features of run {run.name} were given in memory and are "
                "not kept with it; give `cv --features` a file"
            )
        source = spec.data.features
        found, _ = without_constant(features_of(run.table, read_features(source), source), source)
    inputs = join_inputs(found, columns)
    if run.manifest.facts.get("inputs_digest", inputs.digest) != inputs.digest:
        raise RunError(
            f"--nested-members: {spec.data.features or run.name} is not what run {run.name} was "
            "made from; put the file back, or make the run again"
        )
    return inputs


def _of_probe(run: Run, store_dir: Path) -> Refit:
    spec, facts = read_run_study(run.folder), run.manifest.facts
    views = int(facts.get("views", 1))
    store = _pooled(store_dir, facts.get("pixels_digest"), facts.get("weights_digest"), views)
    if store is None:
        raise StudyError(
            f"--nested-members: {store_dir} does not hold the features that {run.name}:probe was "
            "fitted to; give --store DIR, or `cv` again, which computes them"
        )
    source = StoredSource(store)

    def read(rows: Ints, view: int) -> NDArray[np.float32]:
        return np.asarray(source.seen(rows, view), np.float32)

    def fit(train: Ints, seed: FoldSeed) -> Predict:
        return refit_probe(read, views, run.table, train, spec, seed)

    predictions = read_probe(run.folder).in_order_of(run.table.image_ids)
    name, seed = f"{run.name}:probe", spec.split.seed
    return Refit(name, run.table, run.folds, predictions, seed, fit)


def _pooled(store_dir: Path, pixels: object, weights: object, views: int) -> ActivationStore | None:
    for folder in stores_in(store_dir) if store_dir.is_dir() else ():
        try:
            key = key_in(folder)
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if (key.depth, key.pixels, key.weights) != (0, pixels, weights):
            continue
        store = ActivationStore(folder, key)
        if all(store.ready(view) for view in range(views)):
            return store
    return None


def _check_first_fold(refit: Refit) -> None:
    fold = refit.folds.fold
    rows = np.flatnonzero(fold == 0)
    train = np.flatnonzero((fold != 0) & (fold >= 0))
    again = refit.fit(train, FoldSeed(refit.seed, 0, 0))(rows)
    differs = float(np.abs(again - refit.predictions.probabilities[rows]).max(initial=0.0))
    if differs > ALIKE:
        raise RunError(
            f"--nested-members: the first fold of {refit.name}, fitted once more, differs from the "
            f"run by up to {differs:.3f} in a probability: it was made otherwise than it would be "
            "now; make the run again"
        )
