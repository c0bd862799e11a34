"""A saved fold model, opened at its last feature map."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.errors import RunError
from ensemble_kit.core.records import Floats
from ensemble_kit.models.backbone import Backbone

BATCH = 16
Features = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FoldModel:
    """A network whose last feature map is pooled and weighed by one dense softmax layer.

    kernel : (F, C), bias : (C,) of the dense layer. pooled : tensor that enters the pooling.
    """

    whole: Any
    backbone: Backbone
    pooled: Any
    kernel: Floats
    bias: Floats

    def features(self, inputs: NDArray[Any], depth: int | None) -> Features:
        """(m, h, w, F) float32 last feature map.

        inputs : activations at the cut before the last ``depth`` blocks, or pixels 0..255
        (m, S, S, 3) where ``depth`` is None.
        """
        import keras

        entry = self.whole.input if depth is None else self.backbone.boundary(self.whole, depth)
        part = keras.Model(entry, self.pooled)
        starts = range(0, len(inputs), BATCH)
        batches = [part(inputs[start : start + BATCH], training=False) for start in starts]
        arrays = [keras.ops.convert_to_numpy(keras.ops.cast(b, "float32")) for b in batches]
        return np.concatenate(arrays)


def load_network(path: Path) -> Any:
    """The ``keras.Model`` of a file, loaded without running any code it may carry.

    Raises RunError where it cannot be.
    """
    import keras

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(
            f"{path}: cannot be loaded ({reason}); remove its fold's folder and give `cv` again"
        ) from None


def open_fold_model(path: Path, backbone: Backbone) -> FoldModel:
    """A ``model.keras`` opened at its last feature map; RunError for heads of another kind."""
    import keras

    keras.backend.clear_session()
    whole = load_network(path)
    layers = list(whole.layers)
    places = [i for i, x in enumerate(layers) if isinstance(x, keras.layers.GlobalAveragePooling2D)]
    after = layers[places[-1] + 1 :] if places else []
    *between, dense = after or [None]
    known = isinstance(dense, keras.layers.Dense) and dense.activation is keras.activations.softmax
    if not known or not all(isinstance(layer, keras.layers.Dropout) for layer in between):
        raise RunError(
            f"{path}: does not end in global average pooling and one softmax layer; only such "
            "models, which `cv` makes, can be explained"
        )
    kernel, bias = (np.asarray(array, np.float64) for array in dense.get_weights())
    return FoldModel(whole, backbone, layers[places[-1]].input, kernel, bias)
