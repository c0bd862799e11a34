"""The network that a worker process keeps between folds, with the parts compiled so far.

Importing a framework, building and tracing a network cost more than training a head. A fold
leaves nothing behind: weights, optimizer and random state are set anew for the next one. The
base is kept by what it is built from; another depth, optimizer, loss or batch size rebuilds the
head alone and compiles again; another dropout does so only where it cannot be changed in place.
"""

import gc
from dataclasses import dataclass, field
from pathlib import Path
from socket import gethostname
from typing import Any, Literal

from ensemble_kit.core.errors import WeightsError
from ensemble_kit.models.device import Device, prepare, use_precision
from ensemble_kit.models.staged import StagedModel, build_staged, rebuild_head
from ensemble_kit.study import StudySpec
from ensemble_kit.training.phases import compile_model

Part = Literal["head", "suffix", "frozen_whole", "tuned_whole"]


@dataclass(eq=False)
class ModelCache:
    """A built network and the parts compiled so far."""

    device: Device
    staged: StagedModel
    spec: StudySpec
    parts: dict[Part, Any] = field(default_factory=dict)

    def compiled(self, part: Part) -> Any:
        if part not in self.parts:
            model = getattr(self.staged, part)
            compile_model(model, self.spec.training, shifted_scores=bool(self.spec.model.metadata))
            self.parts[part] = model
        return self.parts[part]


@dataclass
class _Process:
    """What this process holds: its device, the cached model, and the keys of base and head."""

    device: Device | None = None
    base: tuple[object, ...] = ()
    head: tuple[object, ...] = ()
    cache: ModelCache | None = None


_process = _Process()


def warm_up(threads: int) -> Device:
    """Import the framework and set its threads; a process does it once."""
    if _process.device is None:
        _process.device = prepare(threads)
    return _process.device


def open_model_cache(
    spec: StudySpec, weights: Path | None, n_classes: int, threads: int
) -> ModelCache:
    """The network for a study; only what the last study's does not serve for is built.

    What is replaced is let go before its successor is built, so that memory does not grow.
    """
    device = warm_up(threads)
    model, training = spec.model, spec.training
    base = (model.backbone, model.image_size, weights, spec.split.seed, training.precision)
    head = (n_classes, model.unfreeze_depth, bool(model.metadata),
            training.weight_decay, training.label_smoothing, training.batch_size)  # fmt: skip
    cache, _process.cache = _process.cache, None
    if cache is None or base != _process.base:
        if weights is not None and not weights.is_file():
            raise WeightsError(
                f"{weights} is not on {gethostname()}, which trains from it: put weights where "
                "driver and workers see them under one path (KERAS_HOME, or --weights FILE)"
            )
        cache = None
        _clear_framework()
        device = use_precision(device, training.precision)
        cache = ModelCache(device, build_staged(model, weights, n_classes, spec.split.seed), spec)
    elif head != _process.head or not cache.staged.set_dropout(model.dropout):
        cache = ModelCache(cache.device, rebuild_head(cache.staged, model, n_classes), spec)
        gc.collect()
    _process.base, _process.head, _process.cache = base, head, cache
    return cache


def _clear_framework() -> None:
    import keras

    gc.collect()
    keras.backend.clear_session()
    gc.collect()
