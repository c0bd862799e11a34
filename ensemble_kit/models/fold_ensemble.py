"""The K fold models of a run as one network: the frozen prefix is computed once for all of them.

Fold models differ in their tail (the blocks that were trained) and head alone. What lies before
the cut has the same weights in each, which is checked when they are opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.atomic import sha256_of_file
from ensemble_kit.core.errors import RunError, some
from ensemble_kit.models.backbone import Backbone
from ensemble_kit.models.views import view_of

Singles = NDArray[np.float32]


@dataclass(frozen=True)
class ModelFile:
    """A saved fold model and the sha256 that its run recorded."""

    path: Path
    sha256: str


@dataclass(frozen=True, eq=False)
class FoldOutputs:
    """Of B images: probabilities (K, B, C) float64, rows sum to 1; features (K, B, F) float32,
    the pooled features of the unturned image in each fold model."""

    probabilities: NDArray[np.float64]
    features: Singles


@dataclass(frozen=True, eq=False)
class FoldEnsemble:
    """K fold models behind one prefix.

    prefix : pixels 0..255 (B, S, S, 3) -> activations at the cut (the last feature map at depth
    0).
    tails : K models, activations at the cut -> [probabilities (B, C), pooled features (B, F)].
    whole : the first fold model, from pixels. depth : blocks after the cut.
    """

    prefix: Any
    tails: tuple[Any, ...]
    whole: Any
    depth: int

    @property
    def image_size(self) -> int:
        return int(self.whole.input_shape[1])

    @property
    def n_classes(self) -> int:
        return int(self.tails[0].outputs[0].shape[-1])

    @property
    def n_features(self) -> int:
        return int(self.tails[0].outputs[1].shape[-1])

    @cached_property
    def network(self) -> Any:
        """pixels -> K probabilities, then K pooled features, in one graph."""
        import keras

        pixels = self.whole.input
        cut = self.prefix(pixels)
        outputs = [tail(cut) for tail in self.tails]
        flat = [p for p, _ in outputs] + [f for _, f in outputs]
        return keras.Model(pixels, flat, name="fold_ensemble")

    def predict(
        self, pixels: NDArray[Any], views: int = 1, batch: int = 32, *, fill: bool = True
    ) -> FoldOutputs:
        """Outputs of images (B, S, S, 3) 0..255; probabilities are means over ``views`` views.

        fill : short batches are filled up, so that the network is traced for one shape only.
        """
        k = len(self.tails)
        means = np.zeros((k, len(pixels), self.n_classes))
        features = np.empty((k, len(pixels), self.n_features), np.float32)
        for start in range(0, len(pixels), batch):
            piece = pixels[start : start + batch]
            rows = slice(start, start + len(piece))
            filled = piece
            if fill and len(piece) < batch:
                rest = np.repeat(piece[:1], batch - len(piece), axis=0)
                filled = np.concatenate([piece, rest])
            for view in range(views):
                turned = view_of(np.asarray(filled), view)
                flat = [np.asarray(x) for x in self.network.predict_on_batch(turned)]
                p = np.stack(flat[:k])[:, : len(piece)].astype(np.float64)
                means[:, rows] += p / p.sum(axis=2, keepdims=True) / views
                if view == 0:
                    features[:, rows] = np.stack(flat[k:])[:, : len(piece)]
        return FoldOutputs(means, features)


def open_fold_ensemble(files: Sequence[ModelFile], backbone: Backbone, depth: int) -> FoldEnsemble:
    """Load fold models and join them at the cut before the last ``depth`` blocks.

    Files are compared with their recorded sha256 first and loaded in safe mode: no code that a
    file may carry is run. Where the weights before the cut differ between folds, the cut moves
    to the pixels (slower, still right). Raises RunError naming the files at fault.
    """
    check_model_files(files)
    models = [_load(file.path) for file in files]
    shapes = {(model.input_shape, model.output_shape) for model in models}
    if len(shapes) > 1:
        raise RunError(
            f"{some(file.path for file in files)}: fold models of different inputs or classes; "
            "the run is damaged: make it again"
        )
    pooling = [_pooling(model, file.path) for model, file in zip(models, files, strict=True)]
    if depth == 0:
        cuts = [layer.input for layer in pooling]
    else:
        cuts = [backbone.boundary(model, depth) for model in models]
    import keras

    prefixes = [keras.Model(m.input, cut) for m, cut in zip(models, cuts, strict=True)]
    if any(not _same_weights(prefixes[0], other) for other in prefixes[1:]):
        depth, cuts = backbone.n_blocks, [model.input for model in models]
        prefixes = [keras.Model(m.input, m.input) for m in models]
    tails = tuple(
        keras.Model(cut, [model.output, layer.output], name=f"fold_{k}")
        for k, (model, cut, layer) in enumerate(zip(models, cuts, pooling, strict=True))
    )
    return FoldEnsemble(prefixes[0], tails, models[0], depth)


def check_model_files(files: Sequence[ModelFile]) -> None:
    """RunError unless every file is there and is the one its run wrote."""
    missing = [file.path for file in files if not file.path.is_file()]
    if missing:
        raise RunError(
            f"{some(missing)} missing: it is needed to predict; restore it, or give the `cv` "
            "command again"
        )
    changed = [file.path for file in files if sha256_of_file(file.path) != file.sha256]
    if changed:
        raise RunError(
            f"{some(changed)}: changed since the run wrote it (its sha256 differs from the "
            "manifest's); restore the file or make the run again"
        )


def _load(path: Path) -> Any:
    import keras

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(
            f"{path}: cannot be loaded in safe mode ({reason}); only models that `cv` saved are "
            "run: remove its fold's folder and give `cv` again"
        ) from None


def _pooling(model: Any, path: Path) -> Any:
    """The last global average pooling; after it there are only dropout and one dense layer."""
    import keras

    layers = list(model.layers)
    places = [i for i, x in enumerate(layers) if isinstance(x, keras.layers.GlobalAveragePooling2D)]
    *between, last = layers[places[-1] + 1 :] if places else [None]
    if not isinstance(last, keras.layers.Dense) or not all(
        isinstance(layer, keras.layers.Dropout) for layer in between
    ):
        raise RunError(
            f"{path}: does not end in global average pooling and one softmax layer; only models "
            "that `cv` saved can be used"
        )
    return layers[places[-1]]


def _same_weights(first: Any, other: Any) -> bool:
    mine, theirs = first.get_weights(), other.get_weights()
    return len(mine) == len(theirs) and all(
        np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True)
    )
