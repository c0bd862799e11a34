"""A finished run opened for use on new images: its fold models and what was fitted after them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ensemble_kit.core.errors import RunError, count, some
from ensemble_kit.core.records import Bools, Floats
from ensemble_kit.models import find_backbone
from ensemble_kit.models.fold_ensemble import (
    FoldEnsemble,
    FoldOutputs,
    ModelFile,
    check_model_files,
    open_fold_ensemble,
)
from ensemble_kit.posthoc.conformal.cross import CrossSets
from ensemble_kit.posthoc.conformal.sets import PredictionSets, fit_sets
from ensemble_kit.posthoc.conformal.spec import SetSpec
from ensemble_kit.posthoc.convex.simplex import normalised
from ensemble_kit.posthoc.novelty import Novelty, fit_novelty
from ensemble_kit.posthoc.selection.decision import Decision
from ensemble_kit.runs.features import read_features, unit_rows
from ensemble_kit.runs.folder import Run, read_run, read_run_study
from ensemble_kit.runs.manifest import is_run, read_manifest
from ensemble_kit.runs.paths import FEATURES, MODEL, fold_folder, repeat_of
from ensemble_kit.runs.tables import read_folds
from ensemble_kit.study import ModelSpec
from ensemble_kit.workflows.saved_ensemble import Bundle, load_ensemble

COVERAGE = 0.9


@dataclass(frozen=True, eq=False)
class FoldSource:
    """Where one fold model and its held-out features lie. images, groups : of the held-out
    rows, in the order of ``predictions.csv``."""

    folder: Path
    file: ModelFile
    images: tuple[str, ...]
    groups: tuple[str, ...]
    features: ModelFile | None


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


@dataclass(frozen=True, eq=False)
class Shipped:
    """A run ready for new images.

    bundle : the fitted chain of an ensemble; None for a `cv` run, whose probabilities are the
    mean of its fold models. sets, decision : for the probabilities that come out.
    """

    run: Run
    members: tuple[Member, ...]
    bundle: Bundle | None
    decision: Decision
    sets: PredictionSets | CrossSets
    notes: tuple[str, ...]

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.run.manifest.class_names

    def probabilities(self, outputs: Sequence[FoldOutputs]) -> Floats:
        """(n, C) final probabilities from the fold models of each member."""
        return apply_saved_ensemble(self.bundle, self.by_member(outputs))

    def inside(self, outputs: Sequence[FoldOutputs], probabilities: Floats) -> Bools:
        """(n, C) prediction sets of the images that gave ``probabilities``.

        Cross-conformal sets compare the models of each fold, through the chain fitted without that
        fold, with the fold's own rows.
        """
        if isinstance(self.sets, PredictionSets):
            return self.sets.sets(probabilities)
        assert self.bundle is not None
        stacks = self.by_member(outputs)
        by_fold = [
            chain.apply(np.stack([stack[k] for stack in stacks]))
            for k, chain in enumerate(self.bundle.inner)
        ]
        return self.sets.sets(np.stack(by_fold), probabilities)

    def by_member(self, outputs: Sequence[FoldOutputs]) -> tuple[Floats, ...]:
        """(K, n, C) of each member, in the shipped run's classes."""
        pairs = zip(self.members, outputs, strict=True)
        return tuple(out.probabilities[:, :, list(m.columns)] for m, out in pairs)

    def percentiles(self, outputs: Sequence[FoldOutputs]) -> Floats:
        """(n,) novelty of each image, the mean over fold models; NaN where none can be told."""
        found = [
            novelty.percentile(unit_rows(features))
            for member, out in zip(self.members, outputs, strict=True)
            for novelty, features in zip(member.novelty, out.features, strict=False)
        ]
        n = outputs[0].probabilities.shape[1]
        return np.mean(found, axis=0) if found else np.full(n, np.nan)


def check_sees_images(run: Run) -> None:
    """Raise RunError for a run of `cv --features` or `--metadata-only`."""
    if run.manifest.kind == "cv" and "inputs_digest" in run.manifest.facts:
        raise RunError(
            f"run {run.name!r} was fitted to a table (features or metadata) and sees no images: "
            "give a run of a network"
        )


def apply_saved_ensemble(bundle: Bundle | None, by_member: Sequence[Floats]) -> Floats:
    """(n, C) probabilities of new images from each member's fold models (K, n, C).

    Without a bundle the mean of all fold models. With one, the chain that was fitted on all rows
    is applied to single fold models and averaged after (:meth:`Bundle.apply_folds`).
    """
    if bundle is None:
        return normalised(np.concatenate(list(by_member)).mean(axis=0))
    return bundle.apply_folds(dict(zip(bundle.members, by_member, strict=True)))


def open_shipped(
    folder: Path, *, coverage: float | None = None, fold: int | None = None
) -> Shipped:
    """Open a finished `cv` run, or an ensemble of such runs, for new images.

    coverage : of the prediction sets; by default an ensemble's own level, else 0.9. fold : use
    this fold model alone. Model files are checked against the digests of their run's manifest.
    Raises RunError for runs without models, unfinished, damaged or changed since.
    """
    run = read_run(folder)
    check_sees_images(run)
    bundle: Bundle | None = None
    members: tuple[Member, ...]
    if run.manifest.kind == "cv":
        members = (_member(run, run.name, None, run.manifest.class_names),)
    elif run.manifest.kind == "ensemble":
        bundle = load_ensemble(folder)
        members = _ensemble_members(run)
        if isinstance(bundle.sets, CrossSets):
            _check_folds(run, members)
    else:
        raise RunError(
            f"run {run.name!r} was made from tables of predictions and has no models: predict "
            "with a run of `cv`, or an ensemble of such runs"
        )
    if fold is not None:
        members = (_one_fold(run, members, fold),)
    sources = [source for member in members for source in member.folds]
    check_model_files([source.file for source in sources])
    check_model_files([source.features for source in sources if source.features])
    decision = bundle.decision if bundle else Decision(np.ones(len(run.manifest.class_names)), 0.0)
    sets, notes = _sets(run, bundle, coverage), _notes(members, bundle)
    return Shipped(run, members, bundle, decision, sets, notes)


def _check_folds(run: Run, members: Sequence[Member]) -> None:
    """Cross-conformal sets pair the ensemble's folds with the members' fold models."""
    ids, fold = run.table.image_ids, read_folds(run.folder, run.manifest.class_names)[1][0]
    own = [frozenset(ids[fold.held_out(k)].tolist()) for k in range(fold.n_folds)]
    known = frozenset(ids.tolist())
    others = [
        member.name
        for member in members
        if [known & frozenset(source.images) for source in member.folds] != own
    ]
    if others:
        raise RunError(
            f"run {run.name!r} has cross-conformal sets and other folds than its "
            f"{some(others)}: no model of theirs belongs to a fold; make the ensemble with "
            "--set-method threshold, or its members with the same folds"
        )


def _one_fold(run: Run, members: Sequence[Member], fold: int) -> Member:
    if len(members) > 1 or run.manifest.kind != "cv":
        raise RunError(f"run {run.name!r} is an ensemble: --fold belongs to a run of `cv`")
    (member,) = members
    if not 0 <= fold < len(member.folds):
        raise RunError(f"run {run.name!r} has no fold {fold}: give 0 to {len(member.folds) - 1}")
    return replace(member, folds=(member.folds[fold],))


def _sets(run: Run, bundle: Bundle | None, coverage: float | None) -> PredictionSets | CrossSets:
    """The ensemble's own sets, or ones fitted to the run's out-of-fold rows at ``coverage``."""
    if bundle is not None and coverage in (None, bundle.sets.spec.level):
        return bundle.sets
    if coverage is not None and not 0.5 <= coverage < 1:
        raise RunError(f"a coverage of {coverage} cannot be promised: give 0.5 to below 1")
    if bundle is not None and isinstance(bundle.sets, CrossSets):
        return bundle.sets.at_level(coverage or bundle.sets.spec.level)
    spec = bundle.sets.spec if bundle else SetSpec(level=COVERAGE)
    spec = replace(spec, level=coverage or spec.level)
    table = run.table
    return fit_sets(run.predictions.probabilities, table.labels, table.group_codes, spec)


def _ensemble_members(run: Run) -> tuple[Member, ...]:
    found, tables = [], []
    for name, origin in run.manifest.facts.get("members", {}).items():
        path, repeat = Path(origin), None
        if (of_draw := repeat_of(path.name)) is not None:
            path, repeat = path.parent, of_draw
        places = (path, run.folder.parent / path.name)
        folder = next((p for p in places if is_run(p)), None)
        if folder is None or read_manifest(folder).kind != "cv":
            tables.append(f"{name} ({origin})")
        else:
            found.append(_member(read_run(folder), name, repeat, run.manifest.class_names))
    if tables:
        raise RunError(
            f"run {run.name!r} has members without fold models: {some(tables)}; predict with an "
            "ensemble of `cv` runs alone, and keep their folders beside it"
        )
    return tuple(found)


def _member(run: Run, name: str, repeat: int | None, classes: tuple[str, ...]) -> Member:
    if run.manifest.kind != "cv":
        raise RunError(f"run {run.name!r} has no fold models: it was made by `{run.manifest.kind}`")
    study = read_run_study(run.folder)
    draws = read_folds(run.folder, run.manifest.class_names)[1]
    folds = []
    for r, draw in enumerate(draws):
        if repeat not in (None, r):
            continue
        for k in range(draw.n_folds):
            folds.append(_fold_source(run, fold_folder(run.folder, r, k), draw.held_out(k)))
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


def _fold_source(run: Run, folder: Path, held: np.ndarray) -> FoldSource:
    name = (folder / MODEL).relative_to(run.folder).as_posix()
    digest = run.manifest.files.get(name)
    if digest is None:
        raise RunError(
            f"run {run.name!r} kept no {name}: predicting needs its fold models; give the `cv` "
            "command again"
        )
    kept = run.manifest.files.get((folder / FEATURES).relative_to(run.folder).as_posix())
    return FoldSource(
        folder,
        ModelFile(folder / MODEL, digest),
        tuple(run.table.image_ids[held].tolist()),
        tuple(run.table.groups[held].tolist()),
        ModelFile(folder / FEATURES, kept) if kept else None,
    )


def _notes(members: Sequence[Member], bundle: Bundle | None) -> tuple[str, ...]:
    n = sum(len(member.folds) for member in members)
    how = "the mean of" if bundle is None else "the mean, after the ensemble's refitted chain, of"
    notes = [f"probabilities are {how} {count(n, 'fold model')}"]
    bare = [m.name for m in members if any(fold.features is None for fold in m.folds)]
    if bare:
        notes.append(
            f"no novelty from {some(bare)}: made before fold models kept features of the images "
            "they held out"
        )
    return tuple(notes)
