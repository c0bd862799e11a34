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
from ensemble_kit.models.cuts import base_output, find_blocks
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
    the pooled features of the identity view in each fold model."""

    probabilities: NDArray[np.float64]
    features: Singles


@dataclass(frozen=True, eq=False)
class FoldEnsemble:
    """K fold models behind one prefix.

    prefix : pixels 0..255 (B, S, S, 3) -> activations at the cut (at depth 0 the pooled
    features). tails : K models, activations at the cut -> [probabilities (B, C), pooled features
    (B, F)]; at depth 0 -> probabilities alone. whole : the first fold model, from pixels. depth :
    blocks after the cut.
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
        at = self.prefix if self.depth == 0 else self.tails[0]
        return int(at.outputs[-1].shape[-1])

    @cached_property
    def network(self) -> Any:
        """pixels -> probabilities (B, K, C), pooled features (B, K, F), in one graph; at depth 0
        all fold models have the same features, (B, 1, F)."""
        import keras

        pixels = self.whole.input
        cut = self.prefix(pixels)
        if self.depth == 0:
            features = keras.ops.expand_dims(cut, 1)
            return keras.Model(pixels, [self._heads(cut), features], name="fold_ensemble")
        outputs = [tail(cut) for tail in self.tails]
        joined = [keras.ops.stack(parts, axis=1) for parts in zip(*outputs, strict=True)]
        return keras.Model(pixels, joined, name="fold_ensemble")

    def probabilities_at(self, cut: Any) -> list[Any]:
        """Each fold model's probabilities (B, C) as tensors, from a tensor at the cut."""
        if self.depth > 0:
            return [tail(cut) for tail in self._bare_tails]
        joined = self._heads(cut)
        return [joined[:, k] for k in range(len(self.tails))]

    @cached_property
    def _bare_tails(self) -> list[Any]:
        import keras

        return [keras.Model(tail.input, tail.outputs[0]) for tail in self.tails]

    @cached_property
    def _heads(self) -> Any:
        """The K dense heads as one: pooled features (B, F) -> probabilities (B, K, C)."""
        import keras

        heads = [_head(tail).get_weights() for tail in self.tails]
        k, c = len(heads), self.n_classes
        pooled = keras.Input((self.n_features,), dtype=self.tails[0].input.dtype)
        dense = keras.layers.Dense(k * c, dtype="float32", name="heads")
        scores = keras.layers.Reshape((k, c), dtype="float32")(dense(pooled))
        dense.set_weights(
            [np.concatenate([w for w, _ in heads], axis=1), np.concatenate([b for _, b in heads])]
        )
        return keras.Model(pooled, keras.layers.Softmax(dtype="float32")(scores))

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
                found, pooled = self.network.predict_on_batch(turned)
                p = np.asarray(found, np.float64)[: len(piece)].transpose(1, 0, 2)
                means[:, rows] += p / p.sum(axis=2, keepdims=True) / views
                if view == 0:
                    features[:, rows] = np.asarray(pooled)[: len(piece)].transpose(1, 0, 2)
        return FoldOutputs(means, features)


def open_fold_ensemble(files: Sequence[ModelFile], backbone: Backbone, depth: int) -> FoldEnsemble:
    """Load fold models and join them at the cut before the last ``depth`` blocks.

    Files are compared with their recorded sha256 first and loaded in safe mode: no code that a
    file may carry is run. Where the weights before the cut differ between folds, the cut moves
    to the pixels (slower, still right). Raises RunError naming the files at fault.
    """
    check_model_files(files)
    whole = _load(files[0].path)
    found = _joined(files, whole, backbone, depth) or _joined(files, whole, backbone, None)
    assert found is not None
    return found


def _joined(
    files: Sequence[ModelFile], whole: Any, backbone: Backbone, depth: int | None
) -> FoldEnsemble | None:
    """The tails of all files behind the prefix of ``whole``, the first; None where weights before
    the cut differ. One further file is in memory at a time. depth : None cuts at the pixels."""
    import keras

    pooling = _pooling(whole, files[0].path)
    cut = _cut(whole, pooling, backbone, depth)
    prefix = keras.Model(whole.input, cut)
    tails = [_tail(0, whole, cut, pooling, depth)]
    for k, file in enumerate(files[1:], start=1):
        model = _load(file.path)
        if (model.input_shape, model.output_shape) != (whole.input_shape, whole.output_shape):
            raise RunError(
                f"{files[0].path} and {file.path}: fold models of different inputs or classes; "
                "the run is damaged: make it again"
            )
        own = _pooling(model, file.path)
        place = _cut(model, own, backbone, depth)
        if not _same_weights(prefix, keras.Model(model.input, place)):
            return None
        tail = _tail(k, model, place, own, depth)
        copy = keras.models.clone_model(tail)
        copy.set_weights(tail.get_weights())
        tails.append(copy)
    if depth is None:
        depth = len(find_blocks(whole.inputs[0], base_output(whole), backbone.stages))
    return FoldEnsemble(prefix, tuple(tails), whole, depth)


def _cut(model: Any, pooling: Any, backbone: Backbone, depth: int | None) -> Any:
    if depth is None:
        return model.input
    return pooling.output if depth == 0 else backbone.boundary(model, depth)


def _tail(k: int, model: Any, cut: Any, pooling: Any, depth: int | None) -> Any:
    import keras

    outputs = [model.output] if depth == 0 else [model.output, pooling.output]
    return keras.Model(cut, outputs, name=f"fold_{k}")


def _head(tail: Any) -> Any:
    """The dense layer that ends a fold model."""
    import keras

    return next(x for x in reversed(tail.layers) if isinstance(x, keras.layers.Dense))


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
