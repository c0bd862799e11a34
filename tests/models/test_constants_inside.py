"""What a layer holds as a tensor goes into the written graph, not among its inputs."""

import numpy as np
import pytest

from ensemble_kit.models.export_formats import constants_inside

keras = pytest.importorskip("keras")


def captured(model):
    """Kinds of what the model's graph takes from outside, beside its inputs."""
    import tensorflow as tf

    graph = tf.function(model).get_concrete_function(tf.TensorSpec((None, 8, 8, 3))).graph
    return {outside.dtype for outside, _ in graph.captures}


def test_means_and_deviations_become_part_of_the_graph():
    """As in EfficientNetV2-B, and within another model, as fold models are put together."""
    import tensorflow as tf

    def scaled():
        pixels = keras.Input((8, 8, 3))
        x = keras.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0])(pixels)
        return keras.Model(pixels, keras.layers.Conv2D(2, 1)(x))

    pixels = keras.Input((8, 8, 3))
    model = keras.Model(pixels, scaled()(pixels))
    images = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype("float32")
    before = np.asarray(model(images))
    assert tf.float32 in captured(model)
    constants_inside(model)
    assert captured(model) == {tf.resource}
    np.testing.assert_array_equal(np.asarray(model(images)), before)
