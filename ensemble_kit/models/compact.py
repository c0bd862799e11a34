"""A small separable network of 5 blocks that trains from nothing on a CPU, for demonstrations.

Group normalisation (Wu & He 2018) is a function of one image: nothing to freeze.
"""

from typing import Any

WIDTHS = (16, 32, 64, 96, 128)


def build_compact(pixels: Any) -> Any:
    """The model without top, from pixels 0..255 (B, S, S, 3)."""
    import keras
    from keras import layers

    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="preprocess")(pixels)
    for block, width in enumerate(WIDTHS, start=1):
        name = f"block{block}"
        if block == 1:
            x = layers.Conv2D(width, 3, strides=2, padding="same",
                              kernel_initializer="he_normal", name=f"{name}_conv")(x)  # fmt: skip
        else:
            x = layers.SeparableConv2D(width, 3, padding="same",
                                       depthwise_initializer="he_normal",
                                       pointwise_initializer="he_normal",
                                       name=f"{name}_conv")(x)  # fmt: skip
        x = layers.GroupNormalization(8, name=f"{name}_norm")(x)
        x = layers.Activation("relu", name=f"{name}_act")(x)
        if block > 1:
            x = layers.MaxPooling2D(2, padding="same", name=f"{name}_pool")(x)
    return keras.Model(pixels, x, name="compact")
