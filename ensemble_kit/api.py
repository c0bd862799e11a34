"""The package's functions as a notebook or a script calls them (``import ensemble_kit as ek``).

Each calls one workflow and adds progress bars, in a terminal and in a notebook; ``progress=False``
leaves them out. All raise :class:`EnsembleKitError` for what was given wrongly.
"""

from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

from ensemble_kit.core.errors import SplitError, StudyError
from ensemble_kit.core.records import Folds, ImageTable
from ensemble_kit.metrics.evaluation import Evaluation
from ensemble_kit.splits import make_folds as _make_folds
from ensemble_kit.study import StudySpec
from ensemble_kit.workflows.evaluation import evaluate as _evaluate
from ensemble_kit.workflows.finished import FinishedRun, open_run
from ensemble_kit.workflows.inputs import Images, load_images

__all__ = [
    "cross_validate",
    "ensemble",
    "evaluate",
    "explain",
    "export",
    "load_images",
    "make_folds",
    "open_run",
    "report",
    "tune",
    "validate",
]  # fmt: skip

Member = FinishedRun | Path | str


def make_folds(images: ImageTable, folds: int = 5, seed: int = 0) -> Folds:
    """Draw folds stratified by class that never part a group.

    The result is also a scikit-learn splitter: ``.split(X, y, groups)``, ``.get_n_splits()``,
    for one row an image, in the order of ``images``. Raises SplitError where no draw has every
    class in every fold.
    """
    if not isinstance(images, ImageTable):
        raise SplitError("make_folds takes a table of images: give ensemble_kit.load_images(...)")
    _whole_number("folds", folds, 2)
    _whole_number("seed", seed, 0)
    return _make_folds(images, folds, seed)[0]


def _whole_number(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise StudyError(f"{name} = {value!r}: give a whole number from {least} on")


def _check_kinds(images: object, study: object, folds: object) -> None:
    if not (
        images is None or isinstance(images, (ImageTable, str, Path)) or hasattr(images, "table")
    ):
        raise StudyError(
            f"images are a {type(images).__name__}: give load_images(...), a folder or a table"
        )
    if not (study is None or isinstance(study, StudySpec)):
        raise StudyError(
            f"the study is a {type(study).__name__}: give Study(...) or Study.read(FILE)"
        )
    draws = [folds] if isinstance(folds, Folds) or folds is None else folds
    if not isinstance(draws, (list, tuple)) or any(
        draw is not None and not isinstance(draw, Folds) for draw in draws
    ):
        raise SplitError(
            f"the folds are a {type(folds).__name__}: give make_folds(...); their number is "
            'Study(split={"folds": K})'
        )


def _several(members: "Sequence[Member] | Member") -> Sequence[Member]:
    """A run or file by itself is a list of one."""
    return [members] if isinstance(members, (FinishedRun, Path, str)) else members


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
    metadata: Sequence[str] = (),
    progress: bool = True,
) -> FinishedRun:
    """Train a fold model for each fold and judge the images it never saw; as ``cli.py cv``. A study
    with ``members`` gives a run of each, ``name-MEMBER``, and returns their ensemble, ``name``.

    images : from :func:`load_images`, or what that reads; default: the study's data. study :
    default: every setting's default (docs/studies.md). folds : one draw, or one a repeat;
    default: drawn by the study. name : of the folder below ``runs_dir``. store_dir : decoded
    pixels and activations, shared by all runs; store_limit : GB they may take. jobs : folds
    trained at a time. fractions : shares of the groups to train on too (a learning curve), as in
    ``(0.25, 0.5, 1)``. leak_audit : also train with folds by image, to show by how much such folds
    flatter. features : file or DataFrame of features made elsewhere, in place of images. metadata :
    columns joined to the network's pooled features or to those given, or seen alone where the
    study says ``inputs="metadata"``
    (docs/members.md).

    The same call resumes a run that was interrupted, and trains nothing for a finished one. Raises
    RunError where the name belongs to a run of something else.
    """
    from ensemble_kit.progress.training import TrainingProgress
    from ensemble_kit.training.preparing import Resources
    from ensemble_kit.workflows.cross_validation import cross_validate as run
    from ensemble_kit.workflows.member_runs import cross_validate_members

    _whole_number("jobs", jobs, 1)
    _check_kinds(images, study, folds)
    if metadata:
        names = (metadata,) if isinstance(metadata, str) else tuple(metadata)
        study = (study or StudySpec()).override({"model": {"metadata": names}})
    resources = Resources(Path(store_dir), store_limit * 1e9, jobs)
    with TrainingProgress(bars=progress, quiet=not progress) as shown:
        if study is not None and study.members:
            if folds is not None or fractions or leak_audit or features is not None:
                raise StudyError(
                    "folds, fractions, leak_audit and features are of one model; a study with "
                    "members has them in its file (split.folds_file, data.features)"
                )
            return cross_validate_members(
                study, name=name or study.name, images=images, runs_dir=Path(runs_dir),
                resources=resources, overwrite=overwrite, tell=shown.tell,
            ).ensembled.run  # fmt: skip
        return run(
            images, study, folds=folds, name=name, runs_dir=Path(runs_dir), resources=resources,
            overwrite=overwrite, fractions=tuple(fractions), leak_audit=leak_audit,
            studies_dir=Path("studies"), features=features, tell=shown.tell,
        )  # fmt: skip


def evaluate(
    probabilities: Any,
    labels: Any,
    *,
    groups: Any = None,
    class_names: Sequence[str] | None = None,
    folds: Any = None,
    malignant: Sequence[str] | None = None,
    replicates: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    interval: Literal["auto", "percentile", "bca"] = "auto",
) -> Evaluation:
    """Figures with intervals for probabilities in memory; no run folder is needed.

    probabilities : (n, C) rows that sum to 1; a DataFrame (columns: classes) or an array.
    labels : (n,) names of classes, or integers that number the columns. groups : (n,) lesion or
    patient of each image, the unit that intervals resample; default: every image by itself.
    folds : (n,) fold of each image, for figures by fold. malignant : classes of the
    malignant-versus-benign view; default: those known that the data has. replicates : of the
    group bootstrap; 0 for no intervals. level : coverage of the intervals.

    Returns an ``Evaluation``: ``.to_frame()`` with one figure a row, ``.figure(metric, class)``,
    ``.curves``. Every figure's formula and source: docs/metrics.md.
    """
    from ensemble_kit.workflows.evaluation import settings_for

    settings = settings_for(
        probabilities, class_names, malignant, replicates=replicates, level=level
    )
    return _evaluate(
        probabilities, labels, groups=groups, class_names=class_names, folds=folds,
        settings=settings, seed=seed, interval=interval,
    )  # fmt: skip


def ensemble(
    members: Sequence[Member] | Member,
    *,
    name: str = "ensemble",
    truth: Path | str | None = None,
    align: bool = False,
    runs_dir: Path | str = "runs",
    seed: int = 0,
    costs: Path | str | None = None,
    nested_members: bool = False,
    store_dir: Path | str = "store",
    overwrite: bool = False,
    **settings: Any,
) -> FinishedRun:
    """Combine and calibrate out-of-fold predictions of runs and files, every step cross-fitted.

    members : runs and files of predictions. truth : labels of files that have none. align : keep
    the images that all members have. costs : CSV of classes and actions
    (docs/ensembles.md). nested_members : also judge the chain fitted to members fitted anew
    without the fold being judged. settings : ``method``, ``calibrate``, ``objective``,
    ``prevalence``, ``set_level``, ``set_score``, ``set_scope``, ``set_unit``, as the options of
    ``cli.py ensemble`` (docs/ensembles.md).

    The run returned gives ``.oof`` (cross-fitted) and ``.apply({member: probabilities})`` for new
    images.
    """
    from ensemble_kit.workflows.ensemble import ensemble as run
    from ensemble_kit.workflows.ensemble import settings_from

    return run(
        _several(members), truth=None if truth is None else Path(truth), align=align,
        settings=settings_from(settings), name=name, runs_dir=Path(runs_dir), seed=seed,
        overwrite=overwrite, costs=None if costs is None else Path(costs),
        nested_members=nested_members, store_dir=Path(store_dir),
    ).run  # fmt: skip


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
    progress: bool = True,
) -> Any:
    """Search a study's settings with Optuna; every trial on the same folds, poor ones stopped.

    study : with a search space; default: ``studies/ham10000.toml`` below the working directory.
    storage : database address shared by several workers. minutes : begin no fold after so long.
    resume : continue or join a search of this name. nested : also measure the optimism of the
    search by nested cross-validation.

    Returns a ``FinishedSearch``: ``.study`` (the best, ready for :func:`cross_validate`),
    ``.best_value``, ``.trials`` (DataFrame), ``.study_file``.
    """
    from ensemble_kit.progress.search import SearchProgress
    from ensemble_kit.training.preparing import Resources
    from ensemble_kit.workflows.inputs import default_search_study
    from ensemble_kit.workflows.search import tune as run

    study = study or default_search_study()
    resources = Resources(Path(store_dir), store_limit * 1e9, jobs)
    with SearchProgress(study, bars=progress, quiet=not progress) as shown:
        return run(
            images, study, folds=folds, trials=trials, name=name, studies_dir=Path(studies_dir),
            storage=storage, minutes=minutes, resume=resume, nested=nested, resources=resources,
            command="ek.tune(…)", tell=shown.tell,
        )  # fmt: skip


def explain(
    run: Member,
    images: int | str | Sequence[str] = 40,
    *,
    of: Literal["predicted", "true"] = "predicted",
    store_dir: Path | str = "store",
) -> Path:
    """Draw Grad-CAM maps by the fold models that never saw the images; the folder they are in."""
    from ensemble_kit.workflows.explanation import explain as draw

    return draw(run, images, of=of, store_dir=Path(store_dir)).folder


def report(
    run: Member | None = None,
    *,
    compare: Sequence[Member] | Member = (),
    external: Member | None = None,
    to: Path | str | None = None,
    images_dir: Path | str | None = None,
) -> Path:
    """Write the page of a run, one self-contained HTML file; returns its path.

    compare : runs on the same images to set beside it. external : a run on other data.
    to : default ``reports/<run>.html``. images_dir : for thumbnails, where the images have moved.
    """
    from ensemble_kit.workflows.page import report as write

    return write(
        run, compare=_several(compare), external=external, to=None if to is None else Path(to),
        images_dir=None if images_dir is None else Path(images_dir),
    ).page  # fmt: skip


def validate(
    run: Member,
    data: Path | str,
    *,
    name: str,
    labels_map: Path | str | None = None,
    runs_dir: Path | str = "runs",
    allow_overlap: bool = False,
    overwrite: bool = False,
    features: Any = None,
) -> FinishedRun:
    """Predict and judge a labelled data set from elsewhere; as ``cli.py validate``.

    labels_map : table (from, to) of classes that are called otherwise there. name : of the run
    folder of kind "external". Images, lesions or near-duplicates that were in training are
    refused, unless ``allow_overlap``. features : file or DataFrame of members that see features
    (``{member: features}`` for several); metadata is taken from the data's own columns.
    """
    from ensemble_kit.workflows.validate import validate as judge

    judge(
        _folder(run, runs_dir), Path(data), Path(runs_dir), name=name,
        labels_map=None if labels_map is None else Path(labels_map),
        allow_overlap=allow_overlap, overwrite=overwrite, features=features,
    )  # fmt: skip
    return open_run(name, runs_dir=runs_dir)


def export(
    run: Member,
    to: Path | str,
    format: str = "keras",
    *,
    coverage: float | None = None,
    quantize: str = "",
    encoded: bool = False,
    overwrite: bool = False,
) -> Path:
    """Export a run as one file that takes pixels 0..255 and gives final probabilities.

    format : keras, savedmodel, onnx, litert or openvino. ``to`` becomes a folder with the model,
    ``bundle.json``, ``predict.py`` and the card. The file is run on reference images first and
    refused where a probability differs by more than 1e-4. quantize : "int8" (onnx), within 1e-2,
    its loss out of fold in ``bundle.json``. encoded : takes JPEG bytes too (savedmodel).
    """
    from ensemble_kit.workflows.export import export as write

    write(
        _folder(run, "runs"), Path(to), format, coverage=coverage, quantize=quantize,
        encoded=encoded, overwrite=overwrite,
    )  # fmt: skip
    return Path(to)


def _folder(run: Member, runs_dir: Path | str) -> Path:
    return run.folder if isinstance(run, FinishedRun) else open_run(run, runs_dir=runs_dir).folder
