"""A small separable network of 5 blocks that trains from nothing on a CPU, for demonstrations.

Group normalisation (Wu & He 2018) is a function of one image: nothing to freeze.
"""

from typing import Any

from ensemble_kit.models.backbone import Backbone

WIDTHS = (16, 32, 64, 96, 128)


def _build(pixels: Any) -> Any:
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


def _boundary(model: Any, depth: int) -> Any:
    if depth == 0:
        return model.output
    return model.get_layer(f"block{len(WIDTHS) - depth + 1}_conv").input


def _cut_shape(size: int, depth: int) -> tuple[int, ...]:
    if depth == 0:
        return (WIDTHS[-1],)
    block = len(WIDTHS) - depth + 1
    if block == 1:
        return (size, size, 3)
    side = (size + 1) // 2
    for _ in range(block - 2):
        side = (side + 1) // 2
    return (side, side, WIDTHS[block - 2])


COMPACT = Backbone(
    name="compact",
    min_size=32,
    n_blocks=len(WIDTHS),
    features=WIDTHS[-1],
    preprocessing="scale-to-minus-one-one",
    build=_build,
    boundary=_boundary,
    cut_shape=_cut_shape,
    speed=1000.0,
)
