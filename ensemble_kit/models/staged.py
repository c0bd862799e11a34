"""The staged network: one set of layers seen as prefix, suffix, head and whole.

Prefix and suffix meet at a cut, the tensor that enters the last ``depth`` blocks. All parts share
their layers, so training a part trains the whole. Batch normalisation stays in inference mode
everywhere: what the frozen prefix computes is then a pure function of the pixels. Layers that draw
at random (dropout, stochastic depth) do so where they are trained, and pass on what they get where
they are frozen.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.models import check_model_spec
from ensemble_kit.models.backbone import Backbone, load_base_weights
from ensemble_kit.models.changing_dropout import change_rate, dropout_layer
from ensemble_kit.models.cuts import FEATURES_LAYER, leaves
from ensemble_kit.models.draws import DROPOUT, FoldSeed, initial_head
from ensemble_kit.study import ModelSpec


@dataclass(frozen=True, eq=False)
class StagedModel:
    """An un-nested base with a softmax head, and its parts.

    whole : pixels 0..255 (B, S, S, 3) -> probabilities (B, C).
    depth : blocks, from the end, that the second phase trains. parts : models between two places,
    made once each, since a framework compiles every model object anew.
    """

    backbone: Backbone
    base: Any
    whole: Any
    depth: int
    initial: tuple[NDArray[np.float32], ...]
    parts: dict[tuple[int | None, tuple[int, ...]], Any] = field(default_factory=dict)

    @property
    def n_classes(self) -> int:
        return int(self.whole.output_shape[-1])

    @cached_property
    def suffix(self) -> Any:
        """Activations at the cut -> probabilities."""
        import keras

        cut = self.backbone.boundary(self.base, self.depth)
        return keras.Model(cut, self.whole.output, name="suffix")

    @cached_property
    def frozen_whole(self) -> Any:
        """The whole network as the head phase trains it end to end."""
        import keras

        return keras.Model(self.whole.input, self.whole.output, name="head_end_to_end")

    @cached_property
    def tuned_whole(self) -> Any:
        """The whole network as the second phase trains it end to end."""
        import keras

        return keras.Model(self.whole.input, self.whole.output, name="tail_end_to_end")

    @cached_property
    def head(self) -> Any:
        """Pooled features (B, F) -> probabilities."""
        import keras

        pooled = keras.Input((self.backbone.features,), name="pooled")
        dropout, dense = self.head_layers
        return keras.Model(pooled, dense(dropout(pooled)), name="head")

    @property
    def pooled(self) -> Any:
        """pixels -> pooled features."""
        return self.outputs_at((0,))

    def set_head(self, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """Give the head a kernel (features, classes) and a bias (classes,)."""
        self.head_layers[1].set_weights([kernel, bias])

    def set_dropout(self, rate: float) -> bool:
        """Give the head another dropout; whether what was compiled serves for it."""
        return change_rate(self.head_layers[0], rate)

    def shift_scores(self, shift: NDArray[np.float64]) -> None:
        """Add ``shift`` (classes,) to the scores of every image."""
        kernel, bias = self.head_layers[1].get_weights()
        self.set_head(kernel, (bias + shift).astype(np.float32))

    def outputs_at(self, depths: tuple[int, ...]) -> Any:
        """pixels -> the tensors at several cuts; depth 0 gives the pooled features."""
        return self._part(None, depths)

    def onward(self, start: int, depths: tuple[int, ...]) -> Any:
        """Activations at cut ``start`` -> the tensors at later cuts."""
        return self._part(start, depths)

    def _part(self, start: int | None, depths: tuple[int, ...]) -> Any:
        import keras

        if (start, depths) not in self.parts:
            entry = self.whole.input if start is None else self.backbone.boundary(self.base, start)
            self.parts[start, depths] = keras.Model(entry, [self.tensor_at(d) for d in depths])
        return self.parts[start, depths]

    def tensor_at(self, depth: int) -> Any:
        if depth == 0:
            return self.whole.get_layer(FEATURES_LAYER).output
        return self.backbone.boundary(self.base, depth)

    @property
    def head_layers(self) -> tuple[Any, Any]:
        return self.whole.get_layer("head_dropout"), self.whole.get_layer("head_probabilities")

    @cached_property
    def tail_layers(self) -> list[Any]:
        """Layers of the last ``depth`` blocks that have weights, in order."""
        return [layer for layer in self._last_layers if layer.weights]

    @cached_property
    def _last_layers(self) -> list[Any]:
        """All layers of the last ``depth`` blocks."""
        import keras

        if self.depth == 0:
            return []
        cut = self.backbone.boundary(self.base, self.depth)
        return list(keras.Model(cut, self.base.outputs[0]).layers)

    def freeze(self, *, train_tail: bool) -> None:
        """Make the head trainable, and the tail if asked (never its batch normalisation)."""
        import keras

        for layer in self.base.layers:
            layer.trainable = False
        if train_tail:
            for layer in self._last_layers:
                layer.trainable = True
                for leaf in leaves(layer):
                    leaf.trainable = not isinstance(leaf, keras.layers.BatchNormalization)

    def reset(self, seed: FoldSeed) -> None:
        """Back to the weights every fold starts from, with this fold's new head and dropout."""
        dropout, dense = self.head_layers
        features, classes = self.backbone.features, self.n_classes
        dense.set_weights([initial_head(features, classes, seed), np.zeros(classes, np.float32)])
        if dropout.rate > 0:
            state = np.array([seed.number(DROPOUT), 0], dtype=np.uint32)
            dropout.seed_generator.state.assign(state)
        for place, layer in enumerate(drawing_layers(self.base)):
            number = int(seed.generator(DROPOUT, place).integers(2**31 - 1))
            for generator in _generators(layer):
                generator.state.assign(np.array([number, 0], dtype=np.uint32))
        self.restore_base()

    def restore_base(self) -> None:
        """Give the tail the weights it had before any training."""
        weights = iter(self.initial)
        for layer in self.tail_layers:
            layer.set_weights([next(weights) for _ in layer.weights])


def build_staged(spec: ModelSpec, weights: Path | None, n_classes: int, seed: int) -> StagedModel:
    """Build the network of a model spec; ``weights`` None gives random ones from ``seed``."""
    import keras

    backbone = check_model_spec(spec)
    keras.utils.set_random_seed(seed)
    pixels = keras.Input((spec.image_size, spec.image_size, 3), name="pixels")
    base = backbone.build(pixels)
    for layer in drawing_layers(base):
        _draw_only_where_trained(layer)
    if weights is not None:
        load_base_weights(base, weights, backbone)
    pooled = keras.layers.GlobalAveragePooling2D(name=FEATURES_LAYER)(base.outputs[0])
    return _with_head(backbone, base, keras.Model(pixels, pooled), spec, n_classes)


def drawing_layers(base: Any) -> list[Any]:
    """Layers of a base that draw at random while they train, in order."""
    return [leaf for layer in base.layers for leaf in leaves(layer) if _generators(leaf)]


def _generators(layer: Any) -> list[Any]:
    import keras

    return [x for x in vars(layer).values() if isinstance(x, keras.random.SeedGenerator)]


def _draw_only_where_trained(layer: Any) -> None:
    """As batch normalisation does: a layer that is frozen is in inference mode."""
    call = layer.call

    def call_as_trained(*args: Any, training: bool | None = None, **named: Any) -> Any:
        return call(*args, training=bool(training and layer.trainable), **named)

    layer.call = call_as_trained


def rebuild_head(staged: StagedModel, spec: ModelSpec, n_classes: int) -> StagedModel:
    """A new head, and another cut, on the same base, which gets back its first weights.

    spec : of the same backbone, image size and weights. The old head and all that was compiled
    with it are freed once nothing refers to them.
    """
    import keras

    staged.restore_base()
    extractor = keras.Model(staged.whole.input, staged.tensor_at(0))
    return _with_head(staged.backbone, staged.base, extractor, spec, n_classes)


def _with_head(
    backbone: Backbone, base: Any, extractor: Any, spec: ModelSpec, n_classes: int
) -> StagedModel:
    import keras

    dropped = dropout_layer(spec.dropout, "head_dropout")(extractor.output)
    dense = keras.layers.Dense(
        n_classes, activation="softmax", dtype="float32", name="head_probabilities"
    )
    whole = keras.Model(extractor.input, dense(dropped), name=f"{backbone.name}_classifier")
    staged = StagedModel(backbone, base, whole, spec.unfreeze_depth, ())
    initial = tuple(array for layer in staged.tail_layers for array in layer.get_weights())
    staged = StagedModel(backbone, base, whole, spec.unfreeze_depth, initial)
    staged.freeze(train_tail=False)
    return staged
