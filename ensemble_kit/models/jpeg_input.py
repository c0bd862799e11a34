"""Encoded JPEG files to pixels as TensorFlow operations, for a SavedModel that takes bytes.

The arithmetic is that of :mod:`ensemble_kit.data.decode`: libjpeg's accurate transform at a scale
of 1/2, 1/4 or 1/8 where the picture is large enough, the EXIF orientation, then Pillow's bicubic
resampling (two passes, rounded to whole levels after each; across before down, which Pillow turns
round for some tall pictures). Where that module decodes at 3/8 of the size (TensorFlow has no such
scale), 1/2 is taken here.
"""

from typing import Any

MARKER = b"Exif\0\0"
BIG = (0x01, 0x12, 0x00, 0x03, 0x00, 0x00, 0x00, 0x01, 0x00)
LITTLE = (0x12, 0x01, 0x03, 0x00, 0x01, 0x00, 0x00, 0x00)
"""Bytes before the value of EXIF's orientation, in both orders."""
HEAD = 65536
PRECISION = 4194304.0
"""2 to the 22nd: Pillow's fixed-point weights."""


def jpeg_pixels(data: Any, size: int, aspect: str) -> Any:
    """A JPEG file's bytes (scalar string tensor) as pixels 0..255 (size, size, 3) float32."""
    import tensorflow as tf

    stored = tf.image.extract_jpeg_shape(data)[:2]
    side = (tf.reduce_max if aspect == "pad" else tf.reduce_min)(stored)
    enough = [tf.cast(side > ratio * (size - 1), tf.int32) for ratio in (2, 4, 8)]
    halvings, sides = tf.reduce_sum(enough), tf.cast(stored, tf.float64)
    pixels = tf.switch_case(halvings, [_decoder(data, ratio) for ratio in (1, 2, 4, 8)])
    exact = sides / 2.0 ** tf.cast(halvings, tf.float64)
    turned, swapped = _upright(pixels, _orientation(data))
    height, width = tf.unstack(tf.where(swapped, tf.reverse(exact, [0]), exact))
    return _fitted(tf.cast(turned, tf.float64), height, width, size, aspect)


def has_exact_form(width: int, height: int, size: int, aspect: str) -> bool:
    """Whether pixels of a JPEG of that size are those the program itself reads (none at 3/8)."""
    side = max(width, height) if aspect == "pad" else min(width, height)
    return not 3 * side > 8 * (size - 1) or side > 4 * (size - 1)


def _decoder(data: Any, ratio: int) -> Any:
    import tensorflow as tf

    return lambda: tf.io.decode_jpeg(
        data, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE", fancy_upscaling=True
    )


def _orientation(data: Any) -> Any:
    """EXIF's orientation, 1 to 8; 1 where there is none."""
    import tensorflow as tf

    head = tf.cast(tf.io.decode_raw(tf.strings.substr(data, 0, HEAD), tf.uint8), tf.int32)

    def after(pattern: tuple[int, ...]) -> Any:
        """The byte that follows each place of ``pattern``, in order."""
        n = tf.maximum(tf.shape(head)[0] - len(pattern), 0)
        same = [tf.equal(head[i : n + i], byte) for i, byte in enumerate(pattern)]
        places = tf.where(tf.reduce_all(tf.stack(same), axis=0))[:, 0]
        return tf.gather(head, places + len(pattern))

    found = tf.concat([after(BIG), after(LITTLE)], 0)
    known = found[(found >= 1) & (found <= 8)]
    there = tf.size(after(tuple(MARKER[:-1]))) > 0
    return tf.cond(there & (tf.size(known) > 0), lambda: known[0], lambda: tf.constant(1))


def _upright(pixels: Any, turn: Any) -> tuple[Any, Any]:
    """Pixels turned as EXIF asks, and whether height and width change places."""
    import tensorflow as tf

    def among(*turns: int) -> Any:
        return tf.reduce_any([tf.equal(turn, t) for t in turns])

    swapped = among(5, 6, 7, 8)
    pixels = tf.cond(swapped, lambda: tf.transpose(pixels, (1, 0, 2)), lambda: pixels)
    pixels = tf.cond(among(2, 3, 6, 7), lambda: tf.reverse(pixels, [1]), lambda: pixels)
    return tf.cond(among(3, 4, 7, 8), lambda: tf.reverse(pixels, [0]), lambda: pixels), swapped


def _fitted(pixels: Any, height: Any, width: Any, size: int, aspect: str) -> Any:
    """The picture as a square; height, width : float64 extents that hold it."""
    import tensorflow as tf

    zero = tf.constant(0.0, tf.float64)
    rows, columns = (zero, height), (zero, width)
    inner_rows = inner_columns = tf.constant(size)
    if aspect == "crop":
        side = tf.minimum(height, width)
        top, left = (height - side) / 2, (width - side) / 2
        rows, columns = (top, top + side), (left, left + side)
    elif aspect == "pad":
        longer = tf.maximum(height, width)
        inner_rows, inner_columns = (
            tf.maximum(1, tf.cast(tf.round(side * size / longer), tf.int32))
            for side in (height, width)
        )
    shape = tf.shape(pixels)
    across = _resampling(columns, shape[1], inner_columns)
    down = _resampling(rows, shape[0], inner_rows)
    pixels = _levels(tf.einsum("ow,hwc->hoc", across, pixels))
    pixels = _levels(tf.einsum("oh,hwc->owc", down, pixels))
    y, x = (size - inner_rows) // 2, (size - inner_columns) // 2
    square = tf.pad(
        pixels, [[y, size - inner_rows - y], [x, size - inner_columns - x], [0, 0]]
    )  # fmt: skip
    return tf.ensure_shape(tf.cast(square, tf.float32), (size, size, 3))


def _resampling(span: tuple[Any, Any], n: Any, out: Any) -> Any:
    """(out, n) weights of Pillow's bicubic resampling of span (start, stop) of ``n`` pixels."""
    import tensorflow as tf

    start, stop = span
    many = tf.cast(n, tf.float64)
    scale = (stop - start) / tf.cast(out, tf.float64)
    stretch = tf.maximum(scale, 1.0)
    support = 2.0 * stretch
    centre = (start + (tf.cast(tf.range(out), tf.float64) + 0.5) * scale)[:, None]
    first = tf.floor(tf.maximum(centre - support + 0.5, 0.0))
    last = tf.minimum(tf.floor(centre + support + 0.5), many)
    place = tf.cast(tf.range(n), tf.float64)[None]
    x = tf.abs((place - centre + 0.5) / stretch)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    weights = tf.where(x < 1.0, near, tf.where(x < 2.0, far, tf.zeros_like(x)))
    weights = tf.where((place >= first) & (place < last), weights, tf.zeros_like(x))
    weights /= tf.reduce_sum(weights, axis=1, keepdims=True)
    return tf.sign(weights) * tf.floor(tf.abs(weights) * PRECISION + 0.5)


def _levels(sums: Any) -> Any:
    """Fixed-point sums as whole levels 0..255."""
    import tensorflow as tf

    return tf.clip_by_value(tf.floor((sums + PRECISION / 2) / PRECISION), 0.0, 255.0)
