"""The interface of an architecture and the one way its weights are loaded."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from ensemble_kit.core.errors import WeightsError

KerasTensor = Any
KerasModel = Any


@dataclass(frozen=True)
class Backbone:
    """An architecture as the trainer sees it.

    min_size : smallest square input, pixels. n_blocks : blocks that can be unfrozen, from the end.
    features : width of the pooled features.
    preprocessing : name of what happens to pixels 0..255 inside the network; part of store keys.
    build : (input tensor of pixels 0..255, float32 (B, S, S, 3)) -> un-nested keras model without
        top, randomly initialised, whose graph includes the preprocessing.
    boundary : (model, depth) -> tensor that enters the last ``depth`` blocks; depth 0 is the
        model's output, depth ``n_blocks`` its preprocessed input. Found by topology.
    cut_shape : (image size, depth) -> shape of one row at that cut, known without a framework;
        depth 0 is ``(features,)``.
    speed : images/s that two cores pass forward at 128 px, a first guess for plans.
    download : () -> path of published ImageNet weights, fetched if needed; None where there are
        none. fetched : () -> their path if they were fetched before, else None.
    """

    name: str
    min_size: int
    n_blocks: int
    features: int
    preprocessing: str
    build: Callable[[KerasTensor], KerasModel]
    boundary: Callable[[KerasModel, int], KerasTensor]
    cut_shape: Callable[[int, int], tuple[int, ...]]
    speed: float
    download: Callable[[], Path] | None = None
    fetched: Callable[[], Path | None] | None = None


def resolve_weights(backbone: Backbone, weights: str) -> Path | None:
    """File behind ``imagenet``, ``none`` or a path; None for random weights."""
    if weights == "none":
        return None
    if weights != "imagenet":
        path = Path(weights)
        if not path.is_file():
            raise WeightsError(
                f"weights {weights!r} are not a file; give 'imagenet', 'none' or a .weights.h5 file"
            )
        return path
    if backbone.download is None:
        raise WeightsError(
            f"{backbone.name} has no published ImageNet weights; give --weights none or a file"
        )
    try:
        return backbone.download()
    except Exception as error:
        raise WeightsError(
            f"the ImageNet weights of {backbone.name} could not be downloaded "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]}); check the network, "
            "or give --weights FILE with a copy, or --weights none"
        ) from None


def weights_digest(path: Path | None, seed: int) -> str:
    """Digest of the weights a base starts from: of the file, or of the seed of random ones."""
    if path is None:
        return f"random-{seed}-keras-{metadata.version('keras')}"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_base_weights(model: KerasModel, path: Path, backbone: Backbone) -> None:
    """Load a ``.weights.h5`` or ``.h5`` file into a base; other architectures are refused."""
    try:
        model.load_weights(str(path))
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"{path}: not the weights of {backbone.name} without its top ({reason}); give the file "
            "that belongs to this backbone"
        ) from None
