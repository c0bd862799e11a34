"""One member of a run for new images: its fold models, and what they are read with."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ensemble_kit.core.errors import RunError
from ensemble_kit.data.encoding import ColumnEncoder
from ensemble_kit.models import find_backbone
from ensemble_kit.models.fold_ensemble import FoldEnsemble, ModelFile, open_fold_ensemble
from ensemble_kit.posthoc.novelty import Novelty, fit_novelty
from ensemble_kit.runs.features import read_features
from ensemble_kit.runs.folder import Run, read_run_study
from ensemble_kit.runs.paths import (
    ENCODERS,
    FEATURES,
    METADATA_HEAD,
    MODEL,
    TABLE_MODEL,
    fold_folder,
)
from ensemble_kit.runs.tables import read_folds
from ensemble_kit.study import ModelSpec
from ensemble_kit.training.metadata_head import MetadataHead, read_metadata_head
from ensemble_kit.training.table_member import TableModel, read_table_model
from ensemble_kit.workflows.pieces import Input


@dataclass(frozen=True, eq=False)
class FoldSource:
    """Where one fold model and its held-out features lie. images, groups : of the held-out
    rows, in the order of ``predictions.csv``. beside : what its metadata is read with."""

    folder: Path
    file: ModelFile
    images: tuple[str, ...]
    groups: tuple[str, ...]
    features: ModelFile | None
    beside: tuple[ModelFile, ...] = ()


@dataclass(frozen=True, eq=False)
class Member:
    """The fold models of one `cv` run. columns : (C,) its class of each of the shipped run's."""

    name: str
    run: Run
    spec: ModelSpec
    depth: int
    views: int
    folds: tuple[FoldSource, ...]
    columns: tuple[int, ...]

    @property
    def sees_images(self) -> bool:
        return self.spec.inputs == "images"

    @property
    def input(self) -> Input:
        """What its networks are given of an image."""
        return Input(self.spec.image_size, self.spec.aspect, self.run.manifest.pixel_bits)

    @cached_property
    def tables(self) -> tuple[TableModel, ...]:
        """The fold models of a member that sees features or metadata; else empty."""
        return () if self.sees_images else tuple(read_table_model(f.folder) for f in self.folds)

    @cached_property
    def metadata_heads(self) -> tuple[MetadataHead, ...]:
        """What metadata adds in each fold's network; empty where none does."""
        if not (self.sees_images and self.spec.metadata):
            return ()
        return tuple(read_metadata_head(fold.folder) for fold in self.folds)

    @property
    def encoders(self) -> tuple[tuple[ColumnEncoder, ...], ...]:
        """Of each fold model; empty where the member sees no metadata."""
        heads = tuple(head.encoders for head in self.metadata_heads)
        return heads + tuple(model.encoders for model in self.tables)

    @property
    def metadata(self) -> tuple[str, ...]:
        """The columns it sees, as its run calls them."""
        return tuple(encoder.name for encoder in self.encoders[0]) if self.encoders else ()

    @cached_property
    def ensemble(self) -> FoldEnsemble:
        files = [fold.file for fold in self.folds]
        return open_fold_ensemble(files, find_backbone(self.spec.backbone), self.depth)

    @cached_property
    def novelty(self) -> tuple[Novelty, ...]:
        """One a fold model; empty where the run kept no features."""
        found = []
        for fold in self.folds:
            if fold.features is None:
                return ()
            features = read_features(fold.features.path, len(fold.images))
            found.append(fit_novelty(features, np.array(fold.groups)))
        return tuple(found)


def open_member(run: Run, name: str, repeat: int | None, classes: tuple[str, ...]) -> Member:
    """A `cv` run as a member. repeat : of this draw of folds alone. classes : of the shipped run.

    Raises RunError where a file of a fold model was not kept.
    """
    if run.manifest.kind != "cv":
        raise RunError(
            f"run {run.name!r} has no fold models: it was made by `{run.manifest.command}`"
        )
    study = read_run_study(run.folder)
    draws = read_folds(run.folder, run.manifest.class_names)[1]
    folds = []
    for r, draw in enumerate(draws):
        if repeat not in (None, r):
            continue
        for k in range(draw.n_folds):
            folder = fold_folder(run.folder, r, k)
            folds.append(_fold_source(run, study.model, folder, draw.held_out(k)))
    trained = study.training.fine_tune_epochs > 0
    place = {name.lower(): column for column, name in enumerate(run.manifest.class_names)}
    return Member(
        name=name,
        run=run,
        spec=study.model,
        depth=study.model.unfreeze_depth if trained else 0,
        views=int(run.manifest.facts.get("predict_views", 1)),
        folds=tuple(folds),
        columns=tuple(place[name.lower()] for name in classes),
    )


def _fold_source(run: Run, model: ModelSpec, folder: Path, held: np.ndarray) -> FoldSource:
    def recorded(file: str) -> ModelFile | None:
        digest = run.manifest.files.get((folder / file).relative_to(run.folder).as_posix())
        return ModelFile(folder / file, digest) if digest else None

    def needed(file: str) -> ModelFile:
        found = recorded(file)
        if found is None:
            name = (folder / file).relative_to(run.folder).as_posix()
            raise RunError(
                f"run {run.name!r} kept no {name}: predicting needs its fold models; give the "
                "`cv` command again"
            )
        return found

    of_images = model.inputs == "images"
    beside: tuple[str, ...] = () if of_images else (ENCODERS,)
    if of_images and model.metadata:
        beside = (ENCODERS, METADATA_HEAD)
    return FoldSource(
        folder,
        needed(MODEL if of_images else TABLE_MODEL),
        tuple(run.table.image_ids[held].tolist()),
        tuple(run.table.groups[held].tolist()),
        recorded(FEATURES),
        tuple(needed(file) for file in beside),
    )
