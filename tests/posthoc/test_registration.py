"""Points in place: a shifted, turned, recoloured picture is found again, strangers are not."""

import numpy as np
import pytest
from PIL import Image

from ensemble_kit.posthoc.registration import available, find_points, shared_points, spectrum

pytestmark = pytest.mark.skipif(not available(), reason="OpenCV is not installed")


def texture(seed: int, side: int = 400):
    """Blobs of several sizes, as skin has."""
    random = np.random.default_rng(seed)
    total = np.zeros((side, side))
    for cells in (10, 25, 60):
        small = random.random((cells, cells)).astype(np.float32)
        total += np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))
    return (255 * (total - total.min()) / np.ptp(total)).astype(np.uint8)


def window(picture, x: int, y: int, side: int = 320, turn: float = 0.0):
    turned = np.asarray(Image.fromarray(picture).rotate(turn, Image.Resampling.BICUBIC))
    return np.ascontiguousarray(turned[y : y + side, x : x + side])


def test_a_moved_and_recoloured_picture_shares_many_points_and_strangers_few() -> None:
    one = find_points(window(texture(0), 10, 20))
    moved = (window(texture(0), 60, 50, turn=8) * 0.7 + 40).astype(np.uint8)
    same, strangers = shared_points(one, find_points(moved)), []
    for seed in range(1, 6):
        strangers.append(shared_points(one, find_points(window(texture(seed), 10, 20))))
    assert same >= 30
    assert max(strangers) <= 12


def test_a_picture_without_points_shares_none() -> None:
    flat = find_points(np.full((320, 320), 90, np.uint8))
    assert len(flat.places) == 0
    assert shared_points(flat, find_points(window(texture(0), 0, 0))) == 0


def test_a_shift_leaves_the_spectrum_nearly_as_it_is() -> None:
    picture = texture(3, 200)
    a, b, c = picture[40:104, 40:104], picture[43:107, 42:106], texture(4, 200)[40:104, 40:104]
    near = np.corrcoef(spectrum(a), spectrum(b))[0, 1]
    far = np.corrcoef(spectrum(a), spectrum(c))[0, 1]
    assert near > far + 0.1
