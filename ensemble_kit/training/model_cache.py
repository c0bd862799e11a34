"""What a worker keeps warm between folds: the framework, the network, its compiled parts.

Importing a framework, building and tracing a network cost more than training a head. A fold
leaves nothing behind: weights, optimizer and random state are set anew for the next one.
"""

import gc
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ensemble_kit.models.device import Device, prepare, use_precision
from ensemble_kit.models.staged import StagedModel, build_staged
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
            compile_model(model, self.spec.training)
            self.parts[part] = model
        return self.parts[part]


@dataclass
class _Warm:
    """The one workshop of this process, and what it was set up for."""

    device: Device | None = None
    key: tuple[object, ...] = ()
    cache: ModelCache | None = None


_warm = _Warm()


def warm_up(threads: int) -> Device:
    """Import the framework and set its threads; a process does it once."""
    if _warm.device is None:
        _warm.device = prepare(threads)
    return _warm.device


def open_model_cache(
    spec: StudySpec, weights: Path | None, n_classes: int, threads: int
) -> ModelCache:
    """The workshop for a study: the warm one if it fits, else a new one in its place."""
    device = warm_up(threads)
    training = spec.training
    key = (spec.model, weights, n_classes, spec.split.seed,
           training.weight_decay, training.label_smoothing, training.batch_size,
           training.precision)  # fmt: skip
    if _warm.cache is None or _warm.key != key:
        import keras

        _warm.cache = None
        keras.backend.clear_session()
        gc.collect()
        device = use_precision(device, training.precision)
        staged = build_staged(spec.model, weights, n_classes, spec.split.seed)
        _warm.cache, _warm.key = ModelCache(device, staged, spec), key
    return _warm.cache
