"""A small residual network of 4 blocks, to be trained whole on images of about 32 px.

Nothing is normalised: each branch ends in a convolution that begins as zero, so that the network
begins as its shortcuts alone (Zhang et al., "Fixup initialization", 2019). It is a function of one
image, and there are no statistics to freeze.
"""

from typing import Any

WIDTHS = (32, 64, 128)


def build_small_resnet(pixels: Any) -> Any:
    """The model without top, from pixels 0..255 (B, S, S, 3) to maps of side S / 8."""
    import keras
    from keras import layers

    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="preprocess")(pixels)
    x = layers.Conv2D(WIDTHS[0], 4, strides=2, padding="same",
                      kernel_initializer="he_normal", name="block1_conv")(x)  # fmt: skip
    for block, width in enumerate(WIDTHS, start=2):
        x = _residual(x, width, f"block{block}", halve=block > 2)
    x = layers.Activation("relu", name=f"block{len(WIDTHS) + 1}_act")(x)
    return keras.Model(pixels, x, name="smallresnet")


def _residual(x: Any, width: int, name: str, *, halve: bool) -> Any:
    """Activation before each convolution (He et al., "Identity mappings", 2016)."""
    from keras import layers

    strides = 2 if halve else 1
    y = layers.Activation("relu", name=f"{name}_act1")(x)
    y = layers.Conv2D(width, 3, strides=strides, padding="same",
                      kernel_initializer="he_normal", name=f"{name}_conv1")(y)  # fmt: skip
    y = layers.Activation("relu", name=f"{name}_act2")(y)
    y = layers.Conv2D(width, 3, padding="same", kernel_initializer="zeros",
                      name=f"{name}_conv2")(y)  # fmt: skip
    if halve:
        x = layers.AveragePooling2D(2, padding="same", name=f"{name}_pool")(x)
        x = layers.Conv2D(width, 1, kernel_initializer="he_normal", name=f"{name}_shortcut")(x)
    return layers.Add(name=f"{name}_add")([x, y])
