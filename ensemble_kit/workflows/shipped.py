"""A finished run opened for use on new images: its fold models and what was fitted after them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ensemble_kit.core.errors import RunError, count, some
from ensemble_kit.core.records import Bools, Floats
from ensemble_kit.models.fold_ensemble import FoldOutputs, check_model_files
from ensemble_kit.posthoc.conformal.cross import CrossSets
from ensemble_kit.posthoc.conformal.sets import PredictionSets, fit_sets
from ensemble_kit.posthoc.conformal.spec import SetSpec
from ensemble_kit.posthoc.convex.simplex import normalised
from ensemble_kit.posthoc.selection.decision import Decision
from ensemble_kit.runs.features import unit_rows
from ensemble_kit.runs.folder import Run, read_run
from ensemble_kit.runs.manifest import is_run, read_manifest
from ensemble_kit.runs.paths import repeat_of
from ensemble_kit.runs.tables import read_folds
from ensemble_kit.workflows.saved_ensemble import Bundle, load_ensemble
from ensemble_kit.workflows.shipped_members import Member, open_member

COVERAGE, MOST_COVERAGE = 0.9, 0.9999


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

    def keep_off(self, place: Path, option: str) -> None:
        """Raise RunError where a place to write to lies among the images of the training."""
        here, above = Path.cwd(), place.resolve().parents
        for member in self.members:
            root = Path(member.run.manifest.data_root)
            paths = [path for path in member.run.table.paths.tolist() if path]
            folders = {path.rpartition("/")[0] for path in paths}
            for folder in sorted(folders):
                found = (root / folder).absolute()
                if member.run.manifest.data_root and found in above and found not in (
                    here, *here.parents,
                ):  # fmt: skip
                    raise RunError(
                        f"{place} lies among the images that run {member.name!r} was trained on "
                        f"({found}): give {option} another place"
                    )

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


def check_sees_images_alone(shipped: Shipped) -> None:
    """Raise RunError where a member sees features or metadata, of which pixels tell nothing."""
    run = shipped.run
    check_sees_images(run)
    others = [m.name for m in shipped.members if not m.sees_images or m.spec.metadata]
    if others:
        raise RunError(
            f"run {run.name!r}: {some(others)} sees features or metadata, and an exported file "
            "takes pixels alone: use `predict` with --features and --metadata, or export a run of "
            "images"
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
    bundle: Bundle | None = None
    members: tuple[Member, ...]
    if run.manifest.kind == "cv":
        members = (open_member(run, run.name, None, run.manifest.class_names),)
    elif run.manifest.kind == "ensemble":
        bundle = load_ensemble(folder)
        members = _ensemble_members(run)
        if isinstance(bundle.sets, CrossSets):
            _check_folds(run, members)
    else:
        raise RunError(
            f"run {run.name!r} was made by `{run.manifest.command}` and has no models: predict "
            "with a run of `cv`, or an ensemble of such runs"
        )
    if fold is not None:
        members = (_one_fold(run, members, fold),)
    sources = [source for member in members for source in member.folds]
    check_model_files([source.file for source in sources])
    check_model_files([source.features for source in sources if source.features])
    check_model_files([file for source in sources for file in source.beside])
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
    if coverage is not None and not 0.5 <= coverage <= MOST_COVERAGE:
        raise RunError(f"a coverage of {coverage} cannot be promised: give 0.5 to {MOST_COVERAGE}")
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
            found.append(open_member(read_run(folder), name, repeat, run.manifest.class_names))
    if tables:
        raise RunError(
            f"run {run.name!r} has members without fold models: {some(tables)}; predict with an "
            "ensemble of `cv` runs alone, and keep their folders beside it"
        )
    return tuple(found)


def _notes(members: Sequence[Member], bundle: Bundle | None) -> tuple[str, ...]:
    n = sum(len(member.folds) for member in members)
    how = "the mean of" if bundle is None else "the mean, after the ensemble's refitted chain, of"
    notes = [f"probabilities are {how} {count(n, 'fold model')}"]
    tables = [m.name for m in members if not m.sees_images]
    if tables:
        notes.append(f"no novelty from {some(tables)}: fitted to a table, it sees no image")
    bare = [m.name for m in members if m.sees_images and any(f.features is None for f in m.folds)]
    if bare:
        notes.append(
            f"no novelty from {some(bare)}: made before fold models kept features of the images "
            "they held out"
        )
    return tuple(notes)
