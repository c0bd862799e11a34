"""Evaluation, ensembles, and a run judged on data from elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from ensemble_kit.api.given import (
    Member,
    check_table,
    folder_of,
    named,
    place,
    several,
    whole_number,
)
from ensemble_kit.core.checked import checked
from ensemble_kit.metrics.evaluation import Evaluation
from ensemble_kit.workflows.evaluation import evaluate as _evaluate
from ensemble_kit.workflows.finished import FinishedRun, open_run


@checked
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

    whole_number("seed", seed, 0)

    settings = settings_for(
        probabilities, class_names, malignant, replicates=replicates, level=level
    )
    return _evaluate(
        probabilities, labels, groups=groups, class_names=class_names, folds=folds,
        settings=settings, seed=seed, interval=interval,
    )  # fmt: skip


@checked
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
    track: Literal["mlflow", "wandb"] | None = None,
    overwrite: bool = False,
    **settings: Any,
) -> FinishedRun:
    """Combine and calibrate out-of-fold predictions of runs and files, every step cross-fitted.

    members : runs and files of predictions. truth : labels of files that have none. align : keep
    the images that all members have. costs : CSV of classes and actions
    (docs/ensembles.md). nested_members : also judge the chain fitted to members fitted anew
    without the fold being judged. track : as in ``cross_validate``. settings : ``method``,
    ``calibrate``, ``objective``, ``prevalence``, ``set_level``, ``set_score``, ``set_scope``,
    ``set_unit``, as the options of ``cli.py ensemble`` (docs/ensembles.md).

    The run returned gives ``.oof`` (cross-fitted) and ``.apply({member: probabilities})`` for new
    images.
    """
    from ensemble_kit.progress.console import note
    from ensemble_kit.tracking.registry import open_tracking
    from ensemble_kit.workflows.ensemble import ensemble as run
    from ensemble_kit.workflows.ensemble import settings_from

    whole_number("seed", seed, 0)
    named(name)
    tracked = open_tracking(track, note)
    made = run(
        several(members), truth=None if truth is None else place(truth, "truth"), align=align,
        settings=settings_from(settings), name=name,
        runs_dir=place(runs_dir, "runs_dir"), seed=seed,
        overwrite=overwrite, costs=None if costs is None else place(costs, "costs"),
        nested_members=nested_members, store_dir=place(store_dir, "store_dir"),
    ).run  # fmt: skip
    with tracked:
        tracked.finish(made)
    return made


@checked
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

    named(name)
    check_table("features", features)
    judge(
        folder_of(run, runs_dir), place(data, "data"), place(runs_dir, "runs_dir"), name=name,
        labels_map=None if labels_map is None else place(labels_map, "labels_map"),
        allow_overlap=allow_overlap, overwrite=overwrite, features=features,
    )  # fmt: skip
    return open_run(name, runs_dir=runs_dir)
