"""Xception (Chollet 2017, arXiv:1610.02357): 14 blocks, 20,861,480 parameters without its top."""

from pathlib import Path
from typing import Any

from ensemble_kit.models.backbone import Backbone

N_BLOCKS = 14
WEIGHTS_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/xception/"
    "xception_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
WEIGHTS_HASH = "md5:b0042744bf5b25fce3cb969f33bebb97"


def _build(pixels: Any) -> Any:
    import keras

    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="preprocess")(pixels)
    return keras.applications.Xception(include_top=False, weights=None, input_tensor=scaled)


def _boundary(model: Any, depth: int) -> Any:
    """The input of the first layer of block ``15 - depth``; its residual convolution shares it."""
    if depth == 0:
        return model.output
    block = N_BLOCKS - depth + 1
    if block == 1:
        return model.get_layer("block1_conv1").input
    first = f"block{block}_sepconv1"
    starts_with_relu = f"{first}_act" in {layer.name for layer in model.layers} and block != 14
    return model.get_layer(f"{first}_act" if starts_with_relu else first).input


def _cut_shape(size: int, depth: int) -> tuple[int, ...]:
    if depth == 0:
        return (2048,)
    block = N_BLOCKS - depth + 1
    if block == 1:
        return (size, size, 3)
    side = (size - 3) // 2 + 1 - 2
    for _ in range(min(block - 2, 3) + (block == N_BLOCKS)):
        side = (side + 1) // 2
    width = {2: 64, 3: 128, 4: 256, N_BLOCKS: 1024}.get(block, 728)
    return (side, side, width)


def _download() -> Path:
    import pooch

    path = _cached()
    return Path(pooch.retrieve(WEIGHTS_URL, WEIGHTS_HASH, fname=path.name, path=path.parent))


def _cached() -> Path:
    import pooch

    return Path(pooch.os_cache("ensemble_kit")) / "weights" / "xception_imagenet_notop.h5"


def _fetched() -> Path | None:
    path = _cached()
    return path if path.is_file() else None


XCEPTION = Backbone(
    name="xception",
    min_size=71,
    n_blocks=N_BLOCKS,
    features=2048,
    preprocessing="scale-to-minus-one-one",
    build=_build,
    boundary=_boundary,
    cut_shape=_cut_shape,
    speed=40.0,
    download=_download,
    fetched=_fetched,
)
