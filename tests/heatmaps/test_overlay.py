"""The heat lies where the model looked, on the image as a reader sees it."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensemble_kit.core.errors import DataError
from ensemble_kit.heatmaps.overlay import draw_overlay


def drawn(path: Path, heat: np.ndarray, aspect: str) -> np.ndarray:
    with Image.open(io.BytesIO(draw_overlay(path.read_bytes(), heat, aspect, path.name))) as image:  # type: ignore[arg-type]
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"), float)


def grey(path: Path, width: int, height: int, orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (width, height), (128, 128, 128)).save(path, exif=exif)
    return path


CORNER = np.array([[1.0, 0.0], [0.0, 0.0]])


def hottest(picture: np.ndarray) -> tuple[float, float]:
    """Centre (row, column) of the greenest pixels: viridis grows greener all the way."""
    rows, columns = np.nonzero(picture[..., 1] >= np.quantile(picture[..., 1], 0.98))
    return float(rows.mean()), float(columns.mean())


@pytest.mark.parametrize("size", [(300, 200), (30, 20)])
def test_a_crop_is_seen_in_its_middle_only(tmp_path: Path, size: tuple[int, int]) -> None:
    picture = drawn(grey(tmp_path / "a.png", *size), CORNER, "crop")
    assert picture.shape == (107, 160, 3)
    np.testing.assert_allclose(picture[:, [0, 25, 134, 159]], 128 * 0.45, atol=2)
    assert (picture[:, 27:133].max(axis=-1) > 70).all()
    row, column = hottest(picture)
    assert row < 40
    assert 26 <= column < 26 + 40


def test_padding_is_cut_away_again(tmp_path: Path) -> None:
    heat = np.zeros((8, 8))
    heat[2, 7] = 1.0
    picture = drawn(grey(tmp_path / "a.png", 300, 200), heat, "pad")
    row, column = hottest(picture)
    assert abs(row - (2.5 * 20 - 26)) < 6
    assert column > 140


def test_a_stretched_square_covers_all(tmp_path: Path) -> None:
    picture = drawn(grey(tmp_path / "a.png", 200, 300), np.flip(CORNER), "stretch")
    assert picture.shape == (160, 107, 3)
    row, column = hottest(picture)
    assert row > 110
    assert column > 70


def test_a_turned_photograph_stands_upright(tmp_path: Path) -> None:
    picture = drawn(grey(tmp_path / "a.jpg", 300, 200, orientation=6), CORNER, "crop")
    assert picture.shape == (160, 107, 3)


def test_the_same_input_gives_the_same_bytes_and_little_of_them(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    first, second = (
        draw_overlay((tmp_path / "a.png").read_bytes(), CORNER, "crop", "a") for _ in range(2)
    )
    assert first == second
    assert len(first) < 25_000


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8nothing")
    with pytest.raises(DataError, match=r"a\.jpg"):
        draw_overlay((tmp_path / "a.jpg").read_bytes(), CORNER, "crop", "a.jpg")
