"""Files of a folder that are no pictures, or more than one: told of, never left out in silence."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensemble_kit.core.errors import DataError, PredictionsError
from ensemble_kit.data.dataset import load_data
from ensemble_kit.data.new_images import find_new_images, read_new_image
from ensemble_kit.data.prediction_tables import read_prediction_table
from tests.data.folders import Rows, write_folder, write_image


def frames(path: Path, kind: str, n: int = 3) -> None:
    pictures = [
        Image.fromarray(np.random.default_rng(k).integers(0, 255, (32, 32, 3), dtype=np.uint8))
        for k in range(n)
    ]
    pictures[0].save(path, kind, save_all=True, append_images=pictures[1:])


@pytest.mark.parametrize(
    ("name", "kind"), [("z.jpg", "WEBP"), ("z.png", "PNG"), ("z.tif", "TIFF"), ("z.gif", "GIF")]
)
def test_several_frames_are_no_picture(name: str, kind: str, tmp_path: Path) -> None:
    frames(tmp_path / name, kind)
    image = find_new_images(tmp_path)[0]
    with pytest.raises(DataError, match=rf"{name}: (a {kind} of 3 |not a JPEG)"):
        read_new_image(image, 32, "crop")


@pytest.mark.parametrize("what", ["dead link", "link in a circle", "pipe", "device"])
def test_what_is_no_file_is_told_of(what: str, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", 1)
    odd = tmp_path / "odd.png"
    if what == "dead link":
        odd.symlink_to(tmp_path / "nowhere.png")
    elif what == "link in a circle":
        odd.symlink_to(tmp_path / "odd2.png")
        (tmp_path / "odd2.png").symlink_to(odd)
    elif what == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to("/dev/zero")
    found = {image.image_id: image for image in find_new_images(tmp_path)}
    assert "odd" in found
    with pytest.raises(DataError, match=r"odd\.png: (cannot be read|not a regular file)"):
        read_new_image(found["odd"], 16, "crop")


def test_other_endings_of_pictures_are_not_passed_over(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", 1)
    for name in ("b.JPE", "c.jfif"):
        write_image(tmp_path / "x.jpg", 2)
        (tmp_path / "x.jpg").rename(tmp_path / name)
    frames(tmp_path / "d.gif", "GIF", 1)
    found = find_new_images(tmp_path)
    assert [image.path.name for image in found if image.path] == [
        "a.png",
        "b.JPE",
        "c.jfif",
        "d.gif",
    ]
    for image in found[:3]:
        assert read_new_image(image, 16, "crop").shape == (16, 16, 3)
    with pytest.raises(DataError, match=r"d\.gif: not a JPEG or PNG image"):
        read_new_image(found[3], 16, "crop")


def test_names_that_are_not_utf8_are_refused_by_name(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", 1)
    (tmp_path / "a.png").rename(tmp_path / os.fsdecode(b"bad\xff.png"))
    with pytest.raises(DataError, match=r"file '.*bad\\udcff\.png' holds .*not UTF-8"):
        find_new_images(tmp_path)


def test_blank_ids_and_lesions_with_escapes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("image,mel,nv,label\na,0.5,0.5,nv\n,0.1,0.9,mel\n")
    with pytest.raises(PredictionsError, match=r"p\.csv: no image id in row 2"):
        read_prediction_table(path)
    data = write_folder(tmp_path / "data", Rows().change("im_3", lesion_id="L\x1b[31m"))
    with pytest.raises(DataError, match=r"(group|lesion) 'L\\x1b\[31m' holds control characters"):
        load_data(data)


def test_a_file_whose_name_a_spreadsheet_would_run(tmp_path: Path) -> None:
    """The tables of predictions that are written would hold it as an id."""
    write_image(tmp_path / "=1+1.png", 1)
    with pytest.raises(DataError, match=r"image id '=1\+1' begins like a formula"):
        find_new_images(tmp_path)
