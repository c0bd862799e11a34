"""JPEG bytes become, in TensorFlow, the pixels that the program itself reads."""

import io

import numpy as np
import pytest
from PIL import Image

from ensemble_kit.data.decode import decode_bytes
from ensemble_kit.models.jpeg_input import has_exact_form, jpeg_pixels

tf = pytest.importorskip("tensorflow")
ROUNDING = 16
"""Levels: Pillow resamples some tall pictures down before across, and rounds between the two."""


def picture(width: int, height: int) -> Image.Image:
    """Blurred noise: every frequency a photo has, edges included."""
    noise = np.random.default_rng(width).integers(0, 256, (height // 3, width // 3, 3))
    return Image.fromarray(noise.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def largest(data: bytes, size: int, aspect: str) -> float:
    expected = decode_bytes(data, size, aspect, "picture").astype(np.float32)
    return float(np.abs(jpeg_pixels(tf.constant(data), size, aspect).numpy() - expected).max())


@pytest.mark.parametrize("aspect", ["crop", "pad", "stretch"])
@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(200, 150, 100), (150, 200, 100), (70, 48, 64), (640, 480, 72), (299, 399, 150), (96, 96, 96)],
)
def test_pixels_are_the_programs_own(width, height, size, aspect):
    if not has_exact_form(width, height, size, aspect):
        pytest.skip("decoded at 3/8, for which TensorFlow has no scale")
    bound = 0 if width >= height else ROUNDING
    assert largest(encoded(picture(width, height)), size, aspect) <= bound


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_turns_the_picture(turn):
    tags = Image.Exif()
    tags[0x0112] = turn
    bound = 0 if turn < 5 else ROUNDING
    assert largest(encoded(picture(120, 80), exif=tags), 64, "crop") <= bound
    assert largest(encoded(picture(120, 80), exif=tags), 64, "pad") <= bound


def test_grey_pictures_and_sizes_without_an_exact_form():
    assert largest(encoded(picture(120, 80).convert("L")), 64, "crop") == 0
    assert not has_exact_form(333, 250, 80, "crop")
    assert has_exact_form(200, 150, 150, "crop")
    assert 0 < largest(encoded(picture(333, 250)), 80, "crop") < 64
