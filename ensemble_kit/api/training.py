"""Folds, cross-validation and search."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ensemble_kit.api.given import above_zero, check_given, check_table, named, place, whole_number
from ensemble_kit.core.checked import checked
from ensemble_kit.core.errors import StudyError
from ensemble_kit.core.listening import tell_all
from ensemble_kit.core.records import Folds, ImageTable
from ensemble_kit.splits import make_folds as _make_folds
from ensemble_kit.study import StudySpec
from ensemble_kit.workflows.finished import FinishedRun
from ensemble_kit.workflows.inputs import Images

if TYPE_CHECKING:
    from ensemble_kit.workflows.search import FinishedSearch


@checked
def make_folds(images: ImageTable, folds: int = 5, seed: int = 0) -> Folds:
    """Draw folds stratified by class that never part a group.

    The result is also a scikit-learn splitter: ``.split(X, y, groups)``, ``.get_n_splits()``,
    for one row an image, in the order of ``images``. Raises SplitError where no draw has every
    class in every fold.
    """
    whole_number("folds", folds, 2)
    whole_number("seed", seed, 0)
    return _make_folds(images, folds, seed)[0]


@checked
def cross_validate(
    images: Images = None,
    study: StudySpec | None = None,
    *,
    folds: Folds | Sequence[Folds] | None = None,
    name: str | None = None,
    runs_dir: Path | str = "runs",
    store_dir: Path | str = "store",
    store_limit: float = 20.0,
    jobs: int = 1,
    fractions: Sequence[float] = (),
    leak_audit: bool = False,
    overwrite: bool = False,
    features: Any = None,
    metadata: Sequence[str] | str = (),
    track: Literal["mlflow", "wandb"] | None = None,
    progress: bool = True,
) -> FinishedRun:
    """Train a fold model for each fold and judge the images it never saw; as ``cli.py cv``. A study
    with ``members`` gives a run of each, ``name-MEMBER``, and returns their ensemble, ``name``.

    images : from ``load_images``, or what that reads; default: the study's data. study :
    default: every setting's default (docs/studies.md). folds : one draw, or one a repeat;
    default: drawn by the study. name : of the folder below ``runs_dir``. store_dir : decoded
    pixels and activations, shared by all runs; store_limit : GB they may take. jobs : folds
    trained at a time. fractions : shares of the groups to train on too (a learning curve), as in
    ``(0.25, 0.5, 1)``. leak_audit : also train with folds by image, to show by how much such folds
    flatter. features : file or DataFrame of features made elsewhere, in place of images. metadata :
    columns joined to the network's pooled features or to those given, or seen alone where the
    study says ``inputs="metadata"`` (docs/members.md). track : the tracker to copy to, on this
    machine unless its own settings name a server (docs/tracking.md).

    The same call resumes a run that was interrupted, and trains nothing for a finished one. Raises
    RunError where the name belongs to a run of something else.
    """
    from ensemble_kit.progress.console import note
    from ensemble_kit.progress.training import TrainingProgress
    from ensemble_kit.tracking.registry import open_tracking
    from ensemble_kit.training.preparing import Resources
    from ensemble_kit.workflows.cross_validation import cross_validate as run
    from ensemble_kit.workflows.member_runs import cross_validate_members

    whole_number("jobs", jobs, 1)
    above_zero("store_limit", store_limit)
    named(name)
    check_table("features", features)
    check_given(images, folds)
    if metadata:
        names = (metadata,) if isinstance(metadata, str) else tuple(metadata)
        study = (study or StudySpec()).override({"model": {"metadata": names}})
    resources = Resources(place(store_dir, "store_dir"), store_limit * 1e9, jobs)
    with (
        open_tracking(track, note) as tracked,
        TrainingProgress(bars=progress, quiet=not progress) as shown,
    ):
        tell = tell_all(shown.tell, tracked.tell)
        if study is not None and study.members:
            if folds is not None or fractions or leak_audit or features is not None:
                raise StudyError(
                    "folds, fractions, leak_audit and features are of one model; a study with "
                    "members has them in its file (split.folds_file, data.features)"
                )
            done = cross_validate_members(
                study, name=name or study.name, images=images, runs_dir=place(runs_dir, "runs_dir"),
                resources=resources, overwrite=overwrite, tell=tell,
            )  # fmt: skip
            for made in (*done.members, done.ensembled.run):
                tracked.finish(made)
            return done.ensembled.run
        trained = run(
            images, study, folds=folds, name=name,
            runs_dir=place(runs_dir, "runs_dir"), resources=resources,
            overwrite=overwrite, fractions=tuple(fractions), leak_audit=leak_audit,
            studies_dir=Path("studies"), features=features, tell=tell,
        )  # fmt: skip
        tracked.finish(trained)
        return trained


@checked
def tune(
    images: Images = None,
    study: StudySpec | None = None,
    *,
    trials: int | None = None,
    folds: Folds | None = None,
    name: str | None = None,
    studies_dir: Path | str = "studies",
    store_dir: Path | str = "store",
    store_limit: float = 20.0,
    storage: str = "",
    minutes: float | None = None,
    jobs: int = 1,
    resume: bool = False,
    nested: bool = False,
    features: Any = None,
    track: Literal["mlflow", "wandb"] | None = None,
    progress: bool = True,
) -> "FinishedSearch":
    """Search a study's settings with Optuna; every trial on the same folds, poor ones stopped.

    study : with a search space; default: ``studies/ham10000.toml`` below the working directory, of
    features the package's own. features : file or DataFrame of features made elsewhere, in place
    of images: their head is searched.
    storage : database address shared by several workers. minutes : begin no fold after so long.
    resume : continue or join a search of this name. nested : also measure the optimism of the
    search by nested cross-validation. track : as in ``cross_validate``.

    Returns a ``FinishedSearch``: ``.study`` (the best, ready for ``cross_validate``),
    ``.best_value``, ``.trials`` (DataFrame), ``.study_file``.
    """
    from ensemble_kit.progress.console import note
    from ensemble_kit.progress.search import SearchProgress
    from ensemble_kit.tracking.registry import open_tracking
    from ensemble_kit.training.preparing import Resources
    from ensemble_kit.workflows.inputs import default_search_study
    from ensemble_kit.workflows.search import tune as run

    whole_number("jobs", jobs, 1)
    for what, number in (("store_limit", store_limit), ("minutes", minutes), ("trials", trials)):
        above_zero(what, number)
    named(name)
    check_table("features", features)
    study = study or default_search_study(of_features=features is not None)
    resources = Resources(place(store_dir, "store_dir"), store_limit * 1e9, jobs)
    with (
        open_tracking(track, note) as tracked,
        SearchProgress(study, bars=progress, quiet=not progress) as shown,
    ):
        found = run(
            images, study, folds=folds, trials=trials, name=name,
            studies_dir=place(studies_dir, "studies_dir"),
            storage=storage, minutes=minutes, resume=resume, nested=nested, resources=resources,
            features=features, command="ek.tune(…)", tell=tell_all(shown.tell, tracked.tell),
        )  # fmt: skip
        tracked.finish_search(found)
        return found
