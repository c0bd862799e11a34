"""One fold from job to files: train, predict the rows it never saw, save, declare it done."""

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from ensemble_kit.core.atomic import sha256_of_file
from ensemble_kit.core.disk import make_folder, writing
from ensemble_kit.core.errors import RunError
from ensemble_kit.core.machine import cores, peak_memory, processor
from ensemble_kit.core.records import Floats, Ints, Predictions
from ensemble_kit.runs.features import write_features
from ensemble_kit.runs.folds import (
    EpochRecord,
    FoldDone,
    read_history,
    write_fold_predictions,
    write_fold_probe,
    write_history,
)
from ensemble_kit.runs.paths import (
    FEATURES,
    MODEL,
    TENSORBOARD,
    WITHOUT_METADATA,
    scratch_files,
    scratch_model,
    scratch_weights,
)
from ensemble_kit.runs.paths import (
    PROBE as PROBE_ROWS,
)
from ensemble_kit.study import TrainingSpec
from ensemble_kit.training.events import Event, EventLog
from ensemble_kit.training.head import score_shift
from ensemble_kit.training.jobs import FoldJob, unpacked
from ensemble_kit.training.model_cache import ModelCache, open_model_cache
from ensemble_kit.training.phases import (
    FoldRows,
    PhasePlan,
    average_weights,
    pooled_features,
    predict,
    run_phase,
    weights_of,
)
from ensemble_kit.training.probe import shifted
from ensemble_kit.training.solving import Solved, pixel_source, solve_fold, stored_at
from ensemble_kit.training.sources import Source, StoredSource
from ensemble_kit.training.speeds import remember

EPOCH_FIGURES = ("loss", "val_loss", "val_accuracy", "val_auc")


class FoldCancelled(Exception):
    """Training was stopped on request: the job's stop file appeared."""


def train_fold(job: FoldJob) -> FoldDone:
    """Train a fold and write ``model.keras``, ``history.csv``, ``predictions.csv``, ``done.json``.

    Runs in a worker. The same job gives the same predictions to the byte on a CPU, whatever the
    worker did before.
    """
    began = time.perf_counter()
    if job.stop is not None and job.stop.exists():
        raise FoldCancelled
    log = EventLog(job.events)
    log.emit("fold_started", repeat=job.seed.repeat, fold=job.seed.fold)
    cache = open_model_cache(job.spec, job.weights, len(job.class_names), job.threads)
    make_folder(job.folder)
    began_in = job.folder.stat().st_ino
    rows = _rows(job)
    cache.staged.reset(job.seed)
    history: list[EpochRecord] = []

    def told(record: EpochRecord) -> None:
        place = {"fold": job.seed.fold, "repeat": job.seed.repeat, "job": job.digest}
        facts: dict[str, Any] = asdict(record) | place
        log.emit("epoch", **facts)
        if job.stop is not None and job.stop.exists():
            raise FoldCancelled

    training, views = job.spec.training, job.spec.training.averaged_views(job.views)
    scratch = scratch_weights(job.folder, os.getpid())
    board = job.folder / TENSORBOARD if job.tensorboard else None
    for left in scratch_files(job.folder):
        left.unlink()
    model, source = _head(job, cache)
    solved = None
    if job.metadata or training.head == "probe" or (
        job.keep_model and stored_at(job, 0) is not None
    ):  # fmt: skip
        solved = solve_fold(job, cache, rows, views)
        rows = solved.rows
    if training.head == "probe" and solved is not None:
        cache.staged.set_head(solved.kernel, solved.bias)
        history.append(solved.record)
        told(solved.record)
    else:
        plan = PhasePlan("head", training.head_epochs, training.head_lr, job.views, training)
        history += run_phase(
            model, source, rows, plan, job.seed, scratch, tensorboard=board, on_epoch=told
        )
    if job.spec.model.unfreeze_depth and job.spec.training.fine_tune_epochs:
        model, source = _fine_tune(job, cache)
        plan = PhasePlan("fine_tune", job.spec.training.fine_tune_epochs,
                         job.spec.training.fine_tune_lr, job.views, job.spec.training,
                         _best(history))  # fmt: skip
        began_with = weights_of(model)
        history += run_phase(
            model, source, rows, plan, job.seed, scratch, tensorboard=board, on_epoch=told
        )
        average_weights(model, began_with, job.spec.training.fine_tuned_share)
    shift = score_shift(job.labels, job.train, len(job.class_names), training)
    cache.staged.shift_scores(shift)
    own = [predict(model, source, job.held, view) for view in range(views)]
    by_view = own
    if rows.shifts is not None:
        by_view = [shifted(p, rows.shifts[job.held]) for p in own]
    pooled = pooled_features(_to_pooled(cache, source), source, job.held)
    if not job.folder.is_dir() or job.folder.stat().st_ino != began_in:
        raise RunError(f"{job.folder} was replaced while its fold was trained (--overwrite?)")
    return _finish(job, cache, history, Held(by_view, own[0], pooled, shift, solved), began)


@dataclass(frozen=True, eq=False)
class Held:
    """What is known of a fold's held-out rows. by_view : probabilities (m, C), metadata counted;
    network : the saved network's own, identity view. shift : (C,) of the scores of all rows."""

    by_view: list[Floats]
    network: Floats
    pooled: NDArray[np.float32]
    shift: Floats
    solved: Solved | None


def train_once(job: FoldJob) -> FoldDone:
    """Train a fold unless another worker just has; runs in a worker.

    Several may be given the same fold: a search's workers that draw the same point, or one that a
    driver left at work when it was killed. The second waits and finds the fold done.
    """
    make_folder(job.folder)
    with FileLock(job.folder / ".lock"):
        done = read_done(job.folder, job.digest)
        return train_fold(unpacked(job)) if done is None else done


def read_done(folder: Path, digest: str) -> FoldDone | None:
    """The record of a finished fold; None if it is not finished or its files are not whole.

    A fold finished from another study, data set or split is a RunError.
    """
    try:
        done = FoldDone.find(folder)
    except RunError:
        return None
    if done is None or not done.whole(folder):
        return None
    if done.digest != digest:
        raise RunError(
            f"{folder} was trained from other pixels, weights or settings than it would be now; "
            "give --overwrite to start again or --run NAME for another run"
        )
    return done


def check_whole(folder: Path, done: FoldDone) -> None:
    """RunError where a fold's files are not those of its record: another process wrote there."""
    if not done.whole(folder):
        raise RunError(
            f"{folder} was written by another process too, such as a worker of a command that was "
            "killed; give the command again"
        )


def fold_epochs(job: FoldJob) -> list[Event]:
    """The epochs of a finished fold as the events that were told of them."""
    place = {"kind": "epoch", "fold": job.seed.fold, "repeat": job.seed.repeat, "job": job.digest}
    return [
        place
        | {"phase": record.phase, "epoch": record.epoch}
        | {name: getattr(record, name) for name in EPOCH_FIGURES}
        for record in read_history(job.folder)
    ]


def class_weights(labels: Ints, train: Ints, n_classes: int, spec: TrainingSpec) -> Floats:
    """(C,) weight of each class: frequency to the power -p, mean weight of training rows 1."""
    if spec.class_weights == "none":
        return np.ones(n_classes)
    power = 1.0 if spec.class_weights == "balanced" else float(spec.class_weights)
    counts = np.bincount(labels[train], minlength=n_classes).astype(np.float64)
    weights = np.where(counts > 0, np.maximum(counts, 1.0), np.inf) ** -power
    return np.asarray(weights * counts.sum() / (weights * counts).sum())


def _rows(job: FoldJob) -> FoldRows:
    n_classes = len(job.class_names)
    weights = class_weights(job.labels, job.train, n_classes, job.spec.training)
    targets = np.eye(n_classes, dtype=np.float32)[job.labels]
    return FoldRows(
        job.train, job.stopping_rows, job.labels, targets, weights[job.labels].astype(np.float32)
    )


def _head(job: FoldJob, cache: ModelCache) -> tuple[Any, Source]:
    cache.staged.freeze(train_tail=False)
    stored = stored_at(job, 0)
    if stored is None:
        return cache.compiled("frozen_whole"), pixel_source(job)
    return cache.compiled("head"), stored


def _fine_tune(job: FoldJob, cache: ModelCache) -> tuple[Any, Source]:
    cache.staged.freeze(train_tail=True)
    stored = stored_at(job, job.spec.model.unfreeze_depth)
    if stored is None:
        return cache.compiled("tuned_whole"), pixel_source(job)
    return cache.compiled("suffix"), stored


def _to_pooled(cache: ModelCache, source: Source) -> Any:
    """The part of the network from a source's rows to pooled features; None if they are these."""
    if not isinstance(source, StoredSource):
        return cache.staged.pooled
    depth = source.store.key.depth
    return cache.staged.onward(depth, (0,)) if depth else None


def _best(history: list[EpochRecord]) -> float | None:
    losses = [record.val_loss for record in history if record.val_loss is not None]
    return min(losses) if losses else None


def _finish(
    job: FoldJob,
    cache: ModelCache,
    history: list[EpochRecord],
    found: Held,
    began: float,
) -> FoldDone:
    training_seconds = time.perf_counter() - began
    mean, solved = _held(job, np.mean(found.by_view, axis=0)), found.solved
    other = len(found.by_view) > 1 or bool(job.metadata)
    identity = _held(job, found.network) if other else None
    names = [
        write_history(job.folder, history),
        *write_fold_predictions(job.folder, mean, identity),
    ]
    for name, by_view in ((PROBE_ROWS, solved.probe), (WITHOUT_METADATA, solved.without)) if (
        solved
    ) else ():  # fmt: skip
        if by_view:
            p = np.mean([shifted(p, found.shift) for p in by_view], axis=0)
            names.append(write_fold_probe(job.folder, _held(job, p), name))
    if job.keep_model and solved is not None and solved.metadata is not None:
        names += solved.metadata.write(job.folder)
    if job.keep_model:
        write_features(job.folder / FEATURES, found.pooled)
        names.append(FEATURES)
        temporary = scratch_model(job.folder, os.getpid())
        try:
            with writing(job.folder / MODEL):
                cache.staged.whole.save(temporary)
                temporary.replace(job.folder / MODEL)
        finally:
            temporary.unlink(missing_ok=True)
        names.append(MODEL)
    phases: tuple[Literal["head", "fine_tune"], ...] = ("head", "fine_tune")
    of_phase = {p: [r for r in history if r.phase == p] for p in phases}
    seconds = {p: sum(r.seconds for r in records) for p, records in of_phase.items()}
    done = FoldDone(
        digest=job.digest,
        repeat=job.seed.repeat,
        fold=job.seed.fold,
        epochs={p: len(records) for p, records in of_phase.items()},
        seconds=seconds | {"training": training_seconds, "all": time.perf_counter() - began},
        images_per_second={
            p: len(records) * len(job.train) / seconds[p]
            for p, records in of_phase.items()
            if records
        },
        peak_memory=peak_memory(),
        device=cache.device.facts() | {"processor": processor()},
        files={name: sha256_of_file(job.folder / name) for name in names},
    )
    done.write(job.folder)
    _remember_rates(job, done)
    EventLog(job.events).emit("fold_done", repeat=job.seed.repeat, fold=job.seed.fold)
    return done


def _remember_rates(job: FoldJob, done: FoldDone) -> None:
    """Keep how fast this fold went, for the forecasts of later plans."""
    if job.threads != cores():
        return
    spec, took = job.spec, done.seconds
    views = job.views if spec.training.head == "probe" else 1
    images = done.epochs["head"] * len(job.train) * views
    remember(job.store_dir, spec, "head", images, took["head"])
    if done.epochs["fine_tune"]:
        images = done.epochs["fine_tune"] * len(job.train)
        remember(job.store_dir, spec, "blocks", images, took["fine_tune"])
    images = len(job.held) * spec.training.averaged_views(job.views)
    rest = took["all"] - took["head"] - took["fine_tune"]
    remember(job.store_dir, spec, "rest", images, rest)


def _held(job: FoldJob, probabilities: Floats) -> Predictions:
    return Predictions(job.image_ids[job.held], job.class_names, probabilities)
