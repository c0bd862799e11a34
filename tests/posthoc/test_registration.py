"""Points in place: a shifted, turned, recoloured picture is found again, strangers are not."""

import numpy as np
import pytest
from PIL import Image

from ensemble_kit.posthoc.registration import (
    aggregated,
    available,
    detail_agrees,
    find_points,
    match_points,
    spectrum,
)

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


def test_a_moved_and_recoloured_picture_lies_on_the_first_and_strangers_do_not() -> None:
    here = window(texture(0), 10, 20)
    one = find_points(here)
    moved = (window(texture(0), 60, 50, turn=8) * 0.7 + 40).astype(np.uint8)
    same = match_points(one, find_points(moved))
    assert same.points >= 30
    assert detail_agrees(here, moved, same.moved) > 0.8
    for seed in range(1, 6):
        stranger = window(texture(seed), 10, 20)
        found = match_points(one, find_points(stranger))
        assert found.points <= 12
        if found.moved is not None:
            assert detail_agrees(here, stranger, found.moved) < 0.3
    elsewhere = np.array([[1.0, 0, 7], [0, 1, -9]])
    assert abs(detail_agrees(here, here, elsewhere)) < 0.3


def test_a_ruler_in_both_pictures_gives_points_but_no_agreement_of_detail() -> None:
    one, other = window(texture(1), 0, 0), window(texture(2), 0, 0)
    marks = np.random.default_rng(5).choice([0, 255], (6, 32)).astype(np.uint8)
    one[:60] = other[:60] = np.kron(marks, np.ones((10, 10), np.uint8))
    found = match_points(find_points(one), find_points(other))
    assert found.points >= 10
    assert detail_agrees(one, other, found.moved) < 0.5  # 0.8 without evened contrast
    assert detail_agrees(one, one, np.eye(2, 3)) == pytest.approx(1)


def test_pictures_that_hardly_overlap_or_are_flat_say_nothing() -> None:
    here, flat = window(texture(0), 10, 20), np.full((320, 320), 90, np.uint8)
    assert detail_agrees(here, here, np.array([[1.0, 0, 300], [0, 1, 0]])) == 0
    assert detail_agrees(here, flat, np.eye(2, 3)) == 0


def test_a_picture_without_points_shares_none() -> None:
    flat = find_points(np.full((320, 320), 90, np.uint8))
    assert len(flat.places) == 0
    found = match_points(flat, find_points(window(texture(0), 0, 0)))
    assert (found.points, found.moved) == (0, None)


def test_a_shift_leaves_the_spectrum_nearly_as_it_is() -> None:
    picture = texture(3, 200)
    a, b, c = picture[40:104, 40:104], picture[43:107, 42:106], texture(4, 200)[40:104, 40:104]
    near = np.corrcoef(spectrum(a), spectrum(b))[0, 1]
    far = np.corrcoef(spectrum(a), spectrum(c))[0, 1]
    assert near > far + 0.1


def test_aggregated_points_of_a_second_photo_are_nearest_wherever_they_lie() -> None:
    pictures = [window(texture(k), 10, 20) for k in range(9)]
    pictures.append((window(texture(2), 70, 60, turn=9) * 0.7 + 40).astype(np.uint8))
    rows = aggregated([find_points(picture) for picture in pictures])
    assert np.sqrt((rows**2).sum(axis=1)) == pytest.approx(1, abs=1e-5)
    alike = rows @ rows[9]
    assert alike[:9].argmax() == 2
    assert alike[2] > np.delete(alike[:9], 2).max() + 0.02
    flat = find_points(np.full((320, 320), 90, np.uint8))
    assert not aggregated([flat, flat]).any()  # too few points to learn from
