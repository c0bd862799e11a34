"""Activation stores filled by a worker."""

import time
from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.core.machine import cores
from ensemble_kit.stores.activation_filling import FillReport, fill_stores
from ensemble_kit.stores.activations import ActivationKey, key_in, open_store, stores_in
from ensemble_kit.study import StudySpec
from ensemble_kit.training.events import EventLog
from ensemble_kit.training.jobs import PixelFile
from ensemble_kit.training.model_cache import open_model_cache
from ensemble_kit.training.speeds import remember


@dataclass(frozen=True)
class FillJob:
    """What a worker needs to fill stores."""

    spec: StudySpec
    n_classes: int
    weights: Path | None
    pixels: PixelFile
    store_dir: Path
    keys: tuple[ActivationKey, ...]
    views: int
    events: Path
    threads: int


@dataclass(frozen=True)
class FillDone:
    report: FillReport
    seconds: float


def fill_task(job: FillJob) -> FillDone:
    """Fill the stores of a job; runs in a worker."""
    began = time.perf_counter()
    log = EventLog(job.events)
    cache = open_model_cache(job.spec, job.weights, job.n_classes, job.threads)
    cache.staged.restore_base()
    wanted = [open_store(job.store_dir, key) for key in job.keys]
    related = [open_store(job.store_dir, key) for key in _earlier_cuts(job)]
    filling = time.perf_counter()
    report = fill_stores(
        cache.staged,
        wanted,
        job.pixels.open(),
        job.views,
        related=related,
        device=cache.device.kind,
        on_progress=lambda n: log.emit("fill_step", n=n),
    )
    if job.threads == cores():
        took = time.perf_counter() - filling
        remember(job.store_dir, job.spec, "forward", report.computed, took)
    return FillDone(report, time.perf_counter() - began)


def _earlier_cuts(job: FillJob) -> list[ActivationKey]:
    """Keys of stores that differ from the wanted ones in their cut alone, and come before it."""
    pooled = job.keys[0]
    same = ("pixels", "backbone", "weights", "backend", "precision", "preprocessing", "rows")
    found = []
    for folder in stores_in(job.store_dir):
        try:
            key = key_in(folder)
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if key in job.keys or key.depth == 0:
            continue
        if all(getattr(key, name) == getattr(pooled, name) for name in same):
            found.append(key)
    return found
