"""A dropout layer whose rate changes without a new trace of the functions compiled with it.

A framework keeps some 15 MB of every function it has traced, so a search over dropouts would
otherwise take more memory with every trial. In saved files the layer is a plain ``Dropout``.
"""

from typing import Any


class ChangingRate:
    """The rate of a layer as a variable of TensorFlow. Draws and arithmetic are those of its own
    dropout of a constant rate (``tf.nn.experimental.stateless_dropout``)."""

    def __init__(self, layer: Any) -> None:
        import keras

        def number(value: float) -> Any:
            return keras.Variable(value, trainable=False, dtype="float32", autocast=False)

        self._layer = layer
        self._rate, self._scale = number(layer.rate), number(1 / (1 - layer.rate))
        layer.call = self._call

    def change(self, rate: float) -> None:
        """Take another rate, above 0 and below 1."""
        self._layer.rate = rate
        self._rate.assign(rate)
        self._scale.assign(1 / (1 - rate))

    def _call(self, inputs: Any, training: bool = False) -> Any:
        import keras

        if not training:
            return inputs
        drawn = keras.random.uniform(
            keras.ops.shape(inputs), dtype=inputs.dtype, seed=self._layer.seed_generator
        )
        rate, scale = (keras.ops.cast(v, inputs.dtype) for v in (self._rate, self._scale))
        return keras.ops.where(drawn >= rate, inputs * scale, keras.ops.zeros_like(inputs))


def dropout_layer(rate: float, name: str) -> Any:
    """A ``Dropout`` layer for :func:`change_rate`."""
    import keras

    layer = keras.layers.Dropout(rate, seed=0, name=name)
    if rate > 0 and keras.backend.backend() == "tensorflow":
        layer.changing = ChangingRate(layer)
    return layer


def change_rate(layer: Any, rate: float) -> bool:
    """Give a layer of :func:`dropout_layer` another rate; whether it has it then.

    JAX holds the rate as a constant in what it compiled; PyTorch compiles nothing. A layer of rate
    0 has no state to draw from.
    """
    import keras

    if layer.rate == rate:
        return True
    if layer.rate == 0 or rate == 0 or keras.backend.backend() == "jax":
        return False
    changing: ChangingRate | None = getattr(layer, "changing", None)
    if changing is None:
        layer.rate = rate
    else:
        changing.change(rate)
    return True
